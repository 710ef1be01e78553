#!/usr/bin/env bash
# Runs a command as an ordinary user, from root: as_user.sh READABLE... -- COMMAND...
#
# All that it takes is made in a mount namespace of its own, so that nothing of
# the machine changes: an account with a range of subordinate ids, a /dev/fuse
# that users may open, and a way to the READABLE folders, which may lie below
# one of root's own.  AS_USER_ID and AS_USER_GROUP are the numbers of the account
# and of a further group that it is a member of.
set -euo pipefail

readable=()
while [ "$1" != -- ]; do
    readable+=("$1")
    shift
done
shift

account=bidsloom-tester
uid=${AS_USER_ID:-54321}
if [ "${AS_USER_INSIDE:-}" != yes ]; then
    AS_USER_INSIDE=yes exec unshare --mount --propagation private bash "$0" "${readable[@]}" -- "$@"
fi

etc=$(mktemp -d)
mount -t tmpfs tmpfs "$etc"
chmod 755 "$etc"
mkdir -m 700 "$etc/home"
for name in passwd group subuid subgid; do
    cp "/etc/$name" "$etc/$name" 2>/dev/null || : >"$etc/$name"
done
echo "$account:x:$uid:$uid::$etc/home:/bin/sh" >>"$etc/passwd"
echo "$account:x:$uid:" >>"$etc/group"
echo "$account:200000:65536" | tee -a "$etc/subuid" >>"$etc/subgid"
mknod -m 666 "$etc/fuse" c 10 229
cp "$HOME/.gitconfig" "$etc/home/"
chown -R "$uid:$uid" "$etc/home"
for name in passwd group subuid subgid; do
    [ -e "/etc/$name" ] || : >"/etc/$name"
    mount --bind "$etc/$name" "/etc/$name"
done
mount --bind "$etc/fuse" /dev/fuse

# Folders that only root may enter are covered by empty ones that lead on.
mkdir "$etc/keep"
closed=()
for n in "${!readable[@]}"; do
    mkdir "$etc/keep/$n"
    mount --rbind "${readable[$n]}" "$etc/keep/$n"
    parent=${readable[$n]}
    while [ "$parent" != / ]; do
        parent=$(dirname "$parent")
        [ $((0$(stat -c %a "$parent") & 1)) = 1 ] || topmost=$parent
    done
    [ -z "${topmost:-}" ] || closed+=("$topmost")
    topmost=
done
for path in "${closed[@]}"; do
    mountpoint -q "$path" || mount -t tmpfs -o mode=755 tmpfs "$path"
done
for n in "${!readable[@]}"; do
    mkdir -p "${readable[$n]}"
    mount --move "$etc/keep/$n" "${readable[$n]}"
done

unset AS_USER_INSIDE
export HOME=$etc/home USER=$account LOGNAME=$account XDG_RUNTIME_DIR=$etc/home
groups=(--clear-groups)
[ -z "${AS_USER_GROUP:-}" ] || groups=(--groups "$AS_USER_GROUP")
exec setpriv --reuid "$uid" --regid "$uid" "${groups[@]}" "$@"
