#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Names of containers by a Podman that is one: its service answers as sensor-containers.sh has it, and what it runs is found by its
# cgroup. Its image is made here, of busybox; no registry is asked.
# Alone: it makes containers, and sensor-containers.sh counts them.
. "$(dirname "$0")/sensor_lib.bash"

skip() { echo "skipped: $1" && exit 77; }
need_cgroups
command -v podman >/dev/null || skip "podman is not installed"
[ "$(stat -fc %T "$CGROUPS")" = cgroup2fs ] || skip "there are no unified cgroups here"
mkdir -p "$WORK/image/bin" "$WORK/run"
cp "$(type -P busybox)" "$WORK/image/bin/" && chroot "$WORK/image" /bin/busybox true || skip "there is no static busybox"
for name in sh cat sleep; do ln -s busybox "$WORK/image/bin/$name"; done
touch "$WORK/image/watched"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$WORK/policy.json"

# Apart from the host's own Podman, and in unified cgroups, also where the host has others beside them.
# shellcheck disable=SC2016 # the shell inside expands it
PODMAN=(unshare -m sh -c 'mount --bind "$1" /sys/fs/cgroup && shift && exec "$@"' sh "$CGROUPS"
	podman --root "$WORK/storage" --runroot "$WORK/run/p" --tmpdir "$WORK/tmp" --storage-driver vfs
	--cgroup-manager cgroupfs --events-backend none)
# run NAME ARGUMENT...: with what a machine of few rights allows
run() {
	local name=$1
	shift
	"${PODMAN[@]}" run -d --name "$name" --privileged --network none --cgroupns host --pids-limit -1 --ulimit nofile=1024:1024 \
		--ulimit nproc=500:500 "$@" sh -c 'while :; do cat /watched; sleep 0.2; done' >"$WORK/$name.id" 2>"$WORK/podman.err"
}
SERVICE=
trap 'end_podman; cleanup' EXIT
end_podman() {
	[ ! -d "$WORK/storage" ] || "${PODMAN[@]}" rm -f -a -t 0 >/dev/null 2>&1
	[ -z "$SERVICE" ] || kill "$SERVICE" 2>/dev/null
	umount "$WORK/storage/vfs" "$WORK/storage" 2>/dev/null
	[ -n "$PARENT_THERE" ] || rmdir "$CGROUPS/libpod_parent" 2>/dev/null
}
PARENT_THERE=
[ ! -d "$CGROUPS/libpod_parent" ] || PARENT_THERE=1

tar -C "$WORK/image" -c . | "${PODMAN[@]}" import --signature-policy "$WORK/policy.json" - localhost/tamis/web:1.2 >"$WORK/podman.err" 2>&1 &&
	run before localhost/tamis/web:1.2 || skip "podman cannot run a container here: $(tail -n 1 "$WORK/podman.err")"
"${PODMAN[@]}" system service --time=0 "unix://$WORK/run/podman.sock" 2>"$WORK/service.err" &
SERVICE=$!
until_true 20 test -S "$WORK/run/podman.sock" || skip "podman has no service here: $(tail -n 1 "$WORK/service.err")"
chmod 711 "$WORK"
chgrp 4242 "$WORK/run/podman.sock"
chmod 660 "$WORK/run/podman.sock"

policy "$WORK/p.tpb" \
	'before open.file.name == "watched" && container.runtime == "podman" && container.tags in ["container_name:before"] && container.tags in ["image_name:localhost/tamis/web"] && container.tags in ["image_tag:1.2"]' \
	'after open.file.name == "watched" && container.runtime == "podman" && container.tags in ["container_name:after"]'
must_start --policy "$WORK/p.tpb" --allow-unsigned --runtime-sockets "podman=$WORK/run/podman.sock"
some() { [ "$(alerts_of "$1")" -ge 1 ]; }
verdict "a container that was there before the sensor has its name and image" until_true 20 some before
verdict "and its id" has before "\"id\":\"$(cat "$WORK/before.id")\""
run after --rootfs "$WORK/image"
verdict "so does a later one, of a directory" until_true 20 some after
verdict "which has no image" eval '! has after image_'
verdict "the status counts both" until_true 5 eval '[ "$(field containers known)" = 2 ] && [ "$(field containers given_up)" = 0 ]'
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
