#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Watched files that a package manager replaces become the baseline by themselves; what somebody else puts in their place
# meanwhile does not. Installs a package of its own below /opt, and purges it.
. "$(dirname "$0")/sensor_lib.bash"
for tool in dpkg dpkg-deb; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

NAME=tamis-fim-test-$$
T=/opt/$NAME
trap 'dpkg -P "$NAME" >/dev/null 2>&1; rm -rf "$T"; cleanup' EXIT
# package VERSION: with a program, a link to it, a file that only this version has; its postinst takes a second
package() {
	local dir=$WORK/$1
	mkdir -p "$dir/DEBIAN" "$dir$T/bin" "$dir$T/share/$1"
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: test\n' "$NAME" "$1" >"$dir/DEBIAN/control"
	printf '#!/bin/sh\nsleep 1\n' >"$dir/DEBIAN/postinst"
	chmod 755 "$dir/DEBIAN/postinst"
	printf '#!/bin/sh\necho %s\n' "$1" >"$dir$T/bin/tool-$1"
	printf '#!/bin/sh\necho %s\n' "$1" >"$dir$T/bin/tool"
	ln -s "tool-$1" "$dir$T/bin/link"
	chmod 755 "$dir$T/bin/"tool*
	echo "$1" >"$dir$T/share/$1/only"
	(cd "$dir" && find opt -type f -print0 | xargs -0 md5sum >DEBIAN/md5sums)
	dpkg-deb --root-owner-group -b "$dir" "$WORK/$1.deb" >/dev/null || exit 1
}
for v in 1 2 3; do package $v; done
install_it() { dpkg -i "$WORK/$1.deb" >"$WORK/dpkg.log" 2>&1 || { cat "$WORK/dpkg.log"; exit 1; }; }
install_it 1
# what the sensor itself may not see, of a directory that stays and changes with what is in it
python3 -c "import os; os.setxattr('$T/bin', 'trusted.test', b'1')"

mkdir -m 711 "$STATE"
printf '%s\n' "watches:" "  - {id: opt, paths: ['$T'], attributes: [standard, mtime], severity: high, debounce: 50ms}" >"$WORK/p.yaml"
"$BIN/tamisc" build -o "$WORK/p.tpb" "$WORK/p.yaml" >"$WORK/tamisc.log" 2>&1 || { cat "$WORK/tamisc.log"; exit 1; }
fim() { "$BIN/tamisctl" --state "$STATE" fim "$@"; }
fim init --quiet --policy "$WORK/p.tpb" --allow-unsigned || exit 1
# alert PATTERN...: a line on integrity that has them all
alert() {
	local lines pattern
	lines=$(grep -a '"type":"integrity"' "$OUT")
	for pattern; do lines=$(grep -a -- "$pattern" <<<"$lines"); done
	[ -n "$lines" ]
}
must_start --policy "$WORK/p.tpb" --allow-unsigned

# by apt, if this machine's state lets it
by_apt() { DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=60 install "$WORK/$1.deb" >"$WORK/apt.log" 2>&1; }
by_apt 2 || { echo "# apt-get does not install here: $(tail -n 1 "$WORK/apt.log")"; install_it 2; }
accepted='"accepted":"a package manager put it there'
verdict "a program that dpkg replaced is accepted" until_true 15 alert "$accepted" "\"path\":\"$T/bin/tool\"" '"verdict":"matches"' '"severity":"low"' '"name":"'"$NAME"'"'
verdict "what it brought" until_true 5 alert "$accepted" "\"path\":\"$T/share/2/only\"" '"kind":"added"'
verdict "what it took away" until_true 5 alert "$accepted" "\"path\":\"$T/share/1/only\"" '"kind":"removed"'
verdict "a link" until_true 5 alert "$accepted" "\"path\":\"$T/bin/link\"" '"target"'
verdict "directories" until_true 5 alert "$accepted" "\"path\":\"$T/share/2\"" '"kind":"added"'
verdict "nothing else is told" test "$(grep -a '"type":"integrity"' "$OUT" | grep -vac "$accepted")" = 0
verdict "a directory whose time changed" until_true 5 alert "$accepted" "\"path\":\"$T/bin\"" '"changed":\["mtime"\]'
verdict "the baseline has it, signed, and what the sensor may not see" fim check --no-packages --quiet
verdict "the status counts them" until_true 5 eval "ctl status --json | grep -q '\"fim\":{\"accepted\":[1-9]'"

# Another process puts a program of its own in place while dpkg is at it (it waits for the postinst).
dpkg -i "$WORK/3.deb" >"$WORK/dpkg.log" 2>&1 &
until_true 10 cmp -s "$WORK/3$T/bin/tool" "$T/bin/tool"
printf '#!/bin/sh\necho trojan\n' >"$WORK/trojan"
cp "$WORK/trojan" "$T/bin/tool"
wait $!
verdict "a trojan that somebody else put there meanwhile is an alert, graver than others" until_true 10 \
	alert "\"path\":\"$T/bin/tool\"" '"severity":"critical"' '"verdict":"differs"' '"comm":"cp"'
verdict "and is not accepted" test "$(grep -a "\"path\":\"$T/bin/tool\"" "$OUT" | grep -ac "$accepted")" = 1
verdict "the rest is" until_true 15 alert "$accepted" "\"path\":\"$T/share/3/only\""
sees_trojan() {
	fim check --no-packages --json >"$WORK/check.json" 2>"$WORK/check.err"
	grep "\"path\":\"$T/bin/tool\"" "$WORK/check.json" >/dev/null || { cat "$WORK/check.json" "$WORK/check.err"; false; }
}
verdict "a check still sees the trojan" sees_trojan
verdict "stops" sensor_stop
verdict "the log verifies" log_verifies
done_testing
