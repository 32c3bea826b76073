# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # the tables are for who sources this
# What everything that boots the kernels of the matrix shares.

die() { echo "kernel-matrix: $*" >&2; exit 2; }

BIN=${TAMIS_BIN:-build/bin} # the programs to test, of this machine's architecture
HOST_ARCH=$(dpkg --print-architecture 2>/dev/null || echo amd64)
declare -A EMULATOR=([amd64]="qemu-system-x86_64 -cpu max" [arm64]="qemu-system-aarch64 -M virt -cpu cortex-a72")
declare -A EMULATOR_PACKAGE=([amd64]=qemu-system-x86 [arm64]=qemu-system-arm)
# Where the kernel writes what it says: a port of its own where the machine has a second one, else only what is urgent.
declare -A KERNEL_LOG=([amd64]="console=ttyS1 loglevel=7 matrix.console=ttyS0" [arm64]="console=ttyAMA0 loglevel=1 matrix.console=ttyAMA0")
MACHINE=(-m 1024 -smp 2 -nodefaults -display none -no-reboot)
# A processor that hangs is found out in two minutes, told of with the traces of all, and ends the machine.
LOCKUP="watchdog_thresh=60 softlockup_panic=1 softlockup_all_cpu_backtrace=1"
BOOTS=3 BOOT_LIMIT=150 # so many, of so many seconds: it takes some 10, and 40 where two others run beside
UNFINISHED="the machine did not reach its end"
declare -A TRIPLET=([amd64]=x86_64-linux-gnu [arm64]=aarch64-linux-gnu)

# The programs to test, what they are linked with (nothing for this machine's), and the compiler, of an architecture.
bin_of() { if [ "$1" = "$HOST_ARCH" ]; then echo "$BIN"; else echo "build/$1/bin"; fi; }
sysroot_of() { [ "$1" = "$HOST_ARCH" ] || echo "build/$1/sysroot"; }
compile() {
	local arch=$1
	shift
	if [ "$arch" = "$HOST_ARCH" ]; then
		"${CC:-gcc}" "$@"
	else
		"${TRIPLET[$arch]}-gcc" --sysroot="$(sysroot_of "$arch")" "$@"
	fi
}

# libraries PROGRAM [SYSROOT]: those of this machine or of a sysroot that it needs, at the paths where it looks for them
libraries() {
	local sysroot=${2:-} lib path
	if [ -z "$sysroot" ]; then
		ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true
		return
	fi
	readelf -l "$1" | sed -n 's/.*program interpreter: \(.*\)]/\1/p'
	for lib in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)]/\1/p'); do
		path=$(find "$sysroot/lib" "$sysroot/usr/lib" -name "$lib" -print -quit)
		[ -n "$path" ] || die "$1 needs $lib, which is not in $sysroot"
		echo "${path#"$sysroot"}"
		libraries "$path" "$sysroot"
	done
}

# add_program ROOT PROGRAM [SYSROOT]
add_program() {
	local root=$1 sysroot=${3:-} lib
	install -D "$2" "$root/matrix/bin/${2##*/}"
	for lib in $(libraries "$2" "$sysroot" | sort -u); do
		[ -e "$root$lib" ] || install -D "$sysroot$lib" "$root$lib"
	done
}

# initramfs_base ROOT [SYSROOT]: busybox, and the users
initramfs_base() {
	local root=$1 sysroot=${2:-} p busybox
	busybox=$(command -v busybox) || die "busybox is missing; apt-get install busybox-static"
	! ldd "$busybox" >/dev/null 2>&1 || die "busybox is not static; apt-get install busybox-static"
	chmod 755 "$root" # it becomes /, which others than root have to pass, too
	mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp,matrix/bin}
	install "$(if [ -n "$sysroot" ]; then echo "$sysroot/bin/busybox"; else echo "$busybox"; fi)" "$root/bin/busybox"
	for p in $(busybox --list); do
		[ "$p" = busybox ] || ln -s busybox "$root/bin/$p"
	done
	printf '%s\n' root:x:0:0:root:/:/bin/sh nobody:x:65534:65534:nobody:/:/bin/false tamis:x:990:990:tamis:/:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: nogroup:x:65534: tamis:x:990: >"$root/etc/group"
}

# initramfs_pack ROOT FILE: ROOT goes
initramfs_pack() {
	(cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null) >"$2"
	rm -rf "$1"
}

# KVM counts only where a kernel really runs: here and there /dev/kvm opens and then fails, or hangs. Without a root
# the kernel panics, which ends the machine.
accelerator() {
	# shellcheck disable=SC2086 # the emulator and its options
	if [ -w /dev/kvm ] && timeout 10 ${EMULATOR[$HOST_ARCH]} "${MACHINE[@]}" -accel kvm -kernel "build/kernels/$1/vmlinuz" -append panic=-1 \
		</dev/null >/dev/null 2>&1; then
		echo kvm
	else
		echo tcg
	fi
}

# machine KERNEL DIR INITRAMFS SECONDS [PARAMETER...]: boots it and waits for its end. DIR gets console and kernel, what the
# guest and its kernel printed; console.text, without carriage returns; and the files that it sent. ACCEL is of kernels of
# this machine's architecture. What did not come as far as its init is booted again, for nothing of ours is in it yet; and so is one
# whose emulator has raced.
machine() {
	local kernel=$1 dir=$2 initramfs=$3 seconds=$4 since why boots=0 arch accel=tcg
	shift 4
	arch=$(kernels_arch "$kernel")
	[ "$arch" != "$HOST_ARCH" ] || accel=${ACCEL:-tcg}
	until [ $((boots++)) = $BOOTS ]; do
		since=$SECONDS
		rm -rf "$dir"
		mkdir -p "$dir"
		# shellcheck disable=SC2086 # the emulator and its options
		timeout "$seconds" ${EMULATOR[$arch]} "${MACHINE[@]}" -accel "$accel" -serial "file:$dir/console" -serial "file:$dir/kernel" \
			-kernel "build/kernels/$kernel/vmlinuz" -initrd "$initramfs" \
			-append "${KERNEL_LOG[$arch]} $LOCKUP no_timer_check panic=-1 $*" </dev/null >"$dir/qemu.log" 2>&1 9>&- &
		begins "$dir" $! || kill $! 2>/dev/null || true
		wait $! || true
		if ! begun "$dir"; then
			why="did not boot"
		elif raced "$dir"; then
			why="executed what was no longer there"
		else
			break
		fi
		echo "kernel-matrix: $kernel $why ($boots of at most $BOOTS times)" >&2
	done
	tr -d '\r' <"$dir/console" >"$dir/console.text"
	unpack "$dir"
	finished "$dir" || unfinished "$dir" $((SECONDS - since)) "$seconds" >>"$dir/console.text"
}

begun() { grep -qs '^GUEST-BEGIN' "$1/console"; }

# Before 8.1 (commit deba78709ae8) QEMU's TCG may keep what it has translated of bytes that another processor was just changing. A kernel
# puts a breakpoint over code that it changes (static keys, ftrace) and takes it away again; where such a one is executed
# afterwards, it falls over a breakpoint that is nobody's. It happens to one boot of some hundred, as many stand still for good once both
# processors are there, and now and then it happens where hooks come and go.
raced() { grep -qsaE 'Oops: int3|Unrecoverable kprobe detected' "$1/kernel"; }

# begins DIR PID: whether that machine reaches its init in time
begins() {
	local until=$((SECONDS + BOOT_LIMIT))
	while [ $SECONDS -lt $until ] && kill -0 "$2" 2>/dev/null; do
		! begun "$1" || return 0
		sleep 1
	done
	begun "$1"
}

finished() { grep -q '^GUEST-EXIT 0$' "$1/console.text"; }

# unfinished DIR SECONDS OF: how far a machine came, and what its kernel said of a processor that hangs, or said last. Short, so that
# it is whole where only the end of a log is shown.
unfinished() {
	echo "COMPLAINT $UNFINISHED: over after $2 s of $3; of $1/console and $1/kernel:"
	{
		tail -n 3 "$1/console"
		grep -a -m 1 -A 30 -E 'soft lockup -|hard LOCKUP|rcu.*stall|BUG:|Oops:|Kernel panic' "$1/kernel" || tail -n 20 "$1/kernel"
	} | tr -d '\r' | sed 's/^/COMPLAINT   /'
}

# the files that the guest sent over its console
unpack() {
	awk -v dir="$1" '
		/FILE-END/ { close(out); out = "" }
		out { print > out }
		/FILE-BEGIN / { out = dir "/" $2 ".gz.b64" }' "$1/console.text"
	local f
	for f in "$1"/*.gz.b64; do
		[ -e "$f" ] || return 0
		base64 -d "$f" | gunzip >"${f%.gz.b64}" || echo "kernel-matrix: ${f%.gz.b64} did not arrive whole" >&2
		rm "$f"
	done
}
