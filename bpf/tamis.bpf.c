/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All programs as one object, so that they share maps and settings without pinning. Each family reads on its own; which
 * of the programs is loaded is decided at run time (sensor/load/hooks.c).
 */
#include "lib/maps.bpf.h"

#include "file.bpf.c"
#include "attr.bpf.c"
#include "write.bpf.c"
#include "control.bpf.c"
#include "memory.bpf.c"
#include "creds.bpf.c"
#include "dir.bpf.c"
#include "mount.bpf.c"
#include "lookup.bpf.c"
#include "ns.bpf.c"
#include "module.bpf.c"
#include "bpfcall.bpf.c"
#include "sysctl.bpf.c"
#include "cgroup.bpf.c"
#include "selinux.bpf.c"
#include "caps.bpf.c"
#include "net.bpf.c"
#include "packet.bpf.c"
#include "socket.bpf.c"
#include "deny.bpf.c"
#include "process.bpf.c"
#include "peek.bpf.c"
#include "tracepoint.bpf.c"
#include "uring.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
