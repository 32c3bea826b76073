# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # QEMU is of who sources this
# What everything that boots the kernels of the matrix shares.

die() { echo "kernel-matrix: $*" >&2; exit 2; }

# a program and the libraries that it needs, at the paths where it looks for them
add_program() {
	local root=$1 lib
	install -D "$2" "$root/matrix/bin/${2##*/}"
	for lib in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$root$lib" ] || install -D "$lib" "$root$lib"
	done
}

# initramfs_base ROOT: busybox, and the users
initramfs_base() {
	local root=$1 p busybox
	busybox=$(command -v busybox) || die "busybox is missing; apt-get install busybox-static"
	! ldd "$busybox" >/dev/null 2>&1 || die "busybox is not static; apt-get install busybox-static"
	chmod 755 "$root" # it becomes /, which others than root have to pass, too
	mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp,matrix/bin}
	install "$busybox" "$root/bin/busybox"
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
	if [ -w /dev/kvm ] && timeout 10 "${QEMU[@]}" -accel kvm -kernel "build/kernels/$1/vmlinuz" -append panic=-1 \
		</dev/null >/dev/null 2>&1; then
		echo kvm
	else
		echo tcg
	fi
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
