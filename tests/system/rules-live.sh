#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rules that come with Tamis on real events: what they look for is what the kernel shows. Each act is harmless, and as
# near to what the rule is about as that allows. Each alert, taken as an event, makes its rule fire again.
. "$(dirname "$0")/sensor_lib.bash"

"$BIN/tamisc" build -o "$WORK/rules.tpb" rules >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
must_start --policy "$WORK/rules.tpb" --allow-unsigned

# came RULE: an alert of it, kept in a file
came() { grep -am 1 "\"rule\":{[^}]*\"id\":\"$1\"" "$OUT" >"$WORK/$1.json"; }
# fires RULE COMMAND...: what the command does is what the rule is about
fires() {
	local rule=$1
	shift
	"$@" >"$WORK/act" 2>&1 </dev/null || true
	verdict "$rule" until_true 3 came "$rule"
}

tool memfd /bin/true # builds it, too
fires memfd_exec tool memfd /bin/true
cp /bin/true /tmp/tamis-rules-live && fires exec_from_temp_dir /tmp/tamis-rules-live
rm -f /tmp/tamis-rules-live
fires preload_from_temp_dir env -i LD_PRELOAD=/tmp/tamis-rules-live.so /bin/true
fires shell_dev_tcp bash -c 'exec 3<>/dev/tcp/192.0.2.1/x'
fires process_memory_write bash -c 'exec 3<>/proc/$$/mem'
fires shadow_read cat /etc/shadow
fires hidden_directory mkdir /tmp/.tamis-rules-live
rmdir /tmp/.tamis-rules-live
cp /bin/true "$WORK/suid" && fires setuid_chmod chmod u+s "$WORK/suid"
fires shell_connects timeout 2 bash -c 'exec 3<>/dev/udp/192.0.2.1/9'
fires backdoor_port_connect_local bash -c 'exec 3<>/dev/tcp/127.0.0.1/4444'
cp /bin/true "$WORK/nmap" && fires network_scan "$WORK/nmap"
cp /bin/bash "$WORK/nginx" && fires web_server_recon "$WORK/nginx" -c 'id; :'

# what rules remember: of a process, of all below it, of what is above it
mkdir "$WORK/bin" /run/secrets 2>/dev/null
cp /bin/cp "$WORK/bin/curl" && cp "$WORK/tool" "$WORK/bin/wget"
echo x >/run/secrets/tamis-rules-live
fires download_executed bash -c "$WORK/bin/curl /bin/true /tmp/tamis-rules-live; /tmp/tamis-rules-live; :"
fires connected_shell setsid "$WORK/tool" connect /bin/sh
fires listener_shell setsid "$WORK/tool" bind /bin/sh
fires credential_sent bash -c "cat /run/secrets/tamis-rules-live; $WORK/bin/wget connect /bin/true; :"
rm -f /tmp/tamis-rules-live /run/secrets/tamis-rules-live
rmdir /run/secrets 2>/dev/null
silent() { ! grep -aE '"id":"(download_written|port_opened|connection_made)"' "$OUT" >"$WORK/act"; }
verdict "rules that only remember raise no alert" silent
for _ in 1 2 3 4 5; do /bin/cp /bin/true "/tmp/tamis-rules-live"; /tmp/tamis-rules-live; done
rm -f /tmp/tamis-rules-live
sleep 1
once() { [ "$(grep -a '"id":"exec_from_temp_dir"' "$OUT" | grep -c '"path":"/tmp/tamis-rules-live"')" = 1 ]; }
verdict "a loop is one alert a minute" once

# an alert is an event: "tamisc test" reads it as JSON, which is YAML; what came before it is not in it
again() {
	local name
	{
		echo "policies: [$PWD/rules]"
		echo "tests:"
		for name in "$WORK"/*_*.json; do
			name=$(basename "$name" .json)
			case $name in download_executed | connected_shell | listener_shell | credential_sent) continue ;; esac
			printf '  - name: %s\n    event: %s\n    fire: [%s]\n' "$name" "$(cat "$WORK/$name.json")" "$name"
		done
	} >"$WORK/again.test.yaml"
	"$BIN/tamisc" test "$WORK/again.test.yaml" >"$WORK/again" 2>&1 || { cat "$WORK/again"; false; }
}
verdict "each alert makes its rule fire again" again
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
done_testing
