#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rules that ask for a string of the record: the type of a file's filesystem, the target of a link, a name. The kernel lets through what
# has it, and drops what has another one.
# Alone: it counts what the kernel lets through, and of names that are longer than the kernel looks at that is everybody's.
. "$(dirname "$0")/sensor_lib.bash"

policy "$WORK/p.tpb" \
	"in_proc open.file.filesystem == \"proc\" && open.file.name == \"tamis-version\"" \
	"version open.file.filesystem == \"proc\" && open.file.name == \"version\"" \
	"elsewhere chmod.file.filesystem not in [\"proc\", \"sysfs\"] && chmod.file.name == \"tamis-x\"" \
	"fuse chmod.file.filesystem =~ \"fuse*\"" \
	"linked symlink.target in [\"/etc/tamis\", \"/etc/tamis-too\"]" \
	"far symlink.target =~ \"*/end\"" \
	"named prctl.new_name == \"tamis-name\"" \
	"made memfd_create.name =~ \"texts-*\"" \
	"attribute setxattr.file.destination.name == \"user.tamis\""
must_start --policy "$WORK/p.tpb" --allow-unsigned

cat >"$WORK/act.py" <<'PYTHON'
import ctypes, os, sys
work = sys.argv[1]
libc = ctypes.CDLL(None)
os.mkdir(work + "/d")
for i in range(20):
    open("/proc/version").close()
    open(work + "/d/version", "w").close()
    open(work + "/d/tamis-version", "w").close()
    open(work + "/d/tamis-x", "w").close()
    with open(work + "/d/tamis-x") as f:
        os.fchmod(f.fileno(), 0o600 + i % 8)
    with open(work + "/d/version") as f:
        os.fchmod(f.fileno(), 0o600 + i % 8)
    # one byte more, one less, another one; a text that is longer than the kernel looks at is told in any case
    for target in "/etc/tamis", "/etc/tamis-too", "/etc/tamis-", "/etc/tami", "/etc/tamiz", "/a" * 20 + "/end":
        os.symlink(target, work + "/d/link")
        os.unlink(work + "/d/link")
    for name in b"tamis-name", b"tamis-nam", b"tamis-named":
        libc.prctl(15, name)
    for name in "texts-", "texts-x", "texts", "xtexts-":
        os.close(os.memfd_create(name))
    for name in "user.tamis", "user.tami", "user.tamiss":
        os.setxattr(work + "/d/version", name, b"1")
PYTHON
verdict "all was done" python3 "$WORK/act.py" "$WORK"

verdict "all is evaluated" until_true 20 settled
# told RULE NUMBER
told() { verdict "$1: $2, and no other" until_true 3 eval "[ \"\$(logged_of $1)\" = $2 ]"; }
told version 20
told in_proc 0
told elsewhere 20
told fuse 0
told linked 40
told far 20
told named 20
told made 40
told attribute 20
# dropped EVENT NUMBER: so many were let through, all that a rule is about
dropped() {
	local sent
	sent=$(sent_of "$1" "$stats")
	echo "# the kernel lets $sent of $1 through"
	verdict "of $1 the kernel lets $2 through" test "$sent" = "$2"
}
stats=$(ctl stats --json)
dropped open 20
dropped chmod 20
dropped symlink 60
dropped prctl 20
dropped memfd_create 40
dropped setxattr 20
verdict "nothing was lost" test "$(field events lost)" = 0
verdict "stops with status 0" sensor_stop
done_testing
