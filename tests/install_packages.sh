#!/usr/bin/env bash
# Installs the Debian packages that the tests of SLURM need, where that is possible.
# Without them (and without CI=true) those tests are skipped, and say what to install.
set -euo pipefail

packages=(slurmctld slurmd slurmdbd slurm-client munge mariadb-server mariadb-client
    environment-modules iproute2 procps shellcheck)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed (needs root): ${missing[*]}" >&2
    exit 0
fi

# The tests start their own daemons; the packages must start none.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
