/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is refused. Programs that change what a function of the security modules returns, before it runs (fmod_ret). They are
 * loaded where the operator allows denials, and attached where the policy in force wants some of the event.
 *
 * Here doubt decides the other way than in the sieve. The bits that are asked (sv_deny) stand for one clause each that the kernel
 * decides wholly, on what it has before the operation; where something that they ask for could not be read, they are struck, the
 * operation goes on, and that is counted (deny_unsure). The look-ups are the sieve's own.
 *
 * What is refused is told here, with all that is known of it, as an event that failed with EPERM (EV_F_DENIED); the hook that sees
 * the operation fail passes it over (deny_told()), and a first half that waits for the result is taken away.
 */
#include "lib/call.bpf.h"
#include "lib/task.bpf.h"

#define PF_KTHREAD   0x200000
#define DENY_PARENTS 4 /* the sensor's own processes are found among so many */

/* Who is never refused anything: process 1, kernel threads, the sensor's processes. */
__noinline int deny_never(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (READ(task, flags) & PF_KTHREAD || READ(task, tgid) == 1)
		return 1;
	for (int i = 0; i < DENY_PARENTS; i++) {
		if ((u32)READ(task, tgid) == self_pid)
			return 1;
		task = READ(task, real_parent);
	}
	return 0;
}

/* Takes a slot where the policy may want something of @type refused. False where it goes on. */
INLINE bool deny_begin(struct hook *h, const u32 type)
{
	if (deny_left <= 0 || deny_never())
		return false;
	h->s = slot_claim();
	if (!h->s) {
		stat_add(type, deny_unsure);
		return false;
	}
	h->s->generation = h->sv->generation;
	return true;
}

INLINE bool deny_sieve(struct hook *h, const u32 type)
{
	return hook_sieve(h, type) && sv_deny_start(h->e, &h->alive);
}

/* The same of what happens to @at, with the cheap look first. */
INLINE bool deny_begin_at(struct hook *h, const u32 type, struct place at)
{
	return deny_sieve(h, type) && !place_dead(h->sv, h->e, type, 0, place_named(at), &h->alive) &&
	       deny_begin(h, type);
}

/* The numbers of the record, before the result. False when nothing is left. */
INLINE bool deny_nums(struct hook *h)
{
	return sv_nums_early(h->e, rec_head(&h->s->rec), rec_num(&h->s->rec), &h->alive);
}

/* String @k is not known as rules see it. */
INLINE void deny_unread(struct hook *h, const u32 type, const u32 k)
{
	if (sv_deny_unread(h->e, k, &h->alive))
		stat_add(type, deny_unsure);
}

/* The path of @at, which is left in work[w]. What has none, or ends with a slash (the root does), has no name that rules could mean. */
INLINE bool deny_path(struct hook *h, const u32 w, const u32 type, struct place at)
{
	if (!path_sieve(h->s, w, h->sv, h->e, type, at, &h->alive))
		return false;
	if (h->s->unasked & 1 << w || !h->s->path_len[w] || h->s->work[w][EV_PATH_MAX - 1] == '/')
		deny_unread(h, type, w);
	return !sv_mask_zero(&h->alive);
}

/* The first half of a hook that knows the result later; whether there was one. */
INLINE bool deny_take_half(const u32 type)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);

	return p && p->type == type && !bpf_map_delete_elem(&pending, &tid);
}

/*
 * The end of all of them: -EPERM where @denied and the slot was ours all the time, so that what decided was what we read. All rules
 * on the event are evaluated then. @half: the event has a hook of two halves.
 */
INLINE int deny_end(struct hook *h, const u32 type, bool half, bool denied_)
{
	struct denied mark = { .type = type };
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct ev_head *head;

	if (denied_ && !slot_ok(h->s)) {
		stat_add(type, deny_unsure);
		denied_ = false;
	}
	if (!denied_) {
		slot_release(h->s);
		return 0;
	}
	__sync_fetch_and_add(&deny_left, -1);
	stat_add(type, denied);
	head = rec_head(&h->s->rec);
	head->policy = h->sv->generation;
	sv_mask_copy((struct sv_mask *)head->alive, &h->e->clauses);
	h->s->flags |= EV_F_DENIED;
	if (!half) {
		mark.boot_ns = head->boot_ns;
		bpf_map_update_elem(&denied, &tid, &mark, BPF_ANY);
	}
	if (!half || !deny_take_half(type))
		stat_add(type, seen);
	rec_send(h->s, type, true);
	slot_release(h->s);
	return -EPERM;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* What happens to one file. SET may use num. */
#define DENY_FILE(TYPE, AT, HALF, SET)                                                                                 \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		if (!deny_begin_at(&h, EV_##TYPE, AT))                                                                 \
			return 0;                                                                                      \
		file_head(h.s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, EV_RUNG_FENTRY, -EPERM, AT);         \
		u64 *num = rec_num(&h.s->rec);                                                                         \
		(void)num;                                                                                             \
		SET;                                                                                                   \
		bool refuse_ = deny_nums(&h) && deny_path(&h, 0, EV_##TYPE, AT);                                       \
		if (refuse_)                                                                                           \
			file_strs(h.s, 0, rec_str(&h.s->rec, EVN_##TYPE##_COUNT), AT.d);                               \
		return deny_end(&h, EV_##TYPE, HALF, refuse_);                                                         \
	} while (0)

/* Two names. */
#define DENY_TWO(TYPE, AT, DEST)                                                                                       \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		if (!deny_sieve(&h, EV_##TYPE) || !deny_begin(&h, EV_##TYPE))                                          \
			return 0;                                                                                      \
		file_head(h.s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, EV_RUNG_FENTRY, -EPERM, AT);         \
		dest_nums(&rec_num(&h.s->rec)[NUM(TYPE, DEST_INODE)], DEST);                                           \
		bool refuse_ = deny_nums(&h) && deny_path(&h, 0, EV_##TYPE, AT) && deny_path(&h, 1, EV_##TYPE, DEST);  \
		if (refuse_) {                                                                                         \
			file_strs(h.s, 0, rec_str(&h.s->rec, EVN_##TYPE##_COUNT), AT.d);                               \
			file_strs(h.s, 1, &rec_str(&h.s->rec, EVN_##TYPE##_COUNT)[STR(TYPE, DEST_PATH)], DEST.d);      \
		}                                                                                                      \
		return deny_end(&h, EV_##TYPE, true, refuse_);                                                         \
	} while (0)

INLINE struct place place_in(struct path *dir, struct dentry *dentry)
{
	struct place at = { (void *)as_number(dentry), real_mount(READ(dir, mnt)) };

	return at;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(file_open_d, struct file *file, int ret)
{
	struct place at;
	u32 flags;

	if (ret)
		return ret;
	flags = READ(file, f_flags);
	if (flags & FMODE_EXEC)
		return 0;
	at = place_of_file(file);
	DENY_FILE(OPEN, at, false, num[NUM(OPEN, FLAGS)] = open_flags(h.s, open_flags_portable(flags)));
}

SEC("fmod_ret/security_path_unlink")
int BPF_PROG(path_unlink_d, struct path *dir, struct dentry *dentry, int ret)
{
	struct place at;

	if (ret)
		return ret;
	at = place_in(dir, dentry);
	DENY_FILE(UNLINK, at, true, );
}

SEC("fmod_ret/security_path_rmdir")
int BPF_PROG(path_rmdir_d, struct path *dir, struct dentry *dentry, int ret)
{
	struct place at;

	if (ret)
		return ret;
	at = place_in(dir, dentry);
	DENY_FILE(RMDIR, at, true, );
}

SEC("fmod_ret/security_path_mkdir")
int BPF_PROG(path_mkdir_d, struct path *dir, struct dentry *dentry, u16 mode, int ret)
{
	struct place at;

	if (ret)
		return ret;
	at = place_in(dir, dentry);
	DENY_FILE(MKDIR, at, true, num[NUM(MKDIR, MODE)] = mode & 07777);
}

SEC("fmod_ret/security_path_rename")
int BPF_PROG(path_rename_d, struct path *old_dir, struct dentry *old_dentry, struct path *new_dir,
	     struct dentry *new_dentry, u32 flags, int ret)
{
	struct place at, dest;

	if (ret)
		return ret;
	at = place_in(old_dir, old_dentry);
	dest = place_in(new_dir, new_dentry);
	DENY_TWO(RENAME, at, dest);
}

SEC("fmod_ret/security_path_link")
int BPF_PROG(path_link_d, struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry, int ret)
{
	struct place at, dest;

	if (ret)
		return ret;
	at = place_in(new_dir, old_dentry);
	dest = place_in(new_dir, new_dentry);
	DENY_TWO(LINK, at, dest);
}

SEC("fmod_ret/security_path_chmod")
int BPF_PROG(path_chmod_d, struct path *path, u16 mode, int ret)
{
	struct place at;

	if (ret)
		return ret;
	at = place_of(path);
	DENY_FILE(CHMOD, at, false, num[NUM(CHMOD, MODE)] = mode & 07777);
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

#define EXEC_NNUM (EVN_EXEC_COUNT + EVN_PROC_COUNT)
#define EXEC_NSTR (EVS_EXEC_COUNT + EVS_PROC_COUNT)

/* What the record says of the process that it would have become. Its arguments lie on a stack that is not there yet. */
INLINE void deny_exec_strs(struct slot *s, struct linux_binprm *bprm, struct place at)
{
	struct ev_str *own = rec_str(&s->rec, EXEC_NNUM), *str = own + EVS_EXEC_COUNT;
	struct task_struct *task = (void *)bpf_get_current_task();
	const void *filename = READ(bprm, filename);
	const u32 flags = s->flags;
	u64 len = 0;

	file_strs(s, 0, &str[EVS_PROC_FILE_PATH], at.d);
	if (string_path(s, 1, task, AT_FDCWD, filename, false, &len))
		path_put(s, 1, &str[EVS_PROC_FILE_LINK_PATH]);
	s->flags = flags; /* it is one string more, and says nothing of the file's own */
	proc_strs(s, str, task);
	rec_puts(s, &str[EVS_PROC_COMM], READ(at.d, d_name.name), 16, false);
	rec_puts(s, &own[EVS_EXEC_SYSCALL_PATH], filename, EV_PATH_MAX, false);
	s->flags |= EV_F_ARGS_TRUNCATED;
}

/* Asked once for each exec, of the file that was named: of a script, before its interpreter is looked for. */
SEC("fmod_ret/security_bprm_creds_for_exec")
int BPF_PROG(bprm_creds_d, struct linux_binprm *bprm, int ret)
{
	struct linux_binprm *b = (void *)as_number(bprm);
	struct place at;
	struct hook h;
	u64 *num;
	bool no;

	if (ret)
		return ret;
	at = place_of_file(READ(b, file));
	if (!deny_begin_at(&h, EV_EXEC, at))
		return 0;
	rec_begin(&h.s->rec, EV_EXEC, EXEC_NNUM, EXEC_NSTR, EV_RUNG_FENTRY);
	rec_task(&h.s->rec, (void *)bpf_get_current_task());
	rec_head(&h.s->rec)->retval = -EPERM;
	num = rec_num(&h.s->rec) + EVN_EXEC_COUNT;
	proc_nums(num, (void *)bpf_get_current_task());
	file_nums(&num[EVN_PROC_FILE_INODE], at);
	no = deny_nums(&h) && deny_path(&h, 0, EV_EXEC, at);
	if (no)
		deny_exec_strs(h.s, b, at);
	return deny_end(&h, EV_EXEC, true, no);
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

#define SOCKADDR_IN  16
#define SOCKADDR_IN6 24 /* what addr_read() reads of it */

/* Whether the caller gave as much as is read: behind it lies what the kernel's stack had. */
INLINE bool addr_whole(const struct addr *a, s32 len)
{
	if (a->family == AF_INET)
		return len >= SOCKADDR_IN;
	return len >= (a->family == AF_INET6 ? SOCKADDR_IN6 : 2);
}

INLINE int deny_addr(const u32 type, struct socket *sock, void *address, s32 len, const bool half)
{
	struct addr a = {};
	struct hook h;
	bool no;

	if (!deny_sieve(&h, type) || !deny_begin(&h, type))
		return 0;
	if (!addr_read(&a, address, false) || !addr_whole(&a, len)) {
		stat_add(type, deny_unsure);
		slot_release(h.s);
		return 0;
	}
	a.protocol = READ(sock, sk, sk_protocol);
	no = net_rec(&h, type, EVN_CONNECT_COUNT, EVS_CONNECT_COUNT, EV_RUNG_FENTRY, -EPERM, &a) && deny_nums(&h);
	/* without an address there is nothing to be unsure of */
	if (!a.has_ip)
		sv_deny_unread(h.e, SV_AUT_ADDR, &h.alive);
	return deny_end(&h, type, half, no && !sv_mask_zero(&h.alive));
}

_Static_assert((int)EVN_BIND_COUNT == (int)EVN_CONNECT_COUNT && (int)EVS_BIND_COUNT == (int)EVS_CONNECT_COUNT,
	       "one list for both");

SEC("fmod_ret/security_socket_connect")
int BPF_PROG(socket_connect_d, struct socket *sock, void *address, int addrlen, int ret)
{
	return ret ? ret : deny_addr(EV_CONNECT, sock, address, addrlen, false);
}

SEC("fmod_ret/security_socket_bind")
int BPF_PROG(socket_bind_d, struct socket *sock, void *address, int addrlen, int ret)
{
	return ret ? ret : deny_addr(EV_BIND, sock, address, addrlen, true);
}
