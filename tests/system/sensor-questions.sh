#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules that ask for the name in a question to a name server: the kernel lets through what asks for it, and drops the rest. What user
# space writes in another way than it stands in the packet goes through, and is decided there.
. "$(dirname "$0")/sensor_lib.bash"

EGRESS='network.network_direction == EGRESS'
policy "$WORK/p.tpb" \
	"whole dns.question.name == \"a.questions.test\" && $EGRESS" \
	"suffix dns.question.name =~ \"*.far.questions.test\" && $EGRESS" \
	"longest dns.question.name =~ \"x*.end\" && $EGRESS" \
	"escaped dns.question.name =~ \"*\\001.questions.test\" && $EGRESS" \
	"dotted dns.question.name == \"b\\.c.questions.test\" && $EGRESS"
must_start --policy "$WORK/p.tpb" --allow-unsigned
ctl hooks --json | grep -q '"program":"packet_egress"' || { echo "skipped: no programs at cgroups here"; exit 77; }

cat >"$WORK/ask.py" <<'PYTHON'
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(("127.0.0.79", 53))
def ask(*labels, kind=1):
    name = b"".join(bytes([len(x)]) + x for x in labels) + b"\0"
    try:
        client.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + name + b"\0" + bytes([kind]) + b"\0\1")
    except ConnectionRefusedError: # of the question before: nobody listens there
        ask(*labels, kind=kind)
test = b"questions", b"test"
for i in range(20):
    ask(b"a", *test)                        # whole
    ask(b"A", b"Questions", b"TEST")        # in any case
    ask(b"aa", *test)
    ask(b"a", b"a", *test)
    ask(b"", kind=2)                       # the root, which the kernel says nothing of
    ask(b"c", b"far", *test)                # suffix
    ask(b"cfar", *test)
    ask(*[b"x" * 63] * 3, b"y" * 57, b"end") # 253 bytes, as many as there can be
    ask(*[b"x" * 63] * 3, b"y" * 57, b"enf")
    ask(b"a.questions.test")                # one label, and another name for rules
    ask(b"b.c", *test)                      # dotted
    ask(b"b", b"c", *test)
    ask(b"b\1", *test)                      # escaped
    ask(b"b\1", b"x", *test)                # let through, and decided behind
PYTHON
verdict "all was asked" python3 "$WORK/ask.py"
verdict "all is evaluated" until_true 20 settled
# told RULE NUMBER
told() { verdict "$1: $2, and no other" until_true 3 eval "[ \"\$(logged_of $1)\" = $2 ]"; }
told whole 40
told suffix 20
told longest 20
told escaped 20
told dotted 20
stats=$(ctl stats --json)
sent=$(sent_of dns "$stats")
echo "# of $(jq .now.events.dns.seen <<<"$stats") messages the kernel lets $sent through"
verdict "the kernel lets through what a rule asks for, and what it can not read" test "$sent" = 180
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
done_testing
