/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody else's eBPF programs: at the loopback device of a network of its own by TC (both ways), and at the root of the
 * cgroups in the mode for several. They count packets and let them pass. Does what its standard input says, a line each, and answers with a
 * line; at its end it takes away what is its own.
 *
 *	traffic		a question and an answer by UDP over its loopback device: "ok"
 *	counts		packets that were counted: "TC-IN TC-OUT CGROUP"
 *	there		are all of its programs still attached where they were? "yes", or what is missing
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { IN, OUT, CGROUP, PLACES };
#define LOOPBACK 1
#define PRIO	 77

static struct place {
	int map, prog;
	uint32_t id;
	struct bpf_tc_opts tc;
} at[PLACES];
static int cgroup = -1;

static void die(const char *what)
{
	fprintf(stderr, "foreign: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Counts in map[0] and returns @verdict. */
static void load(struct place *p, enum bpf_prog_type type, enum bpf_attach_type attach, int verdict)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	p->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 8, 1, NULL);
	if (p->map < 0)
		die("map");
	struct bpf_insn insns[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0 },
		/* NOLINTNEXTLINE(misc-redundant-expression): two parts are 0 */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = p->map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		/* NOLINTNEXTLINE(misc-redundant-expression) */
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	p->prog = bpf_prog_load(type, "foreign", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &opts);
	if (p->prog < 0 || bpf_obj_get_info_by_fd(p->prog, &info, &len))
		die("program");
	p->id = info.id;
}

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWNET) < 0 || ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &r) < 0)
		die("network");
}

static void hook_of(struct bpf_tc_hook *h, int place)
{
	memset(h, 0, sizeof(*h));
	h->sz = sizeof(*h);
	h->ifindex = LOOPBACK;
	h->attach_point = place == IN ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

static void attach_tc(void)
{
	for (int i = IN; i <= OUT; i++) {
		struct bpf_tc_hook h;
		int r;

		hook_of(&h, i);
		r = bpf_tc_hook_create(&h);
		if (r < 0 && r != -EEXIST)
			die("clsact");
		load(&at[i], BPF_PROG_TYPE_SCHED_CLS, 0, 0 /* TC_ACT_OK */);
		at[i].tc = (struct bpf_tc_opts){
			.sz = sizeof(at[i].tc), .prog_fd = at[i].prog, .handle = 1, .priority = PRIO
		};
		if (bpf_tc_attach(&h, &at[i].tc) < 0)
			die("tc");
	}
}

static void attach_cgroup(void)
{
	int fs = fsopen("cgroup2", 0), mount;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		die("cgroup2");
	mount = fsmount(fs, 0, 0);
	cgroup = openat(mount, ".", O_RDONLY | O_DIRECTORY);
	load(&at[CGROUP], BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1);
	if (bpf_prog_attach(at[CGROUP].prog, cgroup, BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI) < 0)
		die("cgroup");
}

/* ---- what it is asked ------------------------------------------------------------------------------------------------ */

static void traffic(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = { htonl(INADDR_LOOPBACK) } },
			   peer;
	static const char question[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3foo\7example\0\0\1\0\1";
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval wait = { .tv_sec = 5 };
	socklen_t n = sizeof(peer);
	char b[512];
	bool ok;

	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	ok = bind(server, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	     connect(client, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	     send(client, question, sizeof(question) - 1, 0) > 0 &&
	     recvfrom(server, b, sizeof(b), 0, (struct sockaddr *)&peer, &n) == sizeof(question) - 1;
	b[2] |= (char)0x80;
	ok = ok && sendto(server, b, sizeof(question) - 1, 0, (struct sockaddr *)&peer, n) > 0 &&
	     recv(client, b, sizeof(b), 0) == sizeof(question) - 1;
	puts(ok ? "ok" : strerror(errno));
	close(server);
	close(client);
}

static void counts(void)
{
	for (int i = 0; i < PLACES; i++) {
		uint32_t zero = 0;
		uint64_t n = 0;

		bpf_map_lookup_elem(at[i].map, &zero, &n);
		printf("%llu%c", (unsigned long long)n, i + 1 < PLACES ? ' ' : '\n');
	}
}

static bool tc_there(int i)
{
	struct bpf_tc_opts q = { .sz = sizeof(q), .handle = 1, .priority = PRIO };
	struct bpf_tc_hook h;

	hook_of(&h, i);
	return bpf_tc_query(&h, &q) == 0 && q.prog_id == at[i].id;
}

static bool cgroup_there(void)
{
	uint32_t ids[64], n = 64, flags;

	if (bpf_prog_query(cgroup, BPF_CGROUP_INET_EGRESS, 0, &flags, ids, &n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (ids[i] == at[CGROUP].id)
			return true;
	return false;
}

int main(void)
{
	char line[64];

	libbpf_set_print(NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	loopback_up();
	attach_tc();
	attach_cgroup();
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "traffic\n"))
			traffic();
		else if (!strcmp(line, "counts\n"))
			counts();
		else
			puts(!tc_there(IN)     ? "no program at the way in"
			     : !tc_there(OUT)  ? "no program at the way out"
			     : !cgroup_there() ? "no program at the cgroups"
					       : "yes");
	}
	/* the device and its filters go with the network */
	return bpf_prog_detach2(at[CGROUP].prog, cgroup, BPF_CGROUP_INET_EGRESS) ? 1 : 0;
}
