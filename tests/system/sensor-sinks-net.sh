#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sinks on the network, against real servers where Debian has one: rsyslog by TCP and TLS with certificates of both sides, HTTP(S),
# OTLP; and each with what goes wrong: down, certificate expired, accepts and stalls, a name server that hangs, a full disk.
# In a mount namespace of its own, for its resolv.conf.
[ -n "${SINKS_NS:-}" ] || exec unshare --mount --propagation private env SINKS_NS=1 "$0" "$@"
. "$(dirname "$0")/sinks_lib.bash"
for tool in rsyslogd openssl; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done

# ---- certificates ----------------------------------------------------------------------------------------------------------
C=$WORK/certs
mkdir "$C"
ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj "/CN=test CA" -keyout "$C/ca.key" \
		-out "$C/ca.pem" 2>/dev/null
	: >"$C/index"
	printf '[a]\ndefault_ca=b\n[b]\ndatabase=%s/index\nrand_serial=yes\nnew_certs_dir=%s\npolicy=p\ndefault_md=sha256\n[p]\ncommonName=supplied\n' \
		"$C" "$C" >"$C/ca.conf"
}
# certificate NAME BEGIN END: dates as YYYYMMDDHHMMSSZ
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$C/$1.key" -out "$C/$1.csr" 2>/dev/null
	printf 'subjectAltName=DNS:localhost,DNS:collector.test,IP:127.0.0.1\n' >"$C/ext"
	openssl ca -batch -config "$C/ca.conf" -name b -cert "$C/ca.pem" -keyfile "$C/ca.key" -in "$C/$1.csr" -out "$C/$1.pem" \
		-startdate "$2" -enddate "$3" -extfile "$C/ext" -notext 2>"$C/log" || cat "$C/log"
}
day() { date -u -d "$1" +%Y%m%d000000Z; }
ca
certificate server "$(day yesterday)" "$(day '2 days')"
certificate client "$(day yesterday)" "$(day '2 days')"
certificate expired "$(day '9 days ago')" "$(day '2 days ago')"
chmod -R a+rX "$C"

rsyslog() {
	cat >"$WORK/rsyslog.conf.$1" <<-CONF
		global(workDirectory="$WORK" maxMessageSize="1m" defaultNetstreamDriverCAFile="$C/ca.pem"
		       defaultNetstreamDriverCertFile="$C/server.pem" defaultNetstreamDriverKeyFile="$C/server.key")
		module(load="imtcp" streamdriver.name="gtls" streamdriver.mode="$2" streamdriver.authmode="$3")
		template(name="raw" type="string" string="%rawmsg%\n")
		input(type="imtcp" address="127.0.0.1" port="$1" ruleset="r")
		ruleset(name="r") { action(type="omfile" file="$4" template="raw") }
	CONF
	rsyslogd -n -f "$WORK/rsyslog.conf.$1" -i "$WORK/rsyslog.pid.$1" 2>"$WORK/rsyslog.err.$1" &
	COLLECTORS+=($!)
	until_true 5 eval "[ -n \"\$(ss -Hltn 'sport = :$1')\" ]"
}

trap 'stop_collectors; umount -l "$OUTSIDE/small" /etc/resolv.conf 2>/dev/null; cleanup' EXIT

# ---- all of them, none of which is there yet ------------------------------------------------------------------------------------
mkdir -m 777 "$OUTSIDE/small"
mount -t tmpfs -o size=64k,mode=777 tmpfs "$OUTSIDE/small" || { echo "skipped: no mounts here"; exit 77; }
printf 'nameserver 127.0.0.77\noptions timeout:20 attempts:3\n' >"$WORK/resolv.conf"
mount --bind "$WORK/resolv.conf" /etc/resolv.conf
collect dns 127.0.0.77 "$WORK/dns.answers"
common=("from = start" "retry-max = 1" "timeout = 1" "rate = 0")
sink tcp "type = syslog" "host = 127.0.0.1" "port = 16601" "${common[@]}"
sink tls "type = syslog" "host = localhost" "port = 16614" "tls = yes" "ca = $C/ca.pem" "cert = $C/client.pem" "key = $C/client.key" \
	"${common[@]}"
sink hook "type = webhook" "url = http://127.0.0.1:16080/hook" "fold = 0" "kinds = all" "${common[@]}"
sink otlp "type = otlp" "url = https://localhost:16443/v1/logs" "ca = $C/ca.pem" "cert = $C/client.pem" "key = $C/client.key" \
	"${common[@]}"
sink named "type = syslog" "host = collector.test" "port = 16602" "${common[@]}"
sink full "type = file" "path = $OUTSIDE/small/alerts" "max-bytes = 0" "${common[@]}"
sink good "type = file" "path = $OUTSIDE/good" "max-bytes = 0" "${common[@]}"
# in their place: a server whose certificate has expired, two that accept and stall
openssl s_server -accept 16614 -cert "$C/expired.pem" -key "$C/expired.key" -quiet >/dev/null 2>&1 &
COLLECTORS+=($!)
collect stall 16080
collect stall 16443
start
# rss NAME: of a sink's process, kB
rss() { ps -o rss=,args= --ppid "$(ctl status --json | jq .spool.pid)" -o comm= | sort -n | tail -n 1 | awk '{ print $1 }'; }
failing() { [ "$(ctl status | grep -c FAILING)" = "$1" ]; }
opens 200 "$WORK/target"
verdict "a sink that works is not held up by six that don't" until_true 10 caught_up good 200
first=$(rss)
verdict "a collector that is down is told" until_true 5 sink_says tcp "Connection refused"
verdict "a certificate that has expired" until_true 5 sink_says tls "not accepted.*expired"
verdict "a collector that accepts and stalls" until_true 8 sink_says hook "timed out"
verdict "  in the middle of TLS" until_true 8 sink_says otlp "timed out"
verdict "a disk that is full" until_true 5 sink_says full "No space left"
verdict "a name server that hangs" until_true 25 sink_says named "did nothing for .* s: .*name"
verdict "all of that is in the status" until_true 10 failing 6
metrics_say() { [ "$(ctl metrics | grep -c "^tamis_sink_failing_seconds.* [1-9]")" = 6 ]; }
verdict "and in the metrics" until_true 10 metrics_say
opens "${WAITING:-2000}" "$WORK/target"
verdict "the one that works goes on" until_true 20 caught_up good "${WAITING:-2000}"
last=$(rss)
verdict "memory stays flat while ${WAITING:-2000} alerts wait (at most $first kB before, $last kB)" test "$last" -lt $((first + 6000))

# ---- and now they are ------------------------------------------------------------------------------------------------------------
stop_collectors
rsyslog 16601 0 anon "$WORK/tcp.out"
rsyslog 16602 0 anon "$WORK/named.out"
rsyslog 16614 1 x509/certvalid "$WORK/tls.out"
collect http 16080 "$WORK/hook.out"
collect http 16443 "$WORK/otlp.out" "$C/server.pem" "$C/server.key" "$C/ca.pem"
collect dns 127.0.0.77 "$WORK/dns.answers"
touch "$WORK/dns.answers"
mount -o remount,size=100m "$OUTSIDE/small"
seq=$(log_seq)
for name in tcp tls hook otlp named full; do
	verdict "$name: everything arrives afterwards" until_true 40 caught_up $name "$seq"
done
settled() { "$COLLECT" check "$@" >"$WORK/checked" 2>&1; }
for out in tcp.out named.out tls.out hook.out otlp.out outside/small/alerts outside/good; do
	verdict "$out: nothing is missing, what came twice says so" until_true 10 settled "$WORK/$out"
	sed "s|^|# $out: |" "$WORK/checked"
done
verdict "nobody fails any more" until_true 10 failing 0

# ---- what collectors answer ---------------------------------------------------------------------------------------------------------
echo "503 0" >"$WORK/hook.out.answer"
opens 3 "$WORK/target"
verdict "a service that is not there now" until_true 5 sink_says hook "HTTP status 503: no: xxx"
echo 400 >"$WORK/hook.out.answer"
verdict "what is refused five times is given up, and counted" until_true 40 sink_at_least hook refused 1
rm "$WORK/hook.out.answer"
verdict "the others follow" until_true 20 caught_up hook "$(log_seq)"
for name in tcp tls hook otlp; do verdict "test of $name" ctl sinks test $name; done
stop_collectors
openssl s_server -accept 16614 -cert "$C/server.pem" -key "$C/server.key" -CAfile "$C/expired.pem" -Verify 1 -verify_return_error \
	-quiet >/dev/null 2>&1 &
COLLECTORS+=($!)
opens 3 "$WORK/target"
verdict "a collector that does not accept our certificate" until_true 10 sink_says tls "lost\|no TLS"
sensor_stop
done_testing
