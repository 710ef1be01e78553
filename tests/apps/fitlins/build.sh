#!/usr/bin/env bash
# Builds the BIDS App FitLins as an image: build.sh TARGET.sif
#
# Beside it are the programs of steps/, apps for the steps before and after it.
# Its root file system is what Python 3.11 needs of Debian 12, unpacked next to
# the pinned wheels of requirements.txt. Needs Debian's apt-get and dpkg-deb,
# apptainer, python3 with pip, and about 1.5 GB in the system's temporary folder.
# Without these programs it says so and builds nothing: the tests are then skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

for program in apptainer apt-get dpkg-deb; do
    if ! command -v "$program" >/dev/null; then
        echo "$target is not built: it needs $program" >&2
        exit 0
    fi
done

# An apt of its own, to which nothing is installed yet: it names every package needed.
unpack_debian() {
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -v security | head -n 1)
    mkdir -p "$work"/apt/{lists/partial,archives/partial}
    chmod 755 "$work"
    touch "$work/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" \
        >"$work/apt/sources.list"
    cat >"$work/apt/apt.conf" <<EOF
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
EOF
    export APT_CONFIG=$work/apt/apt.conf
    apt-get -qq update
    apt-get -qq --yes --download-only install \
        coreutils dash python3-minimal libpython3.11-stdlib libstdc++6
    mkdir -p "$root"
    for package in "$work"/apt/archives/*.deb; do
        dpkg-deb --extract "$package" "$root"
    done
    ln -sf python3.11 "$root/usr/bin/python3"
}

# For the image's Python, not for the one that runs pip.
# Without its compiled parts, SQLAlchemy is the same under any of them.
install_fitlins() {
    DISABLE_SQLALCHEMY_CEXT=1 python3 -m pip install --quiet --disable-pip-version-check \
        --no-deps --require-hashes --requirement "$here/requirements.txt" \
        --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_26_x86_64 --platform manylinux_2_24_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64 \
        --target "$root/opt/fitlins" --no-compile
}

write_runscript() {
    mkdir -p "$root/.singularity.d" "$root"/{proc,sys,dev,tmp,root,home,var/tmp,run}
    touch "$root"/etc/{hosts,localtime,resolv.conf}
    cat >"$root/.singularity.d/runscript" <<'EOF'
#!/bin/sh
export PYTHONPATH=/opt/fitlins PYTHONNOUSERSITE=1 MPLBACKEND=Agg
export MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache NO_ET=1
exec /usr/bin/python3.11 -c 'from fitlins.cli.run import main; import sys; sys.exit(main())' "$@"
EOF
    chmod 755 "$root/.singularity.d/runscript"
    install -D -t "$root/opt/steps" "$here"/steps/*.py
}

# By the image's own Python: else each of the app's processes would compile its imports anew.
# Some of the packages hold files that are no Python 3; they stay as they are.
compile_modules() {
    apptainer --quiet exec --containall --no-home --writable "$root" \
        python3.11 -W ignore -m compileall -qq -j 0 --invalidation-mode unchecked-hash \
        /usr/lib/python3.11 /opt/fitlins || true
}

unpack_debian
install_fitlins
write_runscript
compile_modules
mkdir -p "$(dirname "$target")"
apptainer --quiet build --force "$work/image.sif" "$root"
mv "$work/image.sif" "$target"
