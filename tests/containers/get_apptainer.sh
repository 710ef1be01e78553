#!/usr/bin/env bash
# Puts Debian's own Apptainer into a folder of its own, for the tests: get_apptainer.sh FOLDER
# The folder's path must hold no space: Apptainer hangs for ordinary users then.
#
# Debian carries it in unstable alone, built against a newer C library than a
# stable system has; that library comes along, and nothing of the system changes.
# Pinned by suite and not by version, since a mirror keeps only the newest one of
# each; apt checks Debian's signature of what it downloads.
set -euo pipefail

packages=(apptainer/sid libc6/trixie)

folder=$(realpath -m "$1")
[ -e "$folder/made" ] && [ -O "$folder" ] && exit 0
if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || ! command -v patchelf >/dev/null; then
    echo "Apptainer is not fetched: it needs Debian on amd64, and patchelf" >&2
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(grep -rhoE '^(deb|URIs:) .*' /etc/apt/sources.list* | grep -oE 'https?://[^ ]*/debian/?( |$)' |
    head -n 1 | tr -d ' ')
mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work"/apptainer "$work"/libc6
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in sid trixie; do
    echo "deb [signed-by=$keys] $mirror $suite main"
done >"$work/sources.list"
options=(-qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)")
apt-get "${options[@]}" update
for package in "${packages[@]}"; do
    name=${package%/*}
    (cd "$work" && apt-get "${options[@]}" download "$package" >/dev/null)
    dpkg-deb -x "$work/$name"_*.deb "$work/$name"
done

rm -rf "$folder"
mkdir -m 755 "$folder"
libraries=usr/lib/x86_64-linux-gnu
mkdir -p "$folder/lib/glibc"
cp -a "$work"/apptainer/usr/. "$work"/apptainer/etc "$work"/apptainer/var "$folder/"
for name in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 libresolv.so.2 librt.so.1; do
    cp -a "$work/libc6/$libraries/$name" "$folder/lib/glibc/"
done
for name in libseccomp.so.2 libsqlite3.so.0; do
    cp -aL "/$libraries/$name" "$folder/lib/glibc/"
done
for program in bin/apptainer lib/x86_64-linux-gnu/apptainer/bin/starter; do
    patchelf --set-interpreter "$folder/lib/glibc/ld-linux-x86-64.so.2" \
        --force-rpath --set-rpath "$folder/lib/glibc" "$folder/$program"
done
ln -sfn apptainer "$folder/bin/singularity"
ln -sfn run-singularity.apptainer "$folder/bin/run-singularity"
# The starter reckons its prefix one level too low.
ln -sfn ../var "$folder/lib/var"
ln -sfn ../etc "$folder/lib/etc"
# In a container root itself may lack a capability that Apptainer would keep.
sed -i 's/^root default capabilities.*/root default capabilities = no/' \
    "$folder/etc/apptainer/apptainer.conf"
"$folder/bin/apptainer" --version >/dev/null
(cd "$work" && ls ./*.deb) >"$folder/made"
