#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The metrics of a running sensor: well-formed to a reader that is not ours, and the numbers of what was done.
. "$(dirname "$0")/sensor_lib.bash"

mkdir "$WORK/watched"
echo x >"$WORK/watched/secret"
policy "$WORK/p.tpb" "read open.file.path == \"$WORK/watched/secret\""
must_start --policy "$WORK/p.tpb" --allow-unsigned
for _ in 1 2 3 4 5; do cat "$WORK/watched/secret" >/dev/null; done

metrics() { ctl metrics >"$WORK/metrics"; }
# value NAME [LABEL VALUE]...: by the client library's parser, which is strict
value() {
	/usr/bin/python3 - "$WORK/metrics" "$@" <<-'PY'
		import sys
		from prometheus_client.parser import text_string_to_metric_families
		text, name, labels = open(sys.argv[1]).read(), sys.argv[2], dict(zip(sys.argv[3::2], sys.argv[4::2]))
		for family in text_string_to_metric_families(text):
		    for s in family.samples:
		        if s.name == name and labels.items() <= s.labels.items():
		            print(int(s.value))
	PY
}
five() { metrics && [ "$(value tamis_alerts_durable_total)" = 5 ]; }

verdict "five alerts are counted" until_true 5 five
verdict "the sensor is up" test "$(value tamis_up)" = 1
verdict "events by type and result" test "$(value tamis_events_total event open result sent)" -ge 5
verdict "nothing is lost" test "$(value tamis_events_lost_total)" = 0
verdict "each process has its memory" test "$(value tamis_process_resident_bytes process engine)" -gt 1000000
verdict "no event is blind" test -z "$(value tamis_blind)"

http() { printf '%s' "$1" | ctl metrics --http >"$WORK/answer"; }
http $'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'
verdict "a request is answered" grep -q '^HTTP/1.1 200 OK' "$WORK/answer"
length=$(tr -d '\r' <"$WORK/answer" | sed -n 's/^Content-Length: //p')
body=$(awk 'b { print } $0 == "\r" { b = 1 }' "$WORK/answer" | wc -c)
verdict "and of the length that it says" test "$length" = "$body"
http $'GET / HTTP/1.1\r\n\r\n'
verdict "another page is not there" grep -q '^HTTP/1.1 404' "$WORK/answer"
http $'\x16\x03\x01 what is this'
verdict "what is no request gets an answer, too" grep -q '^HTTP/1.1 400' "$WORK/answer"
http "$(printf 'GET /%9000s' x)"
verdict "nor does a long one do harm" grep -q '^HTTP/1.1 404' "$WORK/answer"

sensor_stop
metrics 2>/dev/null
verdict "a sensor that is gone is told, too" test "$(value tamis_up)" = 0
done_testing
