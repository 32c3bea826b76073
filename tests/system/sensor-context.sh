#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an alert says of where a process runs: container, pod and unit from cgroups that are made here, the way runtimes make
# them; and of who logged in, from a program that looks like a server of SSH.
# Alone: it makes containers, and sensor-containers.sh counts them.
. "$(dirname "$0")/sensor_lib.bash"

ID=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
POD=8f1c6a5e-1f2d-4c3b-9a77-5d0e5a3c9d11
need_cgroups
VERSION=2
[ "$(stat -fc %T "$CGROUPS")" = cgroup2fs ] || VERSION=1

mkdir "$WORK/w" "$WORK/bin"
cp "$(command -v dash || command -v sh)" "$WORK/bin/sshd"
touch "$WORK"/w/{docker,podman,crio,pod,unit,host,young,ssh}
policy "$WORK/p.tpb" "docker open.file.path == \"$WORK/w/docker\" && container.id != \"\" && container.runtime == \"docker\"" \
	"podman open.file.path == \"$WORK/w/podman\" && cgroup.manager == \"podman\"" \
	"crio open.file.path == \"$WORK/w/crio\" && container.runtime == \"cri-o\" && container.pod_uid == \"$POD\"" \
	"pod open.file.path == \"$WORK/w/pod\" && container.tags == \"pod_uid:$POD\"" \
	"unit open.file.path == \"$WORK/w/unit\" && process.cgroup.unit == \"nginx.service\" && cgroup.manager == \"systemd\"" \
	"host open.file.path == \"$WORK/w/host\" && container.id == \"\" && container.created_at == 0" \
	"young open.file.path == \"$WORK/w/young\" && container.created_at < 30s && container.created_at > 0s" \
	"old open.file.path == \"$WORK/w/young\" && container.created_at > 30s" \
	"ssh open.file.path == \"$WORK/w/ssh\" && process.user_session.ssh_client_ip == \"192.0.2.7\"" \
	"nossh open.file.path == \"$WORK/w/ssh\" && process.user_session.ssh_client_ip == \"\""
must_start --policy "$WORK/p.tpb" --allow-unsigned

in_cgroup /docker/$ID cat "$WORK/w/docker"
verdict "docker" until_true 5 is_count docker 1
verdict "the alert has the container, its runtime and the version of the hierarchy" \
	eval "has docker '\"container\":{\"created_at\":' && has docker '\"runtime\":\"docker\"' && has docker '\"id\":\"$ID\"' && has docker '\"version\":$VERSION'"
in_cgroup /docker/$ID cat "$WORK/w/young"
verdict "a container that is a few seconds old" until_true 5 is_count young 1
in_cgroup /machine.slice/libpod-${ID//9/7}.scope/container cat "$WORK/w/podman"
verdict "podman" until_true 5 is_count podman 1
in_cgroup "/kubepods.slice/kubepods-pod${POD//-/_}.slice/crio-${ID//9/6}.scope" cat "$WORK/w/crio"
verdict "CRI-O in a pod" until_true 5 is_count crio 1
in_cgroup "/kubepods/besteffort/pod$POD/${ID//9/8}" cat "$WORK/w/pod"
verdict "a pod by its tag" until_true 5 is_count pod 1
in_cgroup /system.slice/nginx.service cat "$WORK/w/unit"
verdict "a unit of systemd" until_true 5 is_count unit 1
cat "$WORK/w/host"
verdict "none of it on the host" until_true 5 is_count host 1

# shellcheck disable=SC2016
"$WORK/bin/sshd" -c 'SSH_CONNECTION="192.0.2.7 4022 192.0.2.1 22" LOGNAME=ana sh -c "cat $1; :"; :' sh "$WORK/w/ssh"
verdict "who logged in is known to what the session starts" until_true 5 is_count ssh 1
verdict "the alert shows the session" has ssh \
	'"user_session":{"ssh_client_ip":"192.0.2.7","ssh_port":4022,"ssh_username":"ana"}'
SSH_CONNECTION="192.0.2.7 4022 192.0.2.1 22" cat "$WORK/w/ssh"
verdict "a variable alone makes no session" until_true 5 is_count nossh 1
verdict "stops with status 0" sensor_stop
verdict "no rule fired that should not" eval '[ "$(alerts_of old)$(alerts_of ssh)$(alerts_of nossh)" = 011 ]'
verdict "an alert is an event that rules can be tried on" \
	eval 'last_of docker >"$WORK/event.json" && "$BIN/tamisc" eval -e "container.runtime == \"docker\" && container.created_at > 0s && open.flags >= 0" "$WORK/event.json"'
done_testing
