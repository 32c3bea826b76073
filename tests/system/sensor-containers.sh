#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Names and images of containers, as runtimes tell them: by servers that answer as Docker, Podman and CRI-O do, by the bundle of
# containerd; and what happens where one does not answer, or answers with what it should not.
. "$(dirname "$0")/sensor_lib.bash"

ID=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0
POD=8f1c6a5e-1f2d-4c3b-9a77-5d0e5a3c9d11
need_cgroups
SERVERS=()
trap 'end_servers; cleanup' EXIT
end_servers() {
	local pid
	for pid in "${SERVERS[@]}"; do kill -9 "$pid" 2>/dev/null; done
}

# A process that stays in the cgroup, and others beside it: a container is known as long as one of its processes is.
keep() {
	cgroup_make "$1"
	(enter_cgroup "$1" && exec sleep 600) &
	SERVERS+=($!)
}

# server NAME MODE
server() {
	: >"$WORK/$1.log"
	python3 tests/system/fake_runtime.py "$WORK/run/$1.sock" "$2" >"$WORK/$1.log" 2>&1 &
	SERVERS+=($!)
	until_true 10 grep -q listening "$WORK/$1.log"
}

chmod 711 "$WORK"
mkdir "$WORK/w" "$WORK/run"
touch "$WORK"/w/{docker,podman,crio,containerd,bare}
DOCKER=/docker/${ID}1 PODMAN=/machine.slice/libpod-${ID}2.scope/container CRIO=/kubepods.slice/crio-${ID}3.scope
CONTAINERD=/kubepods/besteffort/pod$POD/cri-containerd-${ID}4
AT() { echo "open.file.path == \"$WORK/w/$1\""; }
policy "$WORK/p.tpb" \
	"docker $(AT docker) && container.tags in [\"image_name:registry:5000/test/nginx\"] && container.tags in [\"container_name:web\"] && container.tags in [\"image_tag:1.2\"]" \
	"podman $(AT podman) && container.tags in [\"container_name:web\"]" \
	"crio $(AT crio) && container.tags in [\"pod_name:web-1\"] && container.tags in [\"kube_namespace:shop\"] && container.tags in [\"kube_container_name:nginx\"]" \
	"containerd $(AT containerd) && container.tags in [\"image_name:docker.io/library/nginx\"] && container.tags in [\"pod_name:web-2\"]" \
	"bare open.file.path == \"$WORK/w/bare\" && container.tags not in [~\"image_name:*\"] && container.runtime == \"docker\""
server docker docker
server crio crio
BUNDLE=$WORK/run/tasks/k8s.io/${ID}4
mkdir -p "$BUNDLE"
echo '{"ociVersion":"1.0.2","annotations":{"io.kubernetes.cri.container-name":"nginx","io.kubernetes.cri.image-name":"docker.io/library/nginx:1","io.kubernetes.cri.sandbox-name":"web-2","io.kubernetes.cri.sandbox-namespace":"shop"}}' >"$BUNDLE/config.json"
chmod 700 "$BUNDLE"

runtime_up() { [ "$(state_of runtime)" = up ]; }
# The first events may go without: again and again until one has the names.
named() {
	in_cgroup "$2" cat "$WORK/w/$1"
	until_true 1 test "$(alerts_of "$1")" -ge 1
}
at_least() { [ "$(field containers "$1")" -ge "$2" ]; }

verdict "a runtime that there is not" eval '! "$BIN/tamisd" --policy "$WORK/p.tpb" --allow-unsigned --state "$STATE" --runtime-sockets dock 2>"$WORK/e" && grep -q "not .dock." "$WORK/e"'

keep "$DOCKER" # it is there before the sensor
must_start --policy "$WORK/p.tpb" --allow-unsigned --runtime-sockets "docker=$WORK/run/docker.sock,podman=$WORK/run/docker.sock cri-o=$WORK/run/crio.sock containerd=$WORK/run/tasks"
verdict "the process that takes answers apart is there" until_true 10 runtime_up
verdict "docker: name, image and tag" until_true 20 named docker "$DOCKER"
verdict "the alert shows them" has docker '"tags":["container_id:'"$ID"'1","runtime:docker","container_name:web","image_id:sha256:bbbb'
keep "$PODMAN"
verdict "podman" until_true 20 named podman "$PODMAN"
keep "$CRIO"
verdict "CRI-O: pod, name space and container" until_true 20 named crio "$CRIO"
keep "$CONTAINERD"
verdict "containerd, by its bundle" until_true 20 named containerd "$CONTAINERD"
verdict "each was asked for once" eval '[ "$(grep -c "^GET" "$WORK/docker.log")" = 2 ] && [ "$(grep -c "^GET" "$WORK/crio.log")" = 1 ]'
verdict "by the documented question" eval 'grep -qx "GET /containers/${ID}1/json HTTP/1.0" "$WORK/docker.log" && grep -qx "GET /containers/${ID}3 HTTP/1.0" "$WORK/crio.log"'
verdict "the status counts them" until_true 5 eval '[ "$(field containers known)" = 4 ] && [ "$(field containers given_up)" = 0 ]'
verdict "status for people" eval 'ctl status | grep -q "^containers 4 names known"'

runtime=$(pid_of runtime)
# shellcheck disable=SC2034 # in what is evaluated
sockets=$(pgrep -P "$runtime")
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
verdict "who takes answers apart has no right, no group and no socket of a runtime" \
	eval '[ "$(status $runtime CapEff)$(status $runtime CapBnd)" = 00000000000000000000000000000000 ] && [ -z "$(status $runtime Groups | tr -d " ")" ] && [ "$(status $runtime Seccomp)" = 2 ]'
verdict "who may connect has the sockets' group, and reads for containerd" \
	eval '[ "$(status $sockets Groups | tr -d " ")" = 4242 ] && [ "$((16#$(status $sockets CapEff)))" = 4 ] && [ "$(status $sockets Seccomp)" = 2 ]'

ctl capture -o "$WORK/c" --seconds 2 2>/dev/null &
capture=$!
until_true 5 grep -q "a capture begins" "$ERR"
before=$(grep -c . "$OUT")
in_cgroup "$DOCKER" cat "$WORK/w/docker"
wait "$capture"
events() { grep -o '"tags":\["container_id[^]]*\]'; }
tail -n +$((before + 1)) "$OUT" | events >"$WORK/live"
"$BIN/tamisd" --replay "$WORK/c" --policy "$WORK/p.tpb" --allow-unsigned --alerts - 2>"$WORK/replay.err" | events >"$WORK/replayed"
verdict "a replay finds the names that were known" eval 'grep -q image_name: "$WORK/live" && cmp "$WORK/live" "$WORK/replayed"'

kill -9 "$runtime"
until_true 10 eval '! kill -0 "$sockets" 2>/dev/null'
verdict "both processes die together, and come back" until_true 20 eval '[ "$(pid_of runtime)" != "$runtime" ] && runtime_up'
sed -i 's/^/old /' "$WORK/docker.log"
keep "/docker/${ID}5"
in_cgroup "/docker/${ID}5" cat "$WORK/w/docker"
verdict "and are asked" until_true 20 at_least known 5
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies

# ---- those that do not do what they should
for mode in stall garbage flood drip; do server $mode $mode; done
n=a
for mode in stall garbage flood drip refused; do
	rm -rf "$STATE" "$OUT"
	must_start --policy "$WORK/p.tpb" --allow-unsigned --runtime-sockets "docker=$WORK/run/$mode.sock"
	until_true 10 runtime_up
	keep "/docker/$ID$n"
	counter=failed
	[ $mode != stall ] && [ $mode != drip ] || counter=given_up
	verdict "$mode: given up, and counted" until_true 20 at_least $counter 1
	in_cgroup "/docker/$ID$n" cat "$WORK/w/bare"
	verdict "$mode: events go on without names" until_true 5 eval '[ "$(alerts_of bare)" -ge 1 ]'
	verdict "$mode: the processes live" eval '[ "$(state_of runtime)" = up ] && ! grep -q "started again" "$ERR"'
	verdict "$mode: stops" sensor_stop
	n=$(tr abcde bcdef <<<$n)
done
verdict "a flood is not read to its end" until_true 5 grep -q "ended: Broken pipe\|ended: Connection reset" "$WORK/flood.log"
done_testing
