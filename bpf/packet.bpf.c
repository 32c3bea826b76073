/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dns and imds: packets at the sockets of this machine, by programs at the root of the cgroups (docs/decisions: packets at
 * sockets). They return 1 always: no packet is held up or changed here.
 *
 * Whose packet it is, is known from the socket's cookie: the programs at connect and sendmsg run in the process that gives a
 * socket its destination, and note it where the destination is one of ours. A question that went out by UDP without them
 * (a raw socket, one that was connected before the sensor came) is the current task's. An answer is of the socket's owner,
 * whoever runs when it comes in. What cannot be attributed has process 0 and the socket's user.
 *
 * Here a question is a message that begins like one, to port 53; an answer one from port 53: what a name server of this
 * machine says and hears is not told a second time. A message of TCP is looked for behind its length and, where the length was
 * sent by itself, at the segment's begin. Of messages in several segments the first counts.
 */
#include "lib/path.bpf.h"

#define DNS_PORT	 53
#define DNS_HEAD	 12
#define NAME_AT		 (DNS_HEAD + 1) /* behind the length of its first label */
#define NAME_BACK	 1024
#define DNS_KEPT	 272  /* bytes of a question: its head, a name, type and class */
#define DNS_ANSWER	 1024 /* of an answer: user space looks for the addresses in it */
#define IMDS_KEPT	 1024
#define LABELS		 128
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_FRAGMENT 44
#define ETH_P_IP	 0x0800
#define ETH_P_IPV6	 0x86dd
#define EGRESS		 1 /* network.network_direction */
#define INGRESS		 2
#define IMDS_V4		 __builtin_bswap32(0xa9fea9fe) /* 169.254.169.254 */
#define PASS		 1

struct owner { /* as struct ev_head has them */
	u32 pid, tid;
	u32 uid, gid, euid, egid, fsuid, fsgid;
	u64 cap_permitted, cap_effective;
	u64 start_ns;
	u32 auid, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64); /* a socket's cookie */
	__type(value, struct owner);
} sock_owners SEC(".maps");

union ip { /* IPv4 mapped into IPv6 */
	u8 b[16];
	u32 w[4];
};

struct pkt {
	union ip src, dst;
	u32 sport, dport;
	u32 l3, l4;
	u32 payload, len; /* where the payload begins, and its bytes */
};

/* ---- whose it is ----------------------------------------------------------------------------------------------- */

INLINE void owner_current(struct owner *o)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = READ(task, cred);

	o->pid = READ(task, tgid);
	o->tid = READ(task, pid);
	o->uid = READ(cred, uid.val);
	o->gid = READ(cred, gid.val);
	o->euid = READ(cred, euid.val);
	o->egid = READ(cred, egid.val);
	o->fsuid = READ(cred, fsuid.val);
	o->fsgid = READ(cred, fsgid.val);
	bpf_probe_read_kernel(&o->cap_permitted, 8, (void *)cred + CRED_OFF(cap_permitted));
	bpf_probe_read_kernel(&o->cap_effective, 8, (void *)cred + CRED_OFF(cap_effective));
	o->start_ns = READ(task, group_leader, start_boottime);
	o->auid = task_auid(task);
}

/* 169.254.169.254, mapped, or fd00:ec2::254. In words: byte by byte the verifier would follow each on its own. */
INLINE bool is_imds(const u32 ip[4])
{
	if (!ip[0] && !ip[1] && ip[2] == __builtin_bswap32(0xffff))
		return ip[3] == IMDS_V4;
	return ip[0] == __builtin_bswap32(0xfd000ec2) && !ip[1] && !ip[2] && ip[3] == __builtin_bswap32(0x254);
}

INLINE int owner_note(struct bpf_sock_addr *ctx, const u32 ip[4])
{
	struct owner o = {};
	u64 cookie;

	if (__builtin_bswap16(ctx->user_port) != DNS_PORT && !is_imds(ip))
		return PASS;
	owner_current(&o);
	cookie = bpf_get_socket_cookie(ctx);
	bpf_map_update_elem(&sock_owners, &cookie, &o, BPF_ANY);
	return PASS;
}

INLINE int owner_note4(struct bpf_sock_addr *ctx)
{
	u32 ip[4] = { 0, 0, __builtin_bswap32(0xffff), ctx->user_ip4 };

	return owner_note(ctx, ip);
}

INLINE int owner_note6(struct bpf_sock_addr *ctx)
{
	u32 ip[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	return owner_note(ctx, ip);
}

SEC("cgroup/connect4")
int packet_connect4(struct bpf_sock_addr *ctx)
{
	return owner_note4(ctx);
}
SEC("cgroup/connect6")
int packet_connect6(struct bpf_sock_addr *ctx)
{
	return owner_note6(ctx);
}
SEC("cgroup/sendmsg4")
int packet_sendmsg4(struct bpf_sock_addr *ctx)
{
	return owner_note4(ctx);
}
SEC("cgroup/sendmsg6")
int packet_sendmsg6(struct bpf_sock_addr *ctx)
{
	return owner_note6(ctx);
}

INLINE void owner_of(struct __sk_buff *skb, const struct pkt *p, bool egress, struct owner *ret)
{
	u64 cookie = bpf_get_socket_cookie(skb);
	struct owner *o = bpf_map_lookup_elem(&sock_owners, &cookie);

	if (o) {
		*ret = *o;
	} else if (egress && p->l4 != IPPROTO_TCP) {
		owner_current(ret); /* what is no stream goes out within the call that sends it */
		bpf_map_update_elem(&sock_owners, &cookie, ret, BPF_ANY);
	} else {
		ret->uid = ret->euid = ret->fsuid = bpf_get_socket_uid(skb);
		ret->auid = EV_AUID_UNSET;
	}
}

/* ---- the packet ------------------------------------------------------------------------------------------------ */

#define PKT_PORT(P) (*(const u16 *)(P))

/*
 * What a look at the bytes that lie at hand tells of a packet: false for nearly all, since neither the port is that of name
 * servers nor the address that of an IMDS, each of the destination (@egress) or of the source. Where too few lie at hand, and of
 * headers beyond the first of IPv6, true: pkt_read() looks further.
 */
INLINE bool pkt_possible(struct __sk_buff *skb, const bool egress)
{
	const u8 *h = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, *l4;

	if (h + 20 > end)
		return true;
	if (h[0] >> 4 == 4) {
		if (h[9] != IPPROTO_UDP && h[9] != IPPROTO_TCP)
			return false;
		if (*(const u32 *)(h + (egress ? 16 : 12)) == IMDS_V4)
			return true;
		l4 = h + (h[0] & 15) * 4;
		return l4 + 4 > end || PKT_PORT(l4 + (egress ? 2 : 0)) == __builtin_bswap16(DNS_PORT);
	}
	if (h[0] >> 4 != 6)
		return false;
	if (h + 44 > end || (h[6] != IPPROTO_UDP && h[6] != IPPROTO_TCP))
		return true;
	return PKT_PORT(h + (egress ? 42 : 40)) == __builtin_bswap16(DNS_PORT) ||
	       is_imds((const u32 *)(h + (egress ? 24 : 8)));
}

INLINE bool pkt_l4(struct __sk_buff *skb, struct pkt *p, u32 at)
{
	u8 h[20];

	if (p->l4 != IPPROTO_UDP && p->l4 != IPPROTO_TCP)
		return false;
	if (bpf_skb_load_bytes(skb, at, h, 8))
		return false;
	p->sport = h[0] << 8 | h[1];
	p->dport = h[2] << 8 | h[3];
	p->payload = at + 8;
	if (p->l4 == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, h, 20))
			return false;
		p->payload = at + (h[12] >> 4) * 4;
	}
	p->len = skb->len > p->payload ? skb->len - p->payload : 0;
	return p->len;
}

INLINE bool pkt_v4(struct __sk_buff *skb, struct pkt *p, const u8 *h)
{
	p->l3 = ETH_P_IP;
	p->l4 = h[9];
	if ((h[6] & 0x1f) || h[7])
		return false; /* not the first of its fragments */
	p->src.w[2] = p->dst.w[2] = __builtin_bswap32(0xffff);
	__builtin_memcpy(&p->src.b[12], h + 12, 4);
	__builtin_memcpy(&p->dst.b[12], h + 16, 4);
	return pkt_l4(skb, p, (h[0] & 15) * 4);
}

INLINE bool pkt_v6(struct __sk_buff *skb, struct pkt *p)
{
	u32 at = 40, next;
	u8 h[40];

	if (bpf_skb_load_bytes(skb, 0, h, 40))
		return false;
	p->l3 = ETH_P_IPV6;
	__builtin_memcpy(p->src.b, h + 8, 16);
	__builtin_memcpy(p->dst.b, h + 24, 16);
	next = h[6];
	/* hop by hop, routing, destination, fragment: as many as anybody sends */
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		if (next != 0 && next != 43 && next != 60 && next != IPPROTO_FRAGMENT)
			break;
		if (bpf_skb_load_bytes(skb, at, h, 4))
			return false;
		if (next == IPPROTO_FRAGMENT && (h[2] || h[3] & 0xf8))
			return false;
		at += next == IPPROTO_FRAGMENT ? 8 : (h[1] + 1) * 8;
		next = h[0];
	}
	p->l4 = next;
	return pkt_l4(skb, p, at);
}

/* False for what is not of ours: other protocols, later fragments, segments without data. */
INLINE bool pkt_read(struct __sk_buff *skb, struct pkt *p)
{
	u8 h[20];

	if (bpf_skb_load_bytes(skb, 0, h, 20))
		return false;
	if (h[0] >> 4 == 4)
		return pkt_v4(skb, p, h);
	return h[0] >> 4 == 6 && pkt_v6(skb, p);
}

/*
 * At most @max bytes (a constant) of the payload from @skip on, to the begin of work[0]; how many, or 0 for less than two.
 * The two bounds stand apart: put into one comparison of a difference, verifiers before 6.13 learn nothing of it, and below one
 * is equal to zero, of which those before 6.8 do not.
 */
INLINE u64 pkt_load(struct slot *s, struct __sk_buff *skb, const struct pkt *p, u32 skip, const u32 max)
{
	u64 n = p->len > skip ? p->len - skip : 0;

	if (n > max)
		n = max;
	sv_hide(n);
	if (n < 2)
		return 0;
	sv_hide(n);
	if (n > max)
		return 0;
	return bpf_skb_load_bytes(skb, p->payload + skip, s->work[0], n) ? 0 : n;
}

/* ---- the record ------------------------------------------------------------------------------------------------ */

/* A number for the task: packets have no bpf_get_current_pid_tgid before 6.10. */
INLINE u64 pkt_me(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return (u64)(u32)READ(task, pid) + 1;
}

INLINE bool pkt_begin(struct hook *h, const u32 type, u64 me)
{
	if (!hook_sieve(h, type) || sv_mask_zero(&h->alive))
		return false;
	h->s = slot_try(0, me);
	if (!h->s)
		h->s = slot_try(1, me);
	if (!h->s)
		h->s = slot_try(2, me);
	if (h->s) {
		h->s->generation = h->sv->generation;
		return true;
	}
	stat_add(type, seen);
	stat_add(type, lost);
	return false;
}

INLINE void pkt_end(struct hook *h, const u32 type, u64 me, bool alive)
{
	stat_add(type, seen);
	if (alive)
		rec_send_as(h->s, me, type, true);
	else
		stat_add(type, dropped);
	slot_release_as(h->s, me);
}

/* All but what the event has for itself. False when the sender's address leaves nothing alive. */
INLINE bool pkt_rec(struct hook *h, const u32 type, const u32 nnum, const u32 nstr, struct __sk_buff *skb,
		    const struct pkt *p, bool egress)
{
	const struct sv_automaton *aut = &h->e->automata[SV_AUT_ADDR];
	struct sk_buff *kernel = (void *)as_number(skb);
	struct net_device *dev = READ(kernel, dev);
	struct rec *r = &h->s->rec;
	struct ev_head *head = rec_head(r);
	struct owner o = {};
	u64 *num = rec_num(r);
	struct ev_str *str;

	if (aut->used) {
		sv_mask_and(&h->alive, sv_final_mask(h->sv, aut, sv_dfa_run_addr(h->sv, aut, p->src.b)));
		if (sv_mask_zero(&h->alive))
			return false;
	}
	owner_of(skb, p, egress, &o);
	rec_begin(r, type, nnum, nstr, EV_RUNG_CGROUP);
	head->boot_ns = bpf_ktime_get_boot_ns();
	head->pid = o.pid;
	head->tid = o.tid;
	head->uid = o.uid;
	head->gid = o.gid;
	head->euid = o.euid;
	head->egid = o.egid;
	head->fsuid = o.fsuid;
	head->fsgid = o.fsgid;
	head->cap_permitted = o.cap_permitted;
	head->cap_effective = o.cap_effective;
	head->start_ns = o.start_ns;
	head->auid = o.auid;
	num[EVN_DNS_SRC_PORT] = p->sport; /* imds begins with the same rows */
	num[EVN_DNS_DST_PORT] = p->dport;
	num[EVN_DNS_L3] = p->l3;
	num[EVN_DNS_L4] = p->l4;
	num[EVN_DNS_DIRECTION] = egress ? EGRESS : INGRESS;
	num[EVN_DNS_SIZE] = skb->len;
	str = rec_str(r, nnum);
	rec_put(h->s, &str[EVS_DNS_SRC_IP], p->src.b, 16);
	rec_put(h->s, &str[EVS_DNS_DST_IP], p->dst.b, 16);
	if (dev)
		rec_puts(h->s, &str[EVS_DNS_IFNAME], (void *)dev + bpf_core_field_offset(dev->name), 16, false);
	return true;
}

_Static_assert((int)EVN_DNS_SRC_PORT == (int)EVN_IMDS_SRC_PORT && (int)EVN_DNS_SIZE == (int)EVN_IMDS_SIZE &&
		       (int)EVS_DNS_IFNAME == (int)EVS_IMDS_IFNAME,
	       "CAT_NETWORK first in both");

/* ---- dns ------------------------------------------------------------------------------------------------------- */

INLINE u32 be16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

/*
 * Where the question of the message in work[0][0..len) ends, or -1 if none is there. Only plain labels: a question comes
 * first, so there is nothing yet that its name could point at. Leaves the message in work[1], with '.' for the lengths
 * of labels, and in run_dots how many those are.
 */
__noinline int dns_question(u32 slot, u32 len)
{
	struct slot *s = slot_at(slot);
	u64 at = DNS_HEAD;

	if (!s || bpf_probe_read_kernel(s->work[1], 512, s->work[0]))
		return -1;
	for (int i = 0; i < LABELS; i++) {
		u64 pos = at, label;

		sv_hide(pos);
		pos &= 511;
		label = s->work[0][pos];
		if (at >= len || label > 63)
			return -1;
		at += 1 + label;
		if (!label)
			return at <= DNS_HEAD + 255 && at + 4 <= len ? (int)at + 4 : -1;
		s->work[1][pos] = '.';
		s->run_dots = i;
	}
	return -1;
}

/*
 * Leaves the name of @len bytes at work[1][NAME_AT] once more at NAME_BACK, from its end on. Whether it is what user
 * space makes of it: it writes bytes that are not printable, and those that mean something there, in another way.
 */
__noinline int dns_turn(u32 slot, u64 len)
{
	struct slot *s = slot_at(slot);
	u64 dots = 0, bad = 0;

	if (!s)
		return 0;
	for (u64 at = 0; at < 256; at++) {
		u64 there = (at - len) >> 63, byte = s->work[1][NAME_AT + at], back = len - 1 - at;

		sv_hide(byte);
		sv_hide(back);
		s->work[1][NAME_BACK + (back & 255)] = byte; /* behind the name what is behind it here */
		dots += there & same(byte, '.');
		bad |= there & (same(byte, '\\') | ('~' - byte) >> 63 | (byte - '!') >> 63);
	}
	return !bad && dots == s->run_dots;
}

/*
 * What the name asked for rules out, of the message whose question ends at @end. False when nothing is left. The
 * automaton reads names from their end on: most rules ask for all below a domain, and so much less has to be told apart.
 */
INLINE bool dns_name_sieve(struct hook *h, u32 end)
{
	const struct sv_automaton *a = &h->e->automata[SV_AUT_QUESTION];
	u64 len = end - NAME_AT - 5; /* behind it a zero, type and class */
	int state;

	if (!a->used || end <= NAME_AT + 5 || h->s->flags & (EV_F_TRUNCATED | EV_F_UNREADABLE) ||
	    !dns_turn(h->s->index, len))
		return true;
	state = dfa_block(DFA_IDS(h->s, SV_AUT_QUESTION, EV_DNS), 0, NAME_BACK, len);
	if (state < 0)
		return true;
	sv_mask_and(&h->alive, sv_final_mask(h->sv, a, state));
	return !sv_mask_zero(&h->alive);
}

/* The message that work[0] holds: does it begin like a question, or an answer? *ret_end: of its question, or 0. */
INLINE bool dns_message(struct slot *s, u64 len, bool egress, u32 *ret_end)
{
	const u8 *m = s->work[0];
	u32 questions = be16(m + 4), answer = m[2] >> 7;
	int end;

	*ret_end = 0;
	if (len < DNS_HEAD || answer == egress || questions > 16)
		return false;
	if (!questions)
		return answer; /* a server that has not understood may leave it out */
	end = dns_question(s->index, len);
	*ret_end = end;
	return end > 0;
}

INLINE void dns_numbers(struct slot *s, u32 end, u32 length)
{
	u64 *num = rec_num(&s->rec), at = end - 4;
	const u8 *m = s->work[0];

	num[EVN_DNS_ID] = be16(m);
	num[EVN_DNS_QUESTIONS] = be16(m + 4);
	num[EVN_DNS_LENGTH] = length;
	num[EVN_DNS_CODE] = m[2] >> 7 ? m[3] & 15 : 0;
	if (!end)
		return;
	sv_hide(at);
	at &= 511;
	num[EVN_DNS_TYPE] = be16(m + at);
	num[EVN_DNS_CLASS] = be16(m + at + 2);
}

/* What the canary sends to port 53 is no question: that it was seen is all that is told. */
INLINE bool packet_of_canary(struct __sk_buff *skb, const struct pkt *p)
{
	struct owner o = {};
	struct ev_head mark = {};

	if (!canary_pid || p->len != 1 || p->l4 != IPPROTO_UDP)
		return false;
	owner_of(skb, p, true, &o);
	if (o.pid != canary_pid)
		return false;
	mark.boot_ns = bpf_ktime_get_boot_ns();
	mark.tid = o.tid;
	mark.type = EV_DNS;
	if (!raw_send((u8 *)&mark, EV_DNS, sizeof(mark), sizeof(mark), EV_F_CONTEXT | EV_F_CANARY))
		stat_add(EV_DNS, lost_context);
	mark.type = EV_IMDS;
	if (!raw_send((u8 *)&mark, EV_IMDS, sizeof(mark), sizeof(mark), EV_F_CONTEXT | EV_F_CANARY))
		stat_add(EV_IMDS, lost_context);
	return true;
}

INLINE void dns_packet(struct __sk_buff *skb, const struct pkt *p, bool egress)
{
	const u32 max = egress ? DNS_KEPT : DNS_ANSWER;
	u64 me = pkt_me(), len;
	u32 skip = p->l4 == IPPROTO_TCP ? 2 : 0, end;
	struct hook h;
	bool ok;

	if (!pkt_begin(&h, EV_DNS, me))
		return;
	len = pkt_load(h.s, skb, p, skip, max);
	ok = dns_message(h.s, len, egress, &end);
	if (!ok && skip) {
		skip = 0;
		len = pkt_load(h.s, skb, p, 0, max);
		ok = dns_message(h.s, len, egress, &end);
	}
	if (!ok) {
		slot_release_as(h.s, me);
		return;
	}
	ok = pkt_rec(&h, EV_DNS, EVN_DNS_COUNT, EVS_DNS_COUNT, skb, p, egress);
	if (ok) {
		dns_numbers(h.s, end, p->len - skip);
		if (end)
			rec_put(h.s, &rec_str(&h.s->rec, EVN_DNS_COUNT)[EVS_DNS_NAME], h.s->work[0],
				egress ? end : len);
		ok = dns_name_sieve(&h, end) && rec_sieve_nums(h.s, h.sv, h.e, &h.alive, false);
	}
	pkt_end(&h, EV_DNS, me, ok);
}

/* ---- imds ------------------------------------------------------------------------------------------------------ */

/* All that goes there; of what comes back, what begins an answer. */
INLINE void imds_packet(struct __sk_buff *skb, const struct pkt *p, bool egress)
{
	u64 me = pkt_me(), len;
	struct hook h;
	const u8 *b;
	bool ok;

	if (!pkt_begin(&h, EV_IMDS, me))
		return;
	b = h.s->work[0];
	len = pkt_load(h.s, skb, p, 0, IMDS_KEPT);
	if (!egress && (len < 5 || b[0] != 'H' || b[1] != 'T' || b[2] != 'T' || b[3] != 'P' || b[4] != '/')) {
		slot_release_as(h.s, me);
		return;
	}
	if (p->len > IMDS_KEPT)
		h.s->flags |= EV_F_TRUNCATED;
	ok = pkt_rec(&h, EV_IMDS, EVN_IMDS_COUNT, EVS_IMDS_COUNT, skb, p, egress);
	if (ok) {
		rec_put(h.s, &rec_str(&h.s->rec, EVN_IMDS_COUNT)[EVS_IMDS_URL], h.s->work[0], len);
		ok = rec_sieve_nums(h.s, h.sv, h.e, &h.alive, false);
	}
	pkt_end(&h, EV_IMDS, me, ok);
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

INLINE bool packets_wanted(void)
{
	const struct sieve *sv = sieve_get();

	return sv && !(sv_mask_zero(&sv->event[EV_DNS].clauses) && sv_mask_zero(&sv->event[EV_IMDS].clauses));
}

SEC("cgroup_skb/egress")
int packet_egress(struct __sk_buff *skb)
{
	struct pkt p = {};

	if (!pkt_possible(skb, true) || !packets_wanted() || !pkt_read(skb, &p))
		return PASS;
	if (p.dport == DNS_PORT) {
		if (!packet_of_canary(skb, &p))
			dns_packet(skb, &p, true);
	} else if (p.l4 == IPPROTO_TCP && is_imds(p.dst.w)) {
		imds_packet(skb, &p, true);
	}
	return PASS;
}

SEC("cgroup_skb/ingress")
int packet_ingress(struct __sk_buff *skb)
{
	struct pkt p = {};

	if (!pkt_possible(skb, false) || !packets_wanted() || !pkt_read(skb, &p))
		return PASS;
	if (p.sport == DNS_PORT)
		dns_packet(skb, &p, false);
	else if (p.l4 == IPPROTO_TCP && is_imds(p.src.w))
		imds_packet(skb, &p, false);
	return PASS;
}
