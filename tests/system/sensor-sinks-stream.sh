#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sinks to streams: Kafka against librdkafka's mock cluster, NATS JetStream against nats-server; brokers that are down, that fail
# in the middle, and sinks that are killed while they send.
. "$(dirname "$0")/sinks_lib.bash"
NATS=nats://127.0.0.1:16222
${CC:-cc} -O2 -o "$WORK/kafka_mock" tests/system/kafka_mock.c -lrdkafka || exit 1
${CC:-cc} -O2 -o "$WORK/nats_tool" tests/system/nats_tool.c -lnats || exit 1
command -v nats-server >/dev/null || { echo "skipped: no nats-server"; exit 77; }

nats() {
	nats-server -a 127.0.0.1 -p 16222 -js -sd "$WORK/jetstream" >"$WORK/nats.log" 2>&1 &
	NATS_PID=$!
	COLLECTORS+=("$NATS_PID")
	until_true 5 grep -q "Server is ready" "$WORK/nats.log"
}
"$WORK/kafka_mock" "$WORK/brokers" "$WORK/kafka.out" >"$WORK/kafka.said" 2>&1 &
MOCK=$!
COLLECTORS+=("$MOCK")
until_true 10 grep -q ready "$WORK/kafka.said"
sink kafka "type = kafka" "brokers = $(cat "$WORK/brokers")" "topic = tamis" "compression = lz4" "from = start" "rate = 0" "timeout = 2" "retry-max = 1"
sink nats "type = nats" "servers = $NATS" "subject = tamis.alerts" "stream = TAMIS" "from = start" "rate = 0" "timeout = 2" \
	"retry-max = 1"
start
opens 200 "$WORK/target"
verdict "kafka: the records are there" until_true 20 caught_up kafka 200
verdict "nats: a server that is down is told" until_true 5 sink_says nats "$NATS: .*"
nats
verdict "nats: a stream that is not there is told" until_true 10 sink_says nats "tamis.alerts: .*"
verdict "nats: the stream is made" "$WORK/nats_tool" $NATS create
verdict "nats: what waited arrives" until_true 20 caught_up nats 200

# silent or down, failing, and killed meanwhile
kill -STOP "$MOCK"
kill -9 "$NATS_PID"
opens 300 "$WORK/target"
verdict "kafka: brokers that do not answer are told" until_true 20 sink_at_least kafka failing 1
kill -CONT "$MOCK"
touch "$WORK/kafka.out.errors"
nats
for ((i = 0; i < ${KILLS:-4}; i++)); do
	# the mock cluster keeps 5 MiB a partition and drops what is older, read or not
	opens 100 "$WORK/target" &
	load=$!
	sleep "0.$((RANDOM % 40 + 10))"
	victim=$(pgrep -P "$(ctl status --json | jq .spool.pid)" | shuf -n 1)
	[ -z "$victim" ] || kill -9 "$victim" 2>/dev/null
	wait $load
done
settled() { [ "$(field queue records)" = 0 ] && [ "$(field alerts made)" = $(($(field alerts durable) + $(field alerts lost))) ]; }
until_true 10 settled
seq=$(log_seq)
verdict "kafka: everything arrives afterwards ($seq records)" until_true 40 caught_up kafka "$seq"
verdict "nats: everything arrives afterwards" until_true 30 caught_up nats "$seq"
# at_consumer FILE
at_consumer() { [ "$(jq -r .seq "$1" | sort -n | tail -n 1)" -ge "$seq" ]; }
verdict "kafka: it is at a consumer" until_true 20 at_consumer "$WORK/kafka.out"
verdict "kafka: nothing is missing, what came twice says so" eval '"$COLLECT" check $WORK/kafka.out'
"$WORK/nats_tool" $NATS dump >"$WORK/nats.out"
verdict "nats: nothing is missing" eval '"$COLLECT" check $WORK/nats.out'
verdict "nats: nothing is there twice, since the stream knows the ids" eval '"$COLLECT" check $WORK/nats.out | grep -c " 0 twice" >/dev/null'
verdict "the records are the log's, where they say" eval '"$COLLECT" leaves $WORK/nats.out $STATE/log'

# TLS with certificates of both sides, and a user
C=$WORK/certs
mkdir "$C"
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$C/$1.key" -out "$C/$1.csr" 2>/dev/null
	openssl x509 -req -in "$C/$1.csr" -days 2 -CA "$C/ca.pem" -CAkey "$C/ca.key" -CAcreateserial -out "$C/$1.pem" \
		-extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test CA" -keyout "$C/ca.key" -out "$C/ca.pem" 2>/dev/null
certificate server
certificate client
chmod -R a+rX "$C"
cat >"$WORK/nats.conf" <<-CONF
	host: 127.0.0.1
	port: 16223
	jetstream { store_dir: "$WORK/jetstream.tls" }
	tls { cert_file: "$C/server.pem", key_file: "$C/server.key", ca_file: "$C/ca.pem", verify: true }
	authorization { user: tamis, password: "quite-secret" }
CONF
nats-server -c "$WORK/nats.conf" >"$WORK/nats.tls.log" 2>&1 &
COLLECTORS+=($!)
until_true 10 grep -q "Server is ready" "$WORK/nats.tls.log"
# Kafka's mock cluster knows neither: it is where only the door before it gets, which does. A port of its may be taken here.
kafka_with_door() {
	unshare --net sh -c 'ip link set lo up && exec "$@"' - "$WORK/kafka_mock" "$WORK/brokers.tls" "$WORK/kafka.tls.out" \
		>"$WORK/kafka.tls.said" 2>&1 &
	local pid=$!
	COLLECTORS+=("$pid")
	until_true 10 grep -q ready "$WORK/kafka.tls.said"
	tests/system/kafka_door "$pid" "$C" "$(cat "$WORK/brokers.tls")" tamis quite-secret >"$WORK/door.said" 2>&1 &
	COLLECTORS+=($!)
	until_true 10 grep -q "ready\|in use" "$WORK/door.said"
	grep -q ready "$WORK/door.said"
}
for _ in 1 2 3; do kafka_with_door && break; done
verdict "nats, TLS: the stream is made" env NATS_TLS="$C" "$WORK/nats_tool" "nats://tamis:quite-secret@localhost:16223" create
verdict "stops with status 0" sensor_stop
common=("type = nats" "subject = tamis.alerts" "stream = TAMIS" "from = start" "rate = 0" "timeout = 2" "retry-max = 1" "tls = yes"
	"cert = $C/client.pem" "key = $C/client.key")
sink tls "${common[@]}" "ca = $C/ca.pem" "servers = nats://tamis:quite-secret@localhost:16223"
sink wrong "${common[@]}" "ca = $C/ca.pem" "servers = nats://tamis:not-that-secret@localhost:16223"
sink untrusted "${common[@]}" "ca = $C/client.pem" "servers = nats://tamis:quite-secret@localhost:16223"
echo quite-secret >"$C/password"
echo not-that-secret >"$C/wrong"
chmod a+r "$C/password" "$C/wrong"
common=("type = kafka" "brokers = $(cat "$WORK/brokers.tls")" "topic = tamis" "from = start" "rate = 0" "timeout = 2" "retry-max = 1"
	"tls = yes" "cert = $C/client.pem" "key = $C/client.key" "user = tamis")
sink kafka-tls "${common[@]}" "ca = $C/ca.pem" "password-file = $C/password"
sink kafka-wrong "${common[@]}" "ca = $C/ca.pem" "password-file = $C/wrong"
sink kafka-untrusted "${common[@]}" "ca = $C/client.pem" "password-file = $C/password"
start
opens 50 "$WORK/target"
verdict "nats, TLS with certificates of both sides and a password" until_true 20 caught_up tls "$(log_seq)"
verdict "nats: a password that is wrong is told" until_true 10 sink_says wrong "uthoriz"
verdict "nats: a server that the CA does not vouch for is told" until_true 10 sink_says untrusted "localhost:16223: .*\(SSL\|certificate\|verify\)"
seq=$(log_seq)
verdict "kafka, TLS with certificates of both sides and SCRAM" until_true 20 caught_up kafka-tls "$seq"
verdict "kafka: a password that is wrong is told" until_true 20 sink_says kafka-wrong "uthentication"
verdict "kafka: brokers that the CA does not vouch for are told" until_true 20 sink_says kafka-untrusted "certificate"
verdict "nats, kafka: no password is in the status" eval '! ctl sinks --json | grep -q "secret" && ! grep -q "secret" "$ERR"'
NATS_TLS="$C" "$WORK/nats_tool" "nats://tamis:quite-secret@localhost:16223" dump >"$WORK/nats.tls.out"
verdict "nats, TLS: nothing is missing" eval '"$COLLECT" check $WORK/nats.tls.out'
until_true 20 at_consumer "$WORK/kafka.tls.out"
verdict "kafka, TLS: nothing is missing at a consumer" eval '"$COLLECT" check $WORK/kafka.tls.out'
for name in kafka nats; do verdict "test of $name" ctl sinks test $name; done
verdict "stops with status 0" sensor_stop
done_testing
