/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings, their protection, files in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

#define PAGE 4096

enum { I386_OLD_MMAP = 90, I386_MPROTECT = 125, I386_MEMFD_CREATE = 356 };

static int mapped(const void *p)
{
	return p == MAP_FAILED ? -errno : 0;
}

/* ---- mmap ---------------------------------------------------------------------------------------------------------- */

static int act_mmap(const struct spot *s)
{
	return mapped(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, open(s->f, O_RDONLY), 0));
}
static int act_mmap_shared(const struct spot *s)
{
	return mapped(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open(s->f, O_RDWR), 0));
}

static int act_mmap_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : mapped(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, open(s->df, O_RDONLY), 0));
}

/* No memory is ever mapped so by anybody else: shared, and all that can be asked for. */
static int act_mmap_anonymous(const struct spot *s)
{
	(void)s;
	return mapped(mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/* A shared mapping that can be written, of a file that is open for reading. */
static int act_mmap_denied(const struct spot *s)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open(s->f, O_RDONLY), 0);

	return p == MAP_FAILED && errno == EACCES ? 0 : -EPROTO;
}

/* The call whose arguments are in memory. */
static int act_mmap_compat(const struct spot *s)
{
	const uint32_t args[6] = { 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, (uint32_t)open(s->f, O_RDONLY), 0 };
	int r = compat(I386_OLD_MMAP, low_bytes(args, sizeof(args)), 0, 0);

	return r < 0 && r > -4096 ? r : 0; /* an address of 32 bits may look negative */
}

/* ---- mprotect ------------------------------------------------------------------------------------------------------ */

static int act_mprotect(const struct spot *s)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open(s->f, O_RDONLY), 0);

	return p == MAP_FAILED ? -errno : res(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
}

static int act_mprotect_anonymous(const struct spot *s)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	return p == MAP_FAILED ? -errno : res(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
}

/* Two mappings side by side, of which the second is the file's. */
static int act_mprotect_two(const struct spot *s)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, open(s->f, O_RDONLY), 0) == MAP_FAILED)
		return -errno;
	return res(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC));
}

static int act_mprotect_pkey(const struct spot *s)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open(s->f, O_RDONLY), 0);

	return p == MAP_FAILED ? -errno : res(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ | PROT_EXEC, -1));
}

/* What is open for reading only cannot become writable where it is shared. */
static int act_mprotect_denied(const struct spot *s)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open(s->f, O_RDONLY), 0);

	if (p == MAP_FAILED)
		return -errno;
	return mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0 && errno == EACCES ? 0 : -EPROTO;
}

static int act_mprotect_compat(const struct spot *s)
{
	long p = low_bytes("", 1);

	(void)s;
	return compat(I386_MPROTECT, p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* ---- memfd_create -------------------------------------------------------------------------------------------------- */

#define MEMFD "tamis-matrix"

static int act_memfd(const struct spot *s)
{
	(void)s;
	return res(memfd_create(MEMFD, MFD_CLOEXEC | MFD_ALLOW_SEALING));
}
static int act_memfd_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_MEMFD_CREATE, low(MEMFD), MFD_CLOEXEC | MFD_ALLOW_SEALING, 0);
}

#define MMAP(path, flags, prot) "mmap.file.path=" path, "mmap.flags=" flags, "mmap.protection=" prot
/* On the tracepoint rung the file and the protection before are not known. */
#define MPROTECT(req) "mprotect.req_protection=" req
#define MPROTECT_FILE "mprotect.file.path=%d/f", "mprotect.vm_protection&7=1"

const struct row rows_memory[] = {
	{ "mmap", NULL, act_mmap, .expect = { MMAP("%d/f", "2", "5"), RET("0"), SYNC } },
	{ "mmap.shared", NULL, act_mmap_shared, .expect = { MMAP("%d/f", "1", "3"), RET("0") } },
	{ "mmap.bindmount", NULL, act_mmap_bindmount, .expect = { MMAP("%d/d/f", "2", "5"), RET("0") } },
	{ "mmap.anonymous", NULL, act_mmap_anonymous,
	  .expect = { "mmap.flags=33", "mmap.protection=7", "mmap.file.inode=0", RET("0") } },
	{ "mmap.denied", NULL, act_mmap_denied, .expect = { MMAP("%d/f", "1", "3"), RET("-13") } },
	{ "mmap.compat", NULL, act_mmap_compat, .expect = { MMAP("%d/f", "2", "5"), RET("0") } },

	{ "mprotect", NULL, act_mprotect, .expect = { MPROTECT("5"), RET("0"), SYNC } },
	{ "mprotect.file", NULL, act_mprotect, .expect = { MPROTECT("5"), MPROTECT_FILE, RET("0") } },
	{ "mprotect.anonymous", NULL, act_mprotect_anonymous, .expect = { MPROTECT("7"), RET("0") } },
	{ "mprotect.two", NULL, act_mprotect_two, .expect = { MPROTECT("5"), MPROTECT_FILE, RET("0") } },
	{ "mprotect.pkey", NULL, act_mprotect_pkey, .expect = { MPROTECT("5"), RET("0") } },
	{ "mprotect.denied", NULL, act_mprotect_denied, .expect = { MPROTECT("7"), RET("-13") } },
	{ "mprotect.compat", NULL, act_mprotect_compat, .expect = { MPROTECT("7"), RET("0") } },

	{ "memfd_create", NULL, act_memfd,
	  .expect = { "memfd_create.name=" MEMFD, "memfd_create.flags=3", RET("0"), SYNC } },
	{ "memfd_create.compat", NULL, act_memfd_compat,
	  .expect = { "memfd_create.name=" MEMFD, "memfd_create.flags=3", RET("0") } },
	{ 0 },
};
