#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tamisctl fim as people use it: some forty kinds of change, each with the verdict that is expected and, where aide is
# installed, with aide's; hostile names in every output; a full disk; kill -9; the report in a browser, where there is one.
# Root for what needs it (owners, capabilities, chattr, devices, mounts).
set -euo pipefail
cd "$(dirname "$0")/../.."
BIN=$PWD/${TAMIS_BUILD:-build}/bin
passed=0 failed=0 skipped=0

skip() { echo "skip: $*"; echo "0 passed, 0 failed, 1 skipped"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
if [ "${1:-}" != --inside ]; then
	unshare --mount true 2>/dev/null || skip "no mount namespace to be had here"
	# whatever happens below, no mount is left
	exec unshare --mount --propagation private "$0" --inside
fi

# chattr wants a file system that has flags: where the build is, not a tmpfs
WORK=$(mktemp -d "$PWD/build/fim.XXXXXX")
T=$WORK/tree
trap 'chattr -R -i -a "$T" 2>/dev/null || true; umount -l "$WORK"/small "$T/mnt" 2>/dev/null || true; rm -rf "$WORK"' EXIT

good() { passed=$((passed + 1)); echo "good: $*"; }
bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
left_out() { skipped=$((skipped + 1)); echo "skip: $*"; }
# check WHAT COMMAND...
check() {
	local what=$1
	shift
	if "$@" >"$WORK/out" 2>&1; then good "$what"; else bad "$what"; sed 's/^/    /' "$WORK/out" | tail -n 15; fi
}
fim() { "$BIN/tamisctl" --state "$WORK/state" fim "$@"; }
# ends_with STATUS COMMAND...
ends_with() {
	local want=$1 status=0
	shift
	"$@" >"$WORK/said" 2>&1 || status=$?
	[ $status = "$want" ] || { echo "exit status $status, not $want: $*"; cat "$WORK/said"; return 1; }
}
# says WORDS COMMAND...: exit status 2, and the words
complains() {
	local words=$1
	shift
	ends_with 2 "$@" && grep -qF -- "$words" "$WORK/said" || { cat "$WORK/said"; return 1; }
}
init() { fim init --force --quiet --policy "$WORK/policy.tpb" --allow-unsigned; }

printf '%s\n' "watches:" \
	"  - {id: tree, paths: ['$T'], exclude: ['$T/excluded', '$T/**/*.swp'], attributes: [all], diff: true, severity: high}" \
	>"$WORK/policy.yaml"
"$BIN/tamisc" build -o "$WORK/policy.tpb" "$WORK/policy.yaml" 2>"$WORK/out"

# ---- kinds of change ---------------------------------------------------------------------------------------------------

# name|before (in $T/NAME.d, with the file f there)|change|what of f changes ("added", "removed", "-" for nothing)
kinds() {
	cat <<'END'
content|:|echo other >f|size mtime ctime content
same_size|:|echo TEXT >f|mtime ctime content
back_dated|:|cp -p f g; echo TEXT >f; touch -r g f; rm g|ctime content
append|:|echo more >>f|size mtime ctime content
truncate|:|: >f|size mtime ctime content
replaced|:|cp -p f g; mv g f|ctime inode
touched|:|touch -d 2001-01-01 f|mtime ctime
setuid|:|chmod 4755 f|permissions ctime
world|:|chmod 666 f|permissions ctime
sticky|rm f; mkdir f|chmod 1777 f|permissions ctime
owner|:|chown 12345 f|owner ctime
group|:|chgrp 12345 f|group ctime
linked|:|ln f ../outside|ctime links
xattr|:|setfattr -n user.note -v x f|ctime xattrs
xattr_value|setfattr -n user.note -v x f|setfattr -n user.note -v y f|ctime xattrs
xattr_gone|setfattr -n user.note -v x f|setfattr -x user.note f|ctime xattrs
acl|:|setfacl -m u:12345:rwx f|permissions ctime acl
acl_default|rm f; mkdir f|setfacl -d -m u:12345:rwx f|ctime acl
capability|:|setcap cap_net_raw+ep f|ctime capabilities
capability_gone|setcap cap_net_raw+ep f|setcap -r f|ctime capabilities
immutable|:|chattr +i f|ctime chattr
append_only|:|chattr +a f|ctime chattr
target|rm f; ln -s one f|ln -s two g; mv g f|mtime ctime inode target
file_to_link|:|rm f; ln -s /etc/passwd f|type
file_to_dir|:|rm f; mkdir f|type
dir_to_file|rm f; mkdir f|rmdir f; echo text >f|type
file_to_fifo|:|rm f; mkfifo f|type
fifo_mode|rm f; mkfifo f|chmod 600 f|permissions ctime
device|rm f; mknod f c 1 3|mknod g c 1 5; mv g f|mtime ctime inode target
removed|:|rm f|removed
removed_dir|rm f; mkdir f|rmdir f|removed
added|rm f|echo text >f|added
added_dir|rm f|mkdir f|added
added_link|rm f|ln -s /etc/passwd f|added
added_fifo|rm f|mkfifo f|added
renamed|:|mv f g|removed
hard_link_write|ln f ../behind|echo other >../behind|size mtime ctime content
sparse|:|truncate -s 1M f|size mtime ctime content
nothing|:|cat f >/dev/null|-
moved_there_and_back|:|mv f g; mv g f|ctime
swapped|:|sed -i s/x/x/ f|mtime ctime inode
END
}

each_kind() { # before|change
	local name before change want
	while IFS='|' read -r name before change want; do
		(cd "$T/$name.d" && eval "$([ "$1" = before ] && echo "$before" || echo "$change")")
	done < <(kinds)
}

# Times of changes within one tick of the kernel's clock are the same.
make_tree() {
	local name
	rm -rf "$T"
	mkdir -p "$T/excluded"
	while IFS='|' read -r name _; do
		mkdir "$T/$name.d"
		echo text >"$T/$name.d/f"
	done < <(kinds)
	each_kind before
	touch -h -d 2020-01-01 "$T"/*.d/f
	# replaced files keep their times, so that only what is named differs
	sleep 0.05
}

verdicts() { # what fim says of each f: "NAME WHAT"
	{ fim check --json || true; } | jq -r 'select(.kind | IN("added", "removed", "changed")) | select(.path | endswith(".d/f")) |
		(.path | split("/")[-2] | rtrimstr(".d")) + " " + (if .kind == "changed" then .changed | join(" ") else .kind end)' |
		sort
}

expected() { kinds | awk -F'|' '$4 != "-" { print $1, $4 }' | sort; }

aide_conf() {
	printf 'database_in=file:%s\ndatabase_out=file:%s\ngzip_dbout=no\nreport_level=list_entries\n%s\n!%s\n' \
		"$WORK/aide.db" "$WORK/aide.db.new" "$T p+ftype+i+n+u+g+s+m+c+sha256+acl+xattrs+caps+e2fsattrs+l" \
		"$T/excluded" >"$WORK/aide.conf"
}

# paths that aide names, with how: "added PATH", "removed PATH", "changed PATH"
aide_verdicts() {
	{ aide --config="$WORK/aide.conf" --check 2>&1 || true; } | awk -v tree="$T" '
		/^Added entries:/ { how = "added" } /^Removed entries:/ { how = "removed" } /^Changed entries:/ { how = "changed" }
		/^Detailed information/ { how = "" }
		how && (i = index($0, ": " tree)) { print how, substr($0, i + 2) } # digests may begin with a "/", too' | sort
}

fim_verdicts() { { fim check --json || true; } | jq -r 'select(.kind | IN("added", "removed", "changed")) | .kind + " " + .path' | sort; }

make_tree
check "init" init
check "nothing changed: exit 0" ends_with 0 fim check
HAVE_AIDE=
if command -v aide >/dev/null; then
	HAVE_AIDE=1
	aide_conf
	aide --config="$WORK/aide.conf" --init >"$WORK/out" 2>&1 && mv "$WORK/aide.db.new" "$WORK/aide.db"
fi
sleep 1.1 # aide keeps times in seconds
each_kind after
verdicts >"$WORK/verdicts"
expected >"$WORK/expected"
check "$(kinds | wc -l) kinds of change, each with what changed" diff "$WORK/expected" "$WORK/verdicts"
check "something changed: exit 1" ends_with 1 fim check
if [ -n "$HAVE_AIDE" ]; then
	aide_verdicts >"$WORK/aide.verdicts"
	fim_verdicts >"$WORK/fim.verdicts"
	check "aide and fim name the same $(wc -l <"$WORK/fim.verdicts") files" diff "$WORK/aide.verdicts" "$WORK/fim.verdicts"
else
	left_out "aide is not installed: its verdicts are not compared"
fi
chattr -R -i -a "$T" 2>"$WORK/out" || true
check "accept, then nothing has changed" bash -c "$(declare -f fim ends_with); BIN='$BIN' WORK='$WORK';
	fim check -q >/dev/null || true; fim accept --all -q && ends_with 0 fim check"

# ---- holes that other tools have ----------------------------------------------------------------------------------------

mkdir "$T/mnt"
check "a baseline of it" init
mount --bind "$T/content.d" "$T/mnt"
echo "through a bind mount" >"$T/mnt/f"
umount "$T/mnt"
cat >"$WORK/store.py" <<-'END'
	import mmap, os, sys
	f = os.open(sys.argv[1], os.O_RDWR)
	m = mmap.mmap(f, 0)
	os.close(f)
	m[0:4] = b"MMAP"
	m.flush()
END
if command -v python3 >/dev/null; then
	python3 "$WORK/store.py" "$T/same_size.d/f"
	check "a store through mmap after close is seen" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
		fim check --json | grep -q 'same_size.d/f'"
else
	left_out "python3 is not installed: no store through mmap is tried"
fi
check "a write through a bind mount is seen" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	fim check --json | grep -q 'content.d/f'"
# the same file system only, where a watch says so
printf 'watches:\n  - {id: one, paths: [%s], one_filesystem: true}\n' "$T" >"$WORK/one.yaml"
"$BIN/tamisc" build -o "$WORK/one.tpb" "$WORK/one.yaml" 2>"$WORK/out"
mount -t tmpfs tmpfs "$T/mnt"
touch "$T/mnt/inside"
check "one_filesystem: a baseline" "$BIN/tamisctl" --state "$WORK/one" fim init -q --policy "$WORK/one.tpb" --allow-unsigned
check "does not have what is mounted" bash -c "! '$BIN/tamisctl' --state '$WORK/one' fim list | grep -q mnt/inside &&
	'$BIN/tamisctl' --state '$WORK/one' fim list | grep -q '$T/mnt\$'"
umount "$T/mnt"
# what a directory swapped for a link would lead to is not looked at
mv "$T/content.d" "$T/content.was"
ln -s /etc "$T/content.d"
check "a directory that became a link is not followed" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	! fim check --json | grep -q 'content.d/passwd'"

# ---- hostile names ------------------------------------------------------------------------------------------------------

make_tree
check "a baseline again" init
LONG=$(head -c 255 /dev/zero | tr '\0' n)
names_in_tree() { (cd "$T" && find . -maxdepth 1 -type f -printf '%f\0' | LC_ALL=C sort -z); }
names_in_tree >"$WORK/before"
cd "$T"
touch -- $'new\nline' $'\e[31mred' $'\xff\xfe' "$LONG" -rf '<script>alert(1)' '"quoted" & more' $'a\tb' '\x0a' \
	$'\u202etxt.exe' 'a,b;c' 'a|b=c]d' '=1+1' '@SUM(A1)' "it's" '%s%n'
cd "$OLDPWD"
check "sixteen of them are found" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	[ \$(fim check --json | jq -c 'select(.kind == \"added\")' | wc -l) = 16 ]"
# bytes that are not UTF-8, and a backslash that could be taken for one of ours, are written as \\xHH
cat >"$WORK/paths.py" <<-'END'
	import json, os, re, sys
	byte = re.compile(rb"\\x([0-9a-f]{2})")
	for line in sys.stdin:
	    path = byte.sub(lambda m: bytes([int(m[1], 16)]), json.loads(line)["path"].encode())
	    sys.stdout.buffer.write(os.path.basename(path) + b"\0")
END
paths() { /usr/bin/python3 "$WORK/paths.py" | LC_ALL=C sort -z >"$WORK/paths"; }
names_in_tree | LC_ALL=C comm -z -13 "$WORK/before" - >"$WORK/there"
for c in check diff; do
	{ fim $c --json 2>"$WORK/out" || true; } | jq -c 'select(.kind == "added")' | paths
	check "$c --json names them so that they can be found" cmp "$WORK/paths" "$WORK/there"
done
check "text for people: one line each, nothing that moves a cursor" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	fim check >\$WORK/text 2>/dev/null || true
	[ \$(grep -c ' added ' \$WORK/text) = 16 ] && ! LC_ALL=C grep -qP '[\\x00-\\x09\\x0b-\\x1f\\x7f]' \$WORK/text &&
		grep -qF 'new\\x0aline' \$WORK/text"
check "diff and list, too" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	fim diff >\$WORK/text || true; fim accept -q --all; fim list >>\$WORK/text
	! LC_ALL=C grep -qP '[\\x00-\\x08\\x0b-\\x1f\\x7f]' \$WORK/text"
check "a file named -rf is accepted by its name" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK' T='$T'
	echo x >\$T/-rf; fim check -q >/dev/null; fim accept -q \$T/-rf && fim check -q | grep -vq -- -rf || true"

# ---- what is not there, and comes ---------------------------------------------------------------------------------------

printf 'watches:\n  - {id: later, paths: [%s/later/dir]}\n' "$WORK" >"$WORK/later.yaml"
"$BIN/tamisc" build -o "$WORK/later.tpb" "$WORK/later.yaml" 2>"$WORK/out"
check "a path that is not there yet" fim init --force --quiet --policy "$WORK/later.tpb" --allow-unsigned
check "is nothing" ends_with 0 fim check
mkdir -p "$WORK/later/dir"
echo text >"$WORK/later/dir/f"
check "and is added once it is there" bash -c "$(declare -f fim); BIN='$BIN' WORK='$WORK'
	[ \$(fim check --json | jq -c 'select(.kind == \"added\")' | wc -l) = 2 ]"

# ---- things that go wrong -----------------------------------------------------------------------------------------------

check "no baseline" complains "tamisctl fim init" "$BIN/tamisctl" --state "$WORK/none" fim check
check "init without a policy" complains "--policy" fim init
check "a policy that nobody vouches for" complains "--trust" fim init --policy "$WORK/policy.tpb"
check "an unsigned policy" bash -c "$(declare -f fim ends_with complains); BIN='$BIN' WORK='$WORK'
	'$BIN/tamisc' keygen -o '$WORK/k.pem' 2>/dev/null
	complains 'not signed' fim init --force --policy '$WORK/policy.tpb' --trust '$WORK/k.pub.pem'"
check "a second init" complains "init --force" fim init --policy "$WORK/policy.tpb" --allow-unsigned
init
check "an option that is none" ends_with 2 fim check --nonsense
check "a rate that is none" complains "--rate" fim check --rate x
check "a damaged database" bash -c "$(declare -f fim ends_with complains); BIN='$BIN' WORK='$WORK'
	cp -r '$WORK/state' '$WORK/state2'; WORK2='$WORK/state2'
	dd if=/dev/urandom of=\$WORK2/baseline.db bs=4096 seek=1 count=3 conv=notrunc status=none
	complains damaged '$BIN/tamisctl' --state \$WORK2 fim check"
check "an edited one: exit 2, and which row" bash -c "$(declare -f fim ends_with complains); BIN='$BIN' WORK='$WORK'
	rm -rf '$WORK/state2'; cp -r '$WORK/state' '$WORK/state2'
	sqlite3 '$WORK/state2/baseline.db' \"UPDATE file SET fact = (SELECT fact FROM file ORDER BY path DESC LIMIT 1)
		WHERE CAST(path AS TEXT) LIKE '%/content.d/f'\"
	complains 'content.d/f was edited' '$BIN/tamisctl' --state '$WORK/state2' fim check"
check "the head is signed as openssl checks it" bash -c "
	sqlite3 '$WORK/state/baseline.db' \"SELECT writefile('$WORK/head', value) FROM note WHERE name='head'\" >/dev/null
	sqlite3 '$WORK/state/baseline.db' \"SELECT writefile('$WORK/head.sig', value) FROM note WHERE name='head.sig'\" >/dev/null
	openssl dgst -sha256 -verify '$WORK/state/keys/fim.pub.pem' -signature '$WORK/head.sig' '$WORK/head'"

mkdir "$WORK/small"
mount -t tmpfs -o size=3m,mode=711 tmpfs "$WORK/small"
many() { # a tree whose baseline does not fit there
	mkdir -p "$WORK/many"
	for d in $(seq 40); do
		mkdir "$WORK/many/$d"
		(cd "$WORK/many/$d" && touch "a-long-name-that-takes-some-room-in-a-database-$d-"{1..500})
	done
	printf 'watches:\n  - {id: many, paths: [%s], attributes: [all]}\n' "$WORK/many" >"$WORK/many.yaml"
	"$BIN/tamisc" build -o "$WORK/many.tpb" "$WORK/many.yaml" 2>"$WORK/out"
}
many
check "a small baseline on a small disk" "$BIN/tamisctl" --state "$WORK/small" fim init -q --policy "$WORK/later.tpb" \
	--allow-unsigned
check "a disk that fills up in the middle of init" complains "full" "$BIN/tamisctl" --state "$WORK/small" fim init -q \
	--force --policy "$WORK/many.tpb" --allow-unsigned
check "leaves the old baseline" ends_with 0 "$BIN/tamisctl" --state "$WORK/small" fim check

# kill -9 at any time: what was committed is there, and the next one goes on or begins anew
"$BIN/tamisctl" --state "$WORK/killed" fim init -q --policy "$WORK/many.tpb" --allow-unsigned
for i in 1 2 3 4 5 6 7 8; do
	"$BIN/tamisctl" --state "$WORK/killed" fim init -q --force --policy "$WORK/many.tpb" --allow-unsigned &
	pid=$!
	sleep "0.$(printf %02d $((i * 2)))"
	kill -9 $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
	check "killed after $((i * 20)) ms: a whole baseline is there" ends_with 0 "$BIN/tamisctl" --state "$WORK/killed" fim check
done

# ---- packages -----------------------------------------------------------------------------------------------------------

R=$WORK/root
mkdir -p "$R/usr/bin" "$R/etc" "$R/var/lib/dpkg/info"
ln -s usr/bin "$R/bin"
echo program >"$R/usr/bin/program"
echo other >"$R/usr/bin/other"
echo conf >"$R/etc/conf"
(cd "$R" && md5sum usr/bin/program usr/bin/other | sed 's# usr/# #; s#bin/#bin/#') >"$R/var/lib/dpkg/info/pack.md5sums"
printf 'Package: pack\nStatus: install ok installed\nConffiles:\n /etc/conf %s\n\n' "$(md5sum <"$R/etc/conf" | cut -c -32)" \
	>"$R/var/lib/dpkg/status"
check "verify-packages: as they were brought" ends_with 0 "$BIN/tamisctl" fim verify-packages --root "$R"
echo changed >>"$R/etc/conf"
check "a changed configuration file is no failure" ends_with 0 "$BIN/tamisctl" fim verify-packages --root "$R"
printf 'watches:\n  - {id: r, paths: [/usr, /etc], severity: medium}\n' >"$WORK/r.yaml"
"$BIN/tamisc" build -o "$WORK/r.tpb" "$WORK/r.yaml" 2>"$WORK/out"
rfim() { "$BIN/tamisctl" --state "$WORK/rstate" fim "$@" --root "$R"; }
echo old >"$R/usr/bin/other"
check "a baseline of another root" rfim init -q --policy "$WORK/r.tpb" --allow-unsigned
echo trojan >>"$R/usr/bin/program"
echo other >"$R/usr/bin/other"
echo own >"$R/usr/bin/own"
check "verify-packages finds the trojan" bash -c "$(declare -f rfim ends_with); BIN='$BIN' WORK='$WORK' R='$R'
	ends_with 1 rfim verify-packages && grep -q 'differs.*/usr/bin/program' '$WORK/said'"
check "check: a package explains a change, or makes it worse" bash -c "$(declare -f rfim); BIN='$BIN' WORK='$WORK' R='$R'
	rfim check --json | jq -r 'select(.kind | IN(\"added\", \"removed\", \"changed\")) | .path + \" \" + .severity + \" \" + .package.verdict' >\$WORK/v
	diff - \$WORK/v <<<'/usr/bin/other low matches
/usr/bin/own medium none
/usr/bin/program high differs'"
check "a host without packages" complains "no dpkg or rpm" "$BIN/tamisctl" fim verify-packages --root "$T"

# ---- the report ---------------------------------------------------------------------------------------------------------

init
echo '</pre><script>alert(1)</script>' >"$T/content.d/f"
touch "$T/<img src=x onerror=alert(1)>"
fim check -q >"$WORK/out" || true
check "report" fim report -q --html "$WORK/report.html"
check "it escapes what comes from the host" bash -c "! grep -qE '<img|<script>alert' '$WORK/report.html'"
check "it asks for nothing from elsewhere" bash -c "! grep -qE '<[^>]*(src|href)=|url\(|@import' '$WORK/report.html'"
browser=
for b in chromium chromium-browser google-chrome; do [ -n "$browser" ] || browser=$(command -v $b || true); done
if [ -n "$browser" ]; then
	look() { timeout 90 "$browser" --headless=new --no-sandbox --disable-gpu --user-data-dir="$WORK/browser" "$@" 2>/dev/null; }
	check "a browser shows all changes, and runs its script" bash -c "$(declare -f look); WORK='$WORK' browser='$browser'
		look --dump-dom 'file://$WORK/report.html' >\$WORK/dom
		grep -qE 'id=\"shown\">[1-9][0-9]* shown' \$WORK/dom && ! grep -q 'alert(1)</script>' \$WORK/dom &&
			[ \$(grep -c '<details' \$WORK/dom) -ge 2 ]"
	{ # somebody types into the search, and clicks on filters
		cat "$WORK/report.html"
		echo "<script>(function(){var q=document.getElementById('q'),all=document.querySelectorAll('details'),said=[];
		function n(){return [].filter.call(all,function(d){return !d.hidden}).length}
		function type(s){q.value=s;q.dispatchEvent(new Event('input'));said.push(n())}
		said.push(all.length===n());type('no such thing');type('');
		[].forEach.call(document.querySelectorAll('button[data-key^=s]'),function(b){b.click()});said.push(n());
		document.title='said '+said.join(' ')})()</script>"
	} >"$WORK/used.html"
	look --dump-dom "file://$WORK/used.html" >"$WORK/dom"
	check "search and filters work" grep -qE '<title>said true 0 [1-9][0-9]* 0</title>' "$WORK/dom"
	look --window-size=1200,1600 --screenshot="$WORK/report.png" "file://$WORK/report.html" >"$WORK/out" || true
	check "and a picture of it is no blank page" test "$(stat -c %s "$WORK/report.png" 2>/dev/null || echo 0)" -gt 30000
	look --print-to-pdf="$WORK/report.pdf" "file://$WORK/report.html" >"$WORK/out" || true
	check "it prints" test "$(stat -c %s "$WORK/report.pdf" 2>/dev/null || echo 0)" -gt 10000
else
	left_out "no chromium here: the report was not looked at in a browser"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
