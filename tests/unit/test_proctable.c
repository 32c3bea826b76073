/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensor/enrich/enrich.h"
#include "tests/unit/rec.h"

#define SECOND 1000000000ull

static struct decode *decoder;
static struct enrich *enrich;
static struct rec rec;
static struct decoded dec;
static uint64_t now; /* boot time of the records */

static void begin(size_t images, size_t bytes, const char *proc)
{
	const struct enrich_options o = { .hostname = "here",
					  .origin = "ebpf",
					  .etc_path = "/etc",
					  .proc_path = proc,
					  .max_images = images,
					  .max_bytes = bytes };

	now = 1000 * SECOND;
	assert_int_equal(decode_new(catalog_tamis(), &decoder), 0);
	assert_int_equal(enrich_new(&o, &enrich), 0);
	decode_clock(decoder, decode_clock_now());
}

static void end(void)
{
	enrich_free(enrich);
	decode_free(decoder);
}

static struct proctable_stats stats(void)
{
	struct enrich_stats s;

	enrich_stats(enrich, &s);
	return s.table;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static void head(enum ev_type type, uint32_t pid)
{
	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid * 1000ull;
	rec.head.boot_ns = now++;
}

static const struct proc *send(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	assert_int_equal(decode_record(decoder, p, size, &dec), 1);
	enrich_event(enrich, &dec);
	return dec.ev.proc;
}

static const struct proc *fork_of(uint32_t parent, uint32_t child)
{
	head(EV_FORK, parent);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = child;
	rec.num[rec.proc + EVN_PROC_PPID] = parent;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = child * 1000ull;
	return send();
}

static const struct proc *exec_args_of(uint32_t pid, uint32_t ppid, const char *path, const char *argv, size_t len)
{
	const struct ev_head of = { .boot_ns = now, .tid = pid, .start_ns = pid * 1000ull };
	size_t size;
	const void *p;

	if (len) {
		p = rec_args(&rec, &of, argv, 0, (uint32_t)len, (uint32_t)len, 0, &size);
		assert_int_equal(decode_record(decoder, p, size, &dec), 0);
	}
	head(EV_EXEC, pid);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_PPID] = ppid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = pid * 1000ull;
	rec.num[rec.proc + EVN_PROC_FILE_INODE] = 77;
	rec.num[rec.proc + EVN_PROC_FILE_MODE] = S_IFREG | 04755;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	rec_proc_str(&rec, EVS_PROC_COMM, "comm");
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/user.slice");
	return send();
}

static const struct proc *exec_of(uint32_t pid, uint32_t ppid, const char *path)
{
	return exec_args_of(pid, ppid, path, NULL, 0);
}

/* @same: the kernel side says that it is where it was. The container that it is in then. */
static struct val container_of_exec(uint32_t pid, bool same)
{
	head(EV_EXEC, pid);
	rec.head.flags |= same ? EV_F_SAME_CGROUPS : 0;
	rec.num[rec.proc + EVN_PROC_PID] = pid;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/bin/some");
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/");
	return send()->v[SLOT_PROC_CONTAINER_ID];
}

static const struct proc *open_of(uint32_t pid)
{
	head(EV_OPEN, pid);
	rec_str(&rec, EVS_OPEN_FILE_PATH, "/etc/shadow");
	return send();
}

static const struct proc *exit_of(uint32_t pid)
{
	head(EV_EXIT, pid);
	return send();
}

static void assert_str(struct val v, const char *s)
{
	assert_int_equal(v.len, strlen(s));
	assert_memory_equal(v.s, s, v.len);
}

/* The names of a process's programs, from itself upwards: "cat bash init". */
static void assert_chain(const struct proc *p, const char *names)
{
	char text[256] = "";

	for (; p; p = p->parent)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", *text ? " " : "",
			 (int)p->v[SLOT_PROC_FILE_NAME].len, p->v[SLOT_PROC_FILE_NAME].s);
	assert_string_equal(text, names);
}

/* ---- tests --------------------------------------------------------------------------------------------------------- */

static void fork_and_exec(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 10);
	exec_args_of(10, 1, "/bin/bash", "-bash\0-l\0", 10);

	p = fork_of(10, 20);
	assert_int_equal(p->v[SLOT_PROC_PID].num, 20);
	assert_int_equal(p->v[SLOT_PROC_PPID].num, 10);
	assert_int_equal(p->v[SLOT_PROC_IS_THREAD].num, 1);
	assert_int_equal(p->v[SLOT_PROC_IS_EXEC].num, 0);
	assert_str(p->v[SLOT_PROC_ARGV0], "-bash");
	assert_chain(p, "bash bash init");

	p = exec_args_of(20, 10, "/usr/bin/cat", "cat\0-n\0--color=auto\0/etc/shadow\0x y", 36);
	assert_int_equal(p->v[SLOT_PROC_IS_EXEC].num, 1);
	assert_int_equal(p->v[SLOT_PROC_IS_THREAD].num, 0);
	assert_int_equal(p->v[SLOT_PROC_FILE_RIGHTS].num, 04755);
	assert_str(p->v[SLOT_PROC_FILE_NAME], "cat");
	assert_str(p->v[SLOT_PROC_ARGV0], "cat");
	assert_str(p->v[SLOT_PROC_ARGS], "-n --color=auto /etc/shadow x y");
	assert_int_equal(p->v[SLOT_PROC_ARGV].len, 4);
	assert_str(p->v[SLOT_PROC_ARGV].arr[3], "x y");
	assert_int_equal(p->v[SLOT_PROC_ARGS_FLAGS].len, 1);
	assert_str(p->v[SLOT_PROC_ARGS_FLAGS].arr[0], "n");
	assert_int_equal(p->v[SLOT_PROC_ARGS_OPTIONS].len, 1);
	assert_str(p->v[SLOT_PROC_ARGS_OPTIONS].arr[0], "color=auto");
	assert_int_equal(p->v[SLOT_PROC_ARGS_TRUNCATED].num, 0);
	assert_str(p->v[SLOT_PROC_USER], "root");
	assert_str(p->v[SLOT_PROC_CGROUP_ID], "/user.slice");
	assert_chain(p, "cat bash init");

	assert_ptr_equal(open_of(20), p);
	assert_str(dec.ev.v[SLOT_OPEN_FILE_NAME], "shadow");
	assert_str(dec.ev.base[SLOT_BASE_HOSTNAME], "here");
	assert_ptr_equal(exit_of(20), p);
	assert_ptr_equal(open_of(20), p); /* a record that comes late */
	assert_ptr_equal(proctable_find(enrich_proctable(enrich), 20, 20000), p);
	assert_null(proctable_find(enrich_proctable(enrich), 20, 0));
	assert_null(proctable_find(enrich_proctable(enrich), 20, 1));
	end();
}

/* What was refused is told as what it would have become; the process is what it was. */
static void refused_exec(void **state)
{
	const struct proc *shell, *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 10);
	shell = exec_args_of(10, 1, "/bin/bash", "-bash\0-l\0", 10);
	for (int forked = 0; forked < 2; forked++) {
		uint32_t pid = forked ? 20 : 10;

		head(EV_EXEC, pid);
		rec.head.flags |= EV_F_DENIED | EV_F_ARGS_TRUNCATED;
		rec.head.retval = -EPERM;
		rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
		rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/usr/bin/nc");
		p = send();
		assert_chain(p, "nc bash init");
		assert_int_equal(p->v[SLOT_PROC_ARGV].len, 0);
		assert_int_equal(p->v[SLOT_PROC_ARGS_TRUNCATED].num, 1);
		assert_int_equal(dec.ev.base[SLOT_BASE_RETVAL].num, -EPERM);
		assert_int_equal(p->start, proctable_find(enrich_proctable(enrich), pid, 0)->start);
		assert_true(p->version != proctable_find(enrich_proctable(enrich), pid, 0)->version);
		p = open_of(pid);
		assert_chain(p, forked ? "bash bash init" : "bash init");
		assert_str(p->v[SLOT_PROC_ARGV0], "-bash");
		if (!forked)
			assert_ptr_equal(p, shell);
		fork_of(10, 20);
	}
	assert_int_equal(stats().live, 3);
	now += PROCTABLE_LINGER_NS;
	open_of(10); /* and what was not is forgotten */
	assert_int_equal(stats().images, 3);
	end();
}

/* What an exec replaced stays above it; what a fork copied does not. */
static void exec_on_exec(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 10);
	exec_of(10, 1, "/usr/sbin/nginx");
	fork_of(10, 11);
	exec_of(11, 10, "/bin/sh");
	p = exec_of(11, 10, "/usr/bin/curl");
	assert_chain(p, "curl sh nginx init");

	/* and without end, but not without bound */
	for (int i = 0; i < 1000; i++)
		p = exec_of(11, 10, "/bin/again");
	for (int n = 0; p; p = p->parent, n++)
		assert_true(n < 32);
	end();
}

/* A child's parent is the image that forked it, whatever that process becomes. */
static void a_parent_that_execs_later(void **state)
{
	(void)state;
	begin(0, 0, NULL);
	exec_of(5, 1, "/usr/bin/attack");
	fork_of(5, 6);
	exec_of(5, 1, "/usr/bin/sleep");
	assert_chain(exec_of(6, 5, "/bin/payload"), "payload attack");
	end();
}

static void credentials(void **state)
{
	const struct proc *p;
	uint64_t version;

	(void)state;
	begin(0, 0, NULL);
	p = exec_of(5, 1, "/usr/bin/su");
	version = proctable_version(p);
	assert_str(p->v[SLOT_PROC_USER], "root");
	assert_ptr_equal(open_of(5), p);
	assert_int_equal(proctable_version(p), version);

	head(EV_OPEN, 5);
	rec.head.uid = rec.head.euid = 1;
	rec.head.gid = 2;
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_UID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_EUID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_GID].num, 2);
	assert_int_equal(p->v[SLOT_PROC_EGID].num, 0);
	assert_str(p->v[SLOT_PROC_USER], "daemon");
	assert_str(p->v[SLOT_PROC_EUSER], "daemon");
	assert_str(p->v[SLOT_PROC_GROUP], "bin");
	assert_int_not_equal(proctable_version(p), version);
	end();
}

static void all_credentials(void **state)
{
	const struct proc *p, *child;

	(void)state;
	begin(0, 0, NULL);
	p = exec_of(5, 1, "/usr/bin/su");
	head(EV_OPEN, 5);
	rec.head.fsuid = 1;
	rec.head.fsgid = 2;
	rec.head.cap_effective = 1ull << 40;
	rec.head.cap_permitted = 3;
	rec.head.auid = 1000; /* who logs in does not call exec for it */
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_AUID].num, 1000);
	assert_int_equal(p->v[SLOT_PROC_FSUID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_FSGID].num, 2);
	assert_str(p->v[SLOT_PROC_FSUSER], "daemon");
	assert_str(p->v[SLOT_PROC_FSGROUP], "bin");
	assert_int_equal(p->v[SLOT_PROC_CAP_EFFECTIVE].num, 1ll << 40);
	assert_int_equal(p->v[SLOT_PROC_CAP_PERMITTED].num, 3);

	/* of a process that nothing else is known of, too */
	head(EV_OPEN, 77);
	rec.head.fsuid = 1;
	rec.head.cap_effective = 5;
	child = send();
	assert_int_equal(child->v[SLOT_PROC_FSUID].num, 1);
	assert_int_equal(child->v[SLOT_PROC_CAP_EFFECTIVE].num, 5);
	end();
}

/* A record of a change shows the process as it was before; afterwards it is what the record said. */
static void changed_credentials(void **state)
{
	const struct proc *p;
	uint64_t version;

	(void)state;
	begin(0, 0, NULL);
	p = exec_of(5, 1, "/usr/bin/su");
	version = proctable_version(p);
	head(EV_SETUID, 5);
	rec.num[EVN_SETUID_UID] = 1;
	rec.num[EVN_SETUID_EUID] = 1;
	rec.num[EVN_SETUID_FSUID] = 1;
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_UID].num, 0);
	assert_int_equal(p->v[SLOT_PROC_EUID].num, 0);
	assert_int_equal(proctable_version(p), version);
	open_of(6); /* the next record, whoever's it is */
	assert_int_equal(p->v[SLOT_PROC_UID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_FSUID].num, 1);
	assert_str(p->v[SLOT_PROC_EUSER], "daemon");
	assert_int_not_equal(proctable_version(p), version);

	head(EV_SETGID, 5);
	rec.head.uid = rec.head.euid = rec.head.fsuid = 1;
	rec.num[EVN_SETGID_GID] = 2;
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_GID].num, 0);
	head(EV_CAPSET, 5);
	rec.head.uid = rec.head.euid = rec.head.fsuid = 1;
	rec.head.gid = 2;
	rec.num[EVN_CAPSET_EFFECTIVE] = 6;
	rec.num[EVN_CAPSET_PERMITTED] = 7;
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_GID].num, 2);
	assert_int_equal(p->v[SLOT_PROC_CAP_EFFECTIVE].num, 0);
	open_of(6);
	assert_int_equal(p->v[SLOT_PROC_CAP_EFFECTIVE].num, 6);
	assert_int_equal(p->v[SLOT_PROC_CAP_PERMITTED].num, 7);
	end();
}

/* Where the record knows only what came of it, what was known of the process before stays until it is done with. */
static void credentials_after(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	p = exec_of(5, 1, "/usr/bin/su");
	head(EV_SETUID, 5);
	rec.head.flags = EV_F_CREDS_AFTER;
	rec.head.uid = rec.head.euid = rec.head.fsuid = rec.num[EVN_SETUID_UID] = rec.num[EVN_SETUID_EUID] = 1;
	assert_ptr_equal(send(), p);
	assert_int_equal(p->v[SLOT_PROC_UID].num, 0);
	assert_int_equal(p->v[SLOT_PROC_FSUID].num, 0);
	open_of(6);
	assert_int_equal(p->v[SLOT_PROC_UID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_FSUID].num, 1);

	/* the process may be gone by then */
	head(EV_SETUID, 6);
	rec.head.flags = EV_F_CREDS_AFTER;
	send();
	exit_of(6);
	open_of(5);
	end();
}

static void containers(void **state)
{
	static const char id[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	char path[128];
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	snprintf(path, sizeof(path), "/system.slice/docker-%s.scope", id);
	head(EV_EXEC, 7);
	rec.num[rec.proc + EVN_PROC_PID] = 7;
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, path);
	p = send();
	assert_str(p->v[SLOT_PROC_CONTAINER_ID], id);
	p = fork_of(7, 8);
	assert_str(p->v[SLOT_PROC_CONTAINER_ID], id);

	/* a fork record with strings of its own */
	head(EV_FORK, 7);
	rec.num[rec.proc + EVN_PROC_PID] = 9;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = 9000;
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/elsewhere");
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/bin/other");
	p = send();
	exit_of(7);
	now += 100 * SECOND;
	open_of(9);
	assert_str(p->v[SLOT_PROC_CONTAINER_ID], "");
	assert_str(p->v[SLOT_PROC_FILE_NAME], "other");
	end();
}

/* @dir/@pid/cgroup of a process in a container whose id is 64 times @digit; 0: in none. */
static void put_cgroup(const char *dir, const char *pid, char digit)
{
	char path[128], id[65];
	FILE *f;

	memset(id, digit, 64);
	id[64] = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, pid);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/cgroup", dir, pid);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "1:memory:%s%s\n0::/\n", digit ? "/docker/" : "/", id);
	assert_int_equal(fclose(f), 0);
}

static void assert_in(struct val container, char digit)
{
	assert_int_equal(container.len, digit ? 64 : 0);
	for (uint32_t i = 0; i < container.len; i++)
		assert_int_equal(container.s[i], digit);
}

/* Records do not tell there: /proc does, and is asked only where a process may be elsewhere than its image before. */
static void containers_of_version_1(void **state)
{
	char dir[] = "/tmp/tamis-proc.XXXXXX";
	pid_t rm;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_cgroup(dir, "self", 0);
	put_cgroup(dir, "7", 'a');
	put_cgroup(dir, "8", 'b');
	begin(0, 0, dir);
	assert_in(container_of_exec(7, true), 'a'); /* of which nothing is known */
	fork_of(7, 8);
	assert_in(container_of_exec(8, true), 'a');
	assert_in(container_of_exec(8, false), 'b');
	fork_of(8, 9);
	assert_in(container_of_exec(9, false), 'b'); /* it is gone */
	put_cgroup(dir, "9", 'c');
	assert_in(container_of_exec(9, true), 'c'); /* the same as what was but taken for so */
	put_cgroup(dir, "9", 0);
	assert_in(container_of_exec(9, false), 0);
	put_cgroup(dir, "9", 'd');
	assert_in(container_of_exec(9, true), 0); /* to be in none is known, too */
	end();
	rm = fork();
	if (!rm)
		_exit(execlp("rm", "rm", "-r", dir, (char *)NULL));
	assert_int_equal(waitpid(rm, NULL, 0), rm);
}

/* What is known of a container lasts as long as its processes. */
static void container_facts(void **state)
{
	static const char id[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	static const char pod[] = "8f1c6a5e-1f2d-4c3b-9a77-5d0e5a3c9d11";
	char path[256], tag[128];
	const struct proc *p;
	struct val *base = dec.ev.base;
	int64_t created;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 5);
	exec_args_of(5, 1, "/usr/bin/containerd-shim-runc-v2", "shim\0-namespace\0k8s.io\0-id\0x", 29);
	assert_int_equal(base[SLOT_BASE_CONTAINER_CREATED_AT].num, 0);
	assert_int_equal(base[SLOT_BASE_CONTAINER_TAGS].len, 0);
	fork_of(5, 7);
	snprintf(path, sizeof(path), "/kubepods/besteffort/pod%s/%s", pod, id);
	head(EV_EXEC, 7);
	rec.num[rec.proc + EVN_PROC_PID] = 7;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = 7000;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/pause");
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, path);
	p = send();
	assert_str(p->v[SLOT_PROC_POD_UID], pod);
	assert_int_equal(p->v[SLOT_PROC_CGROUP_VERSION].num, 2);
	assert_str(p->v[SLOT_PROC_CGROUP_MANAGER], "");
	created = base[SLOT_BASE_CONTAINER_CREATED_AT].num;
	assert_int_equal(created, p->v[SLOT_PROC_CREATED_AT].num);
	assert_str(base[SLOT_BASE_CONTAINER_RUNTIME], "containerd");
	assert_int_equal(base[SLOT_BASE_CONTAINER_TAGS].len, 3);
	snprintf(tag, sizeof(tag), "container_id:%s", id);
	assert_str(base[SLOT_BASE_CONTAINER_TAGS].arr[0], tag);
	snprintf(tag, sizeof(tag), "pod_uid:%s", pod);
	assert_str(base[SLOT_BASE_CONTAINER_TAGS].arr[1], tag);
	assert_str(base[SLOT_BASE_CONTAINER_TAGS].arr[2], "runtime:containerd");

	/* processes that start later do not make it younger, and it is forgotten with the last one */
	fork_of(7, 900);
	assert_int_equal(base[SLOT_BASE_CONTAINER_CREATED_AT].num, created);
	assert_str(open_of(900)->v[SLOT_PROC_POD_UID], pod);
	exit_of(7);
	now += 100 * SECOND;
	open_of(900);
	assert_int_equal(base[SLOT_BASE_CONTAINER_CREATED_AT].num, created);
	exit_of(900);
	now += 100 * SECOND;
	open_of(1);
	head(EV_EXEC, 1000);
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = 1000000;
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, path);
	p = send();
	assert_int_equal(base[SLOT_BASE_CONTAINER_CREATED_AT].num, p->v[SLOT_PROC_CREATED_AT].num);
	assert_true(base[SLOT_BASE_CONTAINER_CREATED_AT].num != created);
	assert_str(base[SLOT_BASE_CONTAINER_RUNTIME], "");
	end();
}

static const struct proc *exec_env_of(uint32_t pid, uint32_t ppid, uint32_t uid, const char *path, const char *env)
{
	const struct ev_head of = { .boot_ns = now, .tid = pid, .start_ns = pid * 1000ull };
	char block[512] = "x";
	size_t size, n = strlen(env);
	const void *p;

	memcpy(block + 2, env, n); /* one variable a ';' */
	for (size_t i = 0; i < n; i++)
		block[2 + i] = env[i] == ';' ? 0 : env[i];
	p = rec_args(&rec, &of, block, 0, (uint32_t)(n + 3), 2, (uint32_t)(n + 1), &size);
	assert_int_equal(decode_record(decoder, p, size, &dec), 0);
	head(EV_EXEC, pid);
	rec.head.uid = rec.head.euid = uid;
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_PPID] = ppid;
	rec.num[rec.proc + EVN_PROC_UID] = rec.num[rec.proc + EVN_PROC_EUID] = uid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = pid * 1000ull;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	return send();
}

static void assert_session(const struct proc *p, const char *ip, int64_t port, const char *user)
{
	assert_str(p->v[SLOT_PROC_SSH_CLIENT_IP], ip);
	assert_int_equal(p->v[SLOT_PROC_SSH_PORT].num, port);
	assert_str(p->v[SLOT_PROC_SSH_USERNAME], user);
}

static void load_into(void *ctx, uint16_t type, const void *bytes, size_t len)
{
	struct enrich *to = ctx;

	assert_int_equal(enrich_load(to, type, bytes, len), 0);
}

#define SSH_ENV "USER=ana;LOGNAME=ana;SSH_CLIENT=10.1.2.3 5555 22;SSH_CONNECTION=10.1.2.3 5555 10.0.0.1 22"

/* A session begins where a server of SSH executes something, and is in all that comes of it. */
static void ssh_sessions(void **state)
{
	const struct enrich_options o = { .hostname = "there", .origin = "replay" };
	struct enrich *copy;
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 10);
	p = exec_of(10, 1, "/usr/sbin/sshd");
	assert_session(p, "", 0, "");
	fork_of(10, 11); /* its root half, then the one of the user */
	p = exec_env_of(11, 10, 0, "/usr/lib/openssh/sshd-session", "A=b");
	assert_session(p, "", 0, "");
	fork_of(11, 12);
	fork_of(12, 13);
	p = exec_env_of(13, 12, 1000, "/bin/bash", SSH_ENV);
	assert_session(p, "10.1.2.3", 5555, "ana");
	p = fork_of(13, 14);
	assert_session(p, "10.1.2.3", 5555, "ana");

	/* what the user says in the environment changes nothing */
	p = exec_env_of(14, 13, 1000, "/usr/bin/id", "SSH_CONNECTION=1.1.1.1 1 2.2.2.2 2");
	assert_session(p, "10.1.2.3", 5555, "ana");
	fork_of(13, 15);
	p = exec_env_of(15, 13, 0, "/usr/bin/su", "A=b");
	assert_session(p, "10.1.2.3", 5555, "ana");

	/* the leader is forgotten, its session is not: nor where a capture takes the table over */
	exit_of(13);
	now += 100 * SECOND;
	assert_session(open_of(15), "10.1.2.3", 5555, "ana");
	assert_int_equal(enrich_new(&o, &copy), 0);
	assert_int_equal(enrich_save(enrich, load_into, copy), 0);
	p = proctable_find(enrich_proctable(copy), 15, 15000);
	assert_non_null(p);
	assert_session(p, "10.1.2.3", 5555, "ana");
	enrich_free(copy);

	/* a session in a session: from that machine to here */
	fork_of(11, 16);
	p = exec_env_of(16, 11, 1000, "/bin/sh", "SSH_CLIENT=fe80::1%eth0 77 22;USER=ben");
	assert_session(p, "fe80::1%eth0", 77, "ben");

	/* neither an sshd of the user's own, nor a daemon that is not below a server, nor what is no address */
	fork_of(1, 20);
	exec_env_of(20, 1, 1000, "/home/ana/sshd", "A=b");
	head(EV_FORK, 20);
	rec.head.uid = rec.head.euid = 1000;
	rec.num[rec.proc + EVN_PROC_PID] = 21;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = 21000;
	send();
	p = exec_env_of(21, 20, 1000, "/bin/sh", SSH_ENV);
	assert_session(p, "", 0, "");
	fork_of(1, 22);
	p = exec_env_of(22, 1, 0, "/usr/sbin/cron", SSH_ENV);
	assert_session(p, "", 0, "");
	fork_of(11, 23);
	p = exec_env_of(23, 11, 1000, "/bin/sh", "SSH_CONNECTION=10.1.2 5 x;SSH_CLIENT=10.1.2.3 70000 22");
	assert_session(p, "", 0, "");
	end();
}

static const struct proc *signal_of(uint32_t pid, uint32_t target, uint32_t uid)
{
	head(EV_SIGNAL, pid);
	if (target) {
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_PID] = target;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_START] = target * 1000ull;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_IDS] = uid | (ev_u64)uid << 32;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_EIDS] = uid | (ev_u64)uid << 32;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_FSIDS] = uid | (ev_u64)uid << 32;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_CAP_EFFECTIVE] = 1ull << CAP_KILL;
		rec.num[EVN_SIGNAL_COUNT + EV_TARGET_AUID] = 1000;
	}
	send();
	return dec.ev.target;
}

/* The second process of an event: known with all that is above it, unknown, none, and never given up with the first. */
static void second_process(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(7, 1, "/bin/sh");
	fork_of(7, 8);
	exec_of(8, 7, "/bin/victim");
	exec_of(9, 1, "/bin/killer");
	p = signal_of(9, 8, 1);
	assert_chain(p, "victim sh");
	assert_str(p->v[SLOT_PROC_USER], "daemon"); /* its ids are taken over as an actor's are */
	assert_int_equal(p->v[SLOT_PROC_FSUID].num, 1);
	assert_int_equal(p->v[SLOT_PROC_CAP_EFFECTIVE].num, 1 << CAP_KILL);
	assert_int_equal(p->v[SLOT_PROC_AUID].num, 1000);
	assert_chain(dec.ev.proc, "killer");
	assert_ptr_equal(signal_of(9, 9, 0), dec.ev.proc);
	assert_null(signal_of(9, 0, 0));
	p = signal_of(9, 99, 1);
	assert_int_equal(p->v[SLOT_PROC_PID].num, 99);
	assert_int_equal(p->v[SLOT_PROC_UID].num, 1);
	exit_of(8);
	assert_chain(signal_of(9, 8, 1), "victim sh");
	end();

	begin(2, 0, NULL); /* room for both, and no more */
	exec_of(7, 1, "/bin/sh");
	exec_of(8, 1, "/bin/victim");
	exec_of(9, 1, "/bin/killer");
	assert_chain(signal_of(9, 8, 0), "victim");
	assert_chain(dec.ev.proc, "killer");
	assert_int_equal(signal_of(11, 10, 0)->v[SLOT_PROC_PID].num, 10);
	assert_int_equal(dec.ev.proc->v[SLOT_PROC_PID].num, 11);
	end();
}

static const struct proc *task_of(uint32_t pid, uint32_t ppid, const char *path)
{
	rec_begin(&rec, EV_EXEC);
	rec.head.type = EV_TASK;
	rec.head.flags = EV_F_CONTEXT;
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid * 1000ull;
	rec.head.boot_ns = now++;
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_PPID] = ppid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = pid * 1000ull;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	return send();
}

/* What the kernel tells of a process when it is asked: it completes what is known, and changes nothing of it. */
static void told_of_processes(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	exec_of(5, 1, "/bin/sh");
	open_of(99); /* its fork and exec were lost */
	fork_of(99, 100);
	p = task_of(99, 5, "/bin/late");
	assert_int_equal(dec.ev.type, EV_NONE);
	assert_int_equal(dec.ev.alive[0], 0);
	assert_str(p->v[SLOT_PROC_FILE_NAME], "late");
	assert_chain(p, "late sh");
	assert_ptr_equal(open_of(99), p);
	assert_int_equal(stats().pathless, 1);
	assert_int_equal(stats().completed, 1);
	/* its child, which had the parent's program when that was not known, is told of too, and stays forked */
	p = task_of(100, 99, "/bin/late");
	assert_chain(p, "late late sh");
	assert_int_equal(p->v[SLOT_PROC_IS_THREAD].num, 1);
	assert_int_equal(stats().completed, 2);

	/* a record of an exec is worth more: of a script, for one */
	exec_of(7, 5, "/bin/script");
	assert_chain(task_of(7, 5, "/bin/dash"), "script sh");
	assert_int_equal(stats().completed, 2);
	/* one that nobody knew */
	assert_chain(task_of(8, 5, "/bin/cat"), "cat sh");
	/* the end came first */
	exit_of(99);
	task_of(99, 5, "/bin/other");
	assert_str(exit_of(99)->v[SLOT_PROC_FILE_NAME], "late");
	end();
}

static void unknown_processes(void **state)
{
	const struct proc *p;

	(void)state;
	begin(0, 0, NULL);
	head(EV_OPEN, 99);
	rec.head.uid = 1;
	p = send();
	assert_int_equal(p->v[SLOT_PROC_PID].num, 99);
	assert_str(p->v[SLOT_PROC_USER], "daemon");
	assert_null(p->parent);
	assert_int_equal(stats().minimal, 1);
	/* its fork and exec, when they come, fill it in */
	assert_chain(exec_of(99, 98, "/bin/late"), "late");

	/* a fork whose parent is unknown, an exit of nobody */
	assert_non_null(fork_of(50, 51));
	assert_non_null(exit_of(60));
	assert_int_equal(stats().minimal, 3);
	end();
}

static void a_pid_that_is_used_again(void **state)
{
	const struct proc *old, *p;

	(void)state;
	begin(0, 0, NULL);
	old = exec_of(5, 1, "/bin/old");
	head(EV_FORK, 1); /* the exit of 5 was lost */
	rec.num[rec.proc + EVN_PROC_PID] = 5;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = 123456789;
	p = send();
	assert_ptr_not_equal(p, old);
	assert_ptr_equal(proctable_find(enrich_proctable(enrich), 5, 123456789), p);
	assert_ptr_equal(proctable_find(enrich_proctable(enrich), 5, 0), p);
	assert_ptr_equal(proctable_find(enrich_proctable(enrich), 5, 5000), old);
	end();
}

/* The dead stay while someone younger hangs on them, and a while longer. */
static void how_long_the_dead_stay(void **state)
{
	const struct proc *p;
	uint64_t images;

	(void)state;
	begin(0, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	fork_of(1, 10);
	exec_of(10, 1, "/bin/bash");
	fork_of(10, 11);
	p = exec_of(11, 10, "/bin/job");
	exit_of(10);
	now += 60 * SECOND;
	open_of(11);
	assert_chain(p, "job bash init");
	exit_of(11);
	now += 60 * SECOND;
	for (int i = 0; i < 3; i++) {
		open_of(1);
		now += 60 * SECOND;
	}
	assert_int_equal(stats().images, 1);
	assert_int_equal(stats().live, 1);
	assert_int_equal(stats().evicted, 0);

	/* nothing stays of a million short lives */
	for (uint32_t pid = 100; pid < 20100; pid++) {
		fork_of(1, pid);
		exec_of(pid, 1, "/bin/true");
		exit_of(pid);
		now += SECOND / 100;
	}
	images = stats().images;
	assert_true(images < 2000);
	assert_int_equal(stats().evicted, 0);
	end();
}

/* Generations that each end after the next is born: the chain must not grow for ever. */
static void an_endless_line(void **state)
{
	const struct proc *p = NULL;
	int n = 0;

	(void)state;
	begin(500, 0, NULL);
	exec_of(1, 0, "/sbin/init");
	for (uint32_t pid = 2; pid < 5000; pid++) {
		fork_of(pid - 1, pid);
		p = exec_of(pid, pid - 1, "/bin/next");
		exit_of(pid - 1);
	}
	assert_true(stats().images <= 500);
	assert_true(stats().evicted > 3000);
	for (; p; p = p->parent)
		n++;
	assert_true(n > 200 && n <= 500);
	end();
}

static void bounds(void **state)
{
	static char args[8000];
	const struct proc *p;

	(void)state;
	begin(100, 0, NULL);
	for (uint32_t pid = 1; pid < 1000; pid++) {
		p = exec_of(pid, 1, "/bin/alive");
		assert_int_equal(p->v[SLOT_PROC_PID].num, pid);
		assert_true(stats().images <= 100);
	}
	assert_true(stats().evicted_live >= 899);
	end();

	memset(args, 'a', sizeof(args));
	begin(0, 1 << 20, NULL);
	for (uint32_t pid = 1; pid < 1000; pid++) {
		p = exec_args_of(pid, 1, "/bin/alive", args, sizeof(args));
		assert_int_equal(p->v[SLOT_PROC_ARGV0].len, sizeof(args));
		assert_true(stats().bytes <= 1 << 20);
		/* whoever acts is kept */
		open_of(1);
	}
	p = proctable_find(enrich_proctable(enrich), 1, 0);
	assert_non_null(p);
	assert_true(p->v[SLOT_PROC_ARGV0].len == sizeof(args));
	end();

	/* too small for one image: still an answer for each record */
	begin(1, 1, NULL);
	assert_non_null(exec_of(1, 0, "/bin/a"));
	assert_non_null(fork_of(1, 2));
	assert_non_null(open_of(2));
	assert_int_equal(stats().images, 1);
	end();
}

static void the_cache(void **state)
{
	const struct proctable_cache *c;
	struct proctable *t;
	const struct proc *p;
	static char big[PROCTABLE_CACHE_MAX + 1];

	(void)state;
	begin(0, 0, NULL);
	t = enrich_proctable(enrich);
	p = exec_of(5, 1, "/bin/x");
	assert_null(proctable_cache_get(p));
	proctable_cache_set(t, p, "text", 4, 42);
	c = proctable_cache_get(p);
	assert_non_null(c);
	assert_int_equal(c->len, 4);
	assert_int_equal(c->version, 42);
	assert_memory_equal(c->text, "text", 4);
	head(EV_OPEN, 5);
	rec.head.uid = 7;
	send();
	assert_null(proctable_cache_get(p));
	proctable_cache_set(t, p, big, sizeof(big), 1);
	assert_null(proctable_cache_get(p));

	for (uint32_t pid = 10; pid < 1000; pid++)
		proctable_cache_set(t, exec_of(pid, 1, "/bin/x"), big, 32000, pid);
	assert_true(stats().bytes <= PROCTABLE_CACHE_BYTES + 1000 * 1500);
	end();
}

/* ---- the real /proc ------------------------------------------------------------------------------------------------ */

static void seeded_from_proc(void **state)
{
	char exe[512] = "";
	const struct proc *p;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	(void)state;
	if (n <= 0 || access("/proc/self/stat", R_OK) < 0)
		skip();
	begin(0, 0, "/proc");
	assert_int_equal(enrich_seed(enrich), 0);
	p = proctable_find(enrich_proctable(enrich), (uint32_t)getpid(), 0);
	assert_non_null(p);
	assert_str(p->v[SLOT_PROC_FILE_PATH], exe);
	assert_int_equal(p->v[SLOT_PROC_PPID].num, getppid());
	assert_int_equal(p->v[SLOT_PROC_UID].num, getuid());
	assert_true(p->v[SLOT_PROC_FILE_INODE].num > 0);
	if (p->v[SLOT_PROC_FILE_MOUNT_ID].num)
		assert_true(p->v[SLOT_PROC_FILE_FILESYSTEM].len > 0);
	assert_true(p->v[SLOT_PROC_ARGV0].len > 0);
	assert_true(p->v[SLOT_PROC_CREATED_AT].num > 1500000000000000000);
	assert_true(p->v[SLOT_PROC_COMM].len > 0);
	assert_true(p->v[SLOT_PROC_CGROUP_ID].len > 0);
	if (getppid() > 0)
		assert_non_null(p->parent);
	assert_true(stats().seeded >= 1);
	end();
}

/* When this process began, as records have it: to the nanosecond, which /proc does not tell. 0 where it cannot be told. */
static ev_u64 own_start(void)
{
	unsigned long long start;
	char line[1024];
	FILE *f = fopen("/proc/self/stat", "r");

	if (!f)
		return 0;
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(line, ')') + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
				&start),
			 1);
	return start * (1000000000u / (unsigned long long)sysconf(_SC_CLK_TCK)) + 1234567;
}

/* The record's start is exact, that of /proc is not: still one process. */
static void a_seeded_process_acts(void **state)
{
	const struct proc *p;
	const ev_u64 start = own_start();

	(void)state;
	if (!start)
		skip();
	begin(0, 0, "/proc");
	assert_int_equal(enrich_seed(enrich), 0);
	p = proctable_find(enrich_proctable(enrich), (uint32_t)getpid(), 0);
	head(EV_OPEN, (uint32_t)getpid());
	rec.head.start_ns = start;
	assert_ptr_equal(send(), p);
	assert_ptr_equal(proctable_find(enrich_proctable(enrich), (uint32_t)getpid(), rec.head.start_ns), p);
	assert_null(proctable_find(enrich_proctable(enrich), (uint32_t)getpid(), rec.head.start_ns + 1));
	assert_int_equal(stats().late + stats().minimal, 0);

	/* the exec that /proc has shown already comes out of the ring: no second image of it above */
	head(EV_EXEC, (uint32_t)getpid());
	rec.head.start_ns = start;
	rec.num[rec.proc + EVN_PROC_PID] = (ev_u64)getpid();
	rec.num[rec.proc + EVN_PROC_PPID] = (ev_u64)getppid();
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/bin/test");
	p = send();
	assert_true(!p->parent || p->parent->v[SLOT_PROC_PID].num != getpid());
	/* its arguments did not come: they are in /proc */
	assert_int_equal(stats().late_args, 1);
	assert_true(p->v[SLOT_PROC_ARGV0].len > 0);
	end();
}

/* The kernel tells of this process, which executes @path, that its file lies on an upper layer. */
static const struct proc *layer_told(ev_u64 start, const char *path)
{
	rec_begin(&rec, EV_EXEC);
	rec.head.type = EV_TASK;
	rec.head.flags = EV_F_CONTEXT;
	rec.head.pid = rec.head.tid = (uint32_t)getpid();
	rec.head.start_ns = start;
	rec.head.boot_ns = now++;
	rec.num[rec.proc + EVN_PROC_PID] = (ev_u64)getpid();
	rec.num[rec.proc + EVN_PROC_FILE_IN_UPPER] = 1;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	return send();
}

/* On which layer of an overlay a program lies /proc does not tell, and the kernel does: of the program that is known, and once. */
static void a_layer_that_proc_does_not_tell(void **state)
{
	const ev_u64 start = own_start();
	const struct proc *p, *child;
	uint64_t relinked;
	char exe[512] = "";

	(void)state;
	if (!start || readlink("/proc/self/exe", exe, sizeof(exe) - 1) <= 0)
		skip();
	begin(0, 0, "/proc");
	assert_int_equal(enrich_seed(enrich), 0);
	relinked = proctable_relinked(enrich_proctable(enrich));
	p = layer_told(start, "/bin/another");
	assert_int_equal(p->v[SLOT_PROC_FILE_IN_UPPER].num, 0);
	assert_true(proctable_relinked(enrich_proctable(enrich)) == relinked);
	p = layer_told(start, exe);
	assert_int_equal(p->v[SLOT_PROC_FILE_IN_UPPER].num, 1);
	assert_str(p->v[SLOT_PROC_FILE_PATH], exe);
	/* masks of processes that were made from the old word hold no more */
	assert_true(proctable_relinked(enrich_proctable(enrich)) != relinked);

	/* what a record of an exec says stands */
	exec_of(5, 1, exe);
	child = task_of(5, 1, exe);
	assert_int_equal(child->v[SLOT_PROC_FILE_IN_UPPER].num, 0);
	rec.num[rec.proc + EVN_PROC_FILE_IN_UPPER] = 1;
	rec.head.boot_ns = now++;
	assert_ptr_equal(send(), child);
	assert_int_equal(child->v[SLOT_PROC_FILE_IN_UPPER].num, 0);
	end();
}

static void a_child_that_vanishes(void **state)
{
	pid_t child;
	const struct proc *p;

	(void)state;
	if (access("/proc/self/stat", R_OK) < 0)
		skip();
	begin(0, 0, "/proc");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	head(EV_OPEN, (uint32_t)child);
	rec.head.start_ns = 0;
	p = send();
	assert_int_equal(stats().late, 1);
	assert_int_equal(p->v[SLOT_PROC_PPID].num, getpid());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	enrich_tick(enrich);
	assert_int_equal(stats().vanished, 1);
	assert_null(proctable_find(enrich_proctable(enrich), (uint32_t)child, 0));
	end();
}

static void no_flood_of_look_ups(void **state)
{
	(void)state;
	if (access("/proc/self/stat", R_OK) < 0)
		skip();
	begin(0, 0, "/proc");
	for (uint32_t pid = 5000000; pid < 5010000; pid++)
		open_of(pid);
	assert_true(stats().over_budget > 0);
	assert_int_equal(stats().minimal, 10000);
	end();
}

/* Any order of records and any numbers: nothing breaks, every record gets a process. */
static void random_lives(void **state)
{
	(void)state;
	srand(3);
	begin(200, 1 << 20, NULL);
	for (int i = 0; i < 200000; i++) {
		uint32_t pid = (uint32_t)rand() % 100, other = (uint32_t)rand() % 100;
		const struct proc *p = NULL;

		switch (rand() % 6) {
		case 0:
		case 1:
			p = fork_of(pid, other);
			break;
		case 2:
			p = exec_of(pid, other, rand() % 2 ? "/bin/a" : "/bin/b");
			break;
		case 3:
			p = exit_of(pid);
			break;
		case 4:
			head(EV_OPEN, pid);
			rec.head.start_ns = (ev_u64)(rand() % 3) * 1000;
			rec.head.uid = (ev_u32)rand() % 3;
			p = send();
			break;
		default:
			now += (uint64_t)rand() % SECOND;
			p = open_of(pid);
		}
		assert_non_null(p);
		for (int n = 0; p; p = p->parent, n++)
			assert_true(n <= 200);
	}
	end();
}

/* ---- what others keep of a process ----------------------------------------------------------------------------------- */

static struct {
	uint32_t pid;
	bool still; /* there are other images of it */
} gone[16];
static int ngone;

static void note_gone(void *ctx, uint32_t pid, uint64_t start)
{
	assert_int_equal(start, pid * 1000ull);
	assert_true(ngone < 16);
	gone[ngone].pid = pid;
	gone[ngone++].still = proctable_any(ctx, pid, start);
}

/* A process is the same before and after its exec; it is gone when the last of its images is. */
static void what_is_gone(void **state)
{
	struct proctable *t;

	(void)state;
	begin(0, 0, NULL);
	t = enrich_proctable(enrich);
	proctable_on_gone(t, note_gone, t);
	ngone = 0;
	exec_of(10, 1, "/bin/sh");
	assert_int_equal(fork_of(10, 20)->start, 20000);
	assert_int_equal(fork_of(20, 30)->start, 30000);
	assert_int_equal(exec_of(20, 10, "/bin/true")->start, 20000);
	assert_int_equal(exec_of(20, 10, "/bin/false")->start, 20000);
	exit_of(20);
	now += 5 * SECOND;
	open_of(10);
	assert_true(ngone > 0); /* images of 20, but not what forked 30 */
	for (int i = 0; i < ngone; i++)
		assert_true(gone[i].pid == 20 && gone[i].still);
	ngone = 0;
	exit_of(30);
	now += 5 * SECOND;
	open_of(10);
	open_of(10);
	assert_int_equal(ngone, 2);
	assert_int_equal(gone[0].pid, 30);
	assert_int_equal(gone[1].pid, 20);
	assert_false(gone[0].still || gone[1].still);
	proctable_on_gone(t, NULL, NULL);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_gone),
		cmocka_unit_test(fork_and_exec),
		cmocka_unit_test(refused_exec),
		cmocka_unit_test(exec_on_exec),
		cmocka_unit_test(a_parent_that_execs_later),
		cmocka_unit_test(credentials),
		cmocka_unit_test(all_credentials),
		cmocka_unit_test(changed_credentials),
		cmocka_unit_test(credentials_after),
		cmocka_unit_test(containers),
		cmocka_unit_test(containers_of_version_1),
		cmocka_unit_test(container_facts),
		cmocka_unit_test(ssh_sessions),
		cmocka_unit_test(unknown_processes),
		cmocka_unit_test(a_pid_that_is_used_again),
		cmocka_unit_test(how_long_the_dead_stay),
		cmocka_unit_test(an_endless_line),
		cmocka_unit_test(bounds),
		cmocka_unit_test(the_cache),
		cmocka_unit_test(second_process),
		cmocka_unit_test(told_of_processes),
		cmocka_unit_test(seeded_from_proc),
		cmocka_unit_test(a_seeded_process_acts),
		cmocka_unit_test(a_layer_that_proc_does_not_tell),
		cmocka_unit_test(a_child_that_vanishes),
		cmocka_unit_test(no_flood_of_look_ups),
		cmocka_unit_test(random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
