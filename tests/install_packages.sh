#!/usr/bin/env bash
# Installs what the tests of SLURM, of containers, of the report and of the page need, where that is possible:
# Debian packages, and Apptainer in /var/tmp.
# Without it (and without CI=true) those tests are skipped, and say what to install.
set -euo pipefail

packages=(slurmctld slurmd slurmdbd slurm-client munge mariadb-server mariadb-client
    environment-modules iproute2 procps shellcheck
    busybox-static charliecloud patchelf podman runc squashfs-tools squashfuse uidmap
    chromium curl openssh-server openssh-client)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ] && { [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; }; then
    echo "not installed (needs root): ${missing[*]}" >&2
elif [ ${#missing[@]} -gt 0 ]; then
    # The tests start their own daemons; the packages must start none.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
fi

# Without it (a mirror that moved on, no Debian) its tests are skipped, or fail in CI.
command -v apptainer >/dev/null ||
    bash "$(dirname "$0")/containers/get_apptainer.sh" "/var/tmp/bidsloom-apptainer-$(id -u)" || true
