#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Packages of files on a host of rpm: the sensor runs where /var/lib/rpm has a database that rpm has made, and dpkg's is empty. What
# it asks about happens outside, on mounts of process 1.
. "$(dirname "$0")/sensor_lib.bash"
[ -d /var/lib/dpkg ] || { echo "skipped: no directory to put an empty one over"; exit 77; }
for tool in rpm rpmbuild unshare; do
	command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

T=$WORK/opt
mkdir -p "$WORK/w" "$WORK/db/rpm" "$WORK/db/dpkg" "$WORK/root"
touch "$WORK/w/a"
# package VERSION: with a program of its own
package() {
	mkdir -p "$T"
	cat >"$WORK/s.spec" <<-EOF
		Name: tamis-test
		Epoch: 2
		Version: $1
		Release: 4.el9
		Summary: x
		License: x
		BuildArch: noarch
		%description
		x
		%install
		mkdir -p %{buildroot}$T
		cp $(type -P cat) %{buildroot}$T/tool
		%files
		$T/tool
	EOF
	rpmbuild -bb --quiet --define "_topdir $WORK/b" --define '_build_id_links none' --define '__os_install_post %{nil}' \
		--define '_binaries_in_noarch_packages_terminate_build 0' "$WORK/s.spec" >"$WORK/rpm.log" 2>&1
}
# rpm_do OPTION...: with the database of its own, and files below $WORK/root
rpm_do() { rpm --root "$WORK/root" --dbpath /var/lib/rpm --define '_db_backend sqlite' "$@" >>"$WORK/rpm.log" 2>&1; }
for v in 1.0 1.1; do package $v || { tail -n 3 "$WORK/rpm.log"; echo "skipped: rpmbuild does not work here"; exit 77; }; done
{ rpm_do --initdb && rpm_do --nodeps --noscripts -i "$WORK"/b/RPMS/noarch/tamis-test-1.0*.rpm; } ||
	{ tail -n 3 "$WORK/rpm.log"; echo "skipped: rpm does not work here"; exit 77; }
cp "$WORK/root$T/tool" "$T/tool"

sensor_start() {
	: >"$ERR"
	# shellcheck disable=SC2016
	unshare -m --propagation private sh -c 'mount --bind "$0/root/var/lib/rpm" /var/lib/rpm && mount --bind "$0/db/dpkg" /var/lib/dpkg && exec "$@"' \
		"$WORK" "$BIN/tamisd" --foreground --state "$STATE" --alerts "$OUT" "$@" 2>"$ERR" &
	# shellcheck disable=SC2034
	SENSOR=$!
	until_true 30 is_ready_or_dead
	is_ready
}

AT="open.file.path == \"$WORK/w/a\""
policy "$WORK/p.tpb" \
	"one $AT && process.file.package.name == \"tamis-test\" && process.file.package.version == \"1.0\" && process.file.package.release == \"4.el9\"" \
	"two $AT && process.file.package.name == \"tamis-test\" && process.file.package.version == \"1.1\"" \
	"source $AT && process.file.package.epoch == 2 && process.file.package.source_version == \"1.1\"" \
	"none $AT && process.file.package.name == \"\""
made_dir=
[ -d /var/lib/rpm ] || { mkdir /var/lib/rpm && made_dir=1; }
trap '[ -z "$made_dir" ] || rmdir /var/lib/rpm; cleanup' EXIT
must_start --policy "$WORK/p.tpb" --allow-unsigned

hash_up() { [ -n "$(pid_of hash)" ] && [ "$(state_of hash)" = up ]; }
# what takes longer than the bound is given up: asked again until it is known
run_until() {
	"$T/tool" "$WORK/w/a"
	until_true 1 test "$(alerts_of "$1")" -ge 1
}

verdict "the process that reads files is there" until_true 10 hash_up
pid=$(pid_of hash)
verdict "a program of an rpm, by name, version and release" until_true 10 run_until one
verdict "the alert shows the package" has one '"package":{"epoch":2,"name":"tamis-test","release":"4.el9","source_epoch":2,"source_release":"4.el9","source_version":"1.0","version":"1.0"}'
cat "$WORK/w/a"
verdict "one of none" until_true 5 is_count none 1
rpm_do --nodeps --noscripts -U "$WORK"/b/RPMS/noarch/tamis-test-1.1*.rpm
verdict "rpm has upgraded it" test -n "$(rpm --root "$WORK/root" --dbpath /var/lib/rpm -qa 2>/dev/null | grep 1.1)"
verdict "and that is known" until_true 10 run_until two
verdict "with its source" until_true 5 test "$(alerts_of source)" -ge 1
verdict "it was one process all the time: nothing it did was forbidden" test "$(pid_of hash)" = "$pid"
verdict "stops with status 0" sensor_stop
verdict "the log verifies" log_verifies
done_testing
