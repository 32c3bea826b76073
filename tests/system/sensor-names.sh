#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Names of addresses: a rule on connect.addr.hostname holds for an address that a name server has told under that name, and the
# policy needs no rule on dns for it. Until one has, the kernel drops connects that rules are about by such names alone.
. "$(dirname "$0")/sensor_lib.bash"

policy "$WORK/p.tpb" 'named connect.addr.hostname == "known.example.test" && connect.addr.port == 9' \
	'other connect.addr.hostname == "other.example.test"'
must_start --policy "$WORK/p.tpb" --allow-unsigned
ctl hooks --json | grep -q '"program":"packet_ingress"' || { echo "skipped: no programs at cgroups here"; exit 77; }

verdict "the status counts the rules that somebody has written" eval 'ctl status --json | grep -q "\"rules\":2,"'

# ask NAME ADDRESS [SERVER]: a name server of our own on 127.0.0.78 says that NAME is ADDRESS, to a client that asks for it
ask() {
	/usr/bin/python3 - "$1" "$2" <<-'PY'
		import socket, sys
		name, address = sys.argv[1:]
		server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		server.bind(("127.0.0.78", 53))
		client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		client.connect(("127.0.0.78", 53))
		labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
		client.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + labels + b"\0\1\0\1")
		question, back = server.recvfrom(512)
		server.sendto(b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0" + question[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address), back)
		client.recv(512)
	PY
}
call() { (exec 3<>"/dev/tcp/$1/${2:-9}") 2>/dev/null || true; }

# those of others may be among them
calls() { for _ in $(seq 200); do call 127.0.0.91; done; }
calls
verdict "a name server is asked for what no rule wants" ask unknown.example.test 127.0.0.91
calls
verdict "the kernel drops connects while no such name is known" test "$(sent_of connect)" = 0
verdict "a name server is asked" ask known.example.test 127.0.0.91
call 127.0.0.92
call 127.0.0.91
verdict "whoever goes to the address that it told is seen by the name" until_true 5 is_count named 1
verdict "the alert has its names" eval 'grep -a "\"id\":\"named\"" "$OUT" | grep -qF "\"hostname\":[\"known.example.test\",\"unknown.example.test\"]"'
verdict "another name is none" is_count other 0
verdict "the answers themselves are no alerts" eval '! grep -aq "\"type\":\"dns\"" "$OUT"'
verdict "the kernel lets connects through from then on" test "$(sent_of connect)" -ge 2

# What was learned under one policy counts under the next, whose kernel side has not seen the answer.
policy "$WORK/q.tpb" 'before connect.addr.hostname == "unknown.example.test" && connect.addr.port == 9' \
	'not_so connect.addr.hostname not in ["known.example.test"] && connect.addr.port == 10' \
	'long connect.addr.hostname.length == 2 && connect.addr.port == 11'
verdict "another policy is taken" ctl reload "$WORK/q.tpb"
call 127.0.0.91
verdict "a name that was told before it is known" until_true 5 is_count before 1
call 127.0.0.91 10
call 127.0.0.92 10
call 127.0.0.91 11
verdict "what has to have no such name has one, or has none" until_true 5 is_count not_so 1
verdict "names are counted" until_true 5 is_count long 1
verdict "stops with status 0" sensor_stop
done_testing
