/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bundle.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/sig.h"
#include "lib/sieve_io.h"
#include "sensor/priv/fetch.h"
#include "sensor/priv/hostinfo.h"
#include "sensor/priv/kin.h"

#define KIN_MAX (16u << 20)

DEFINE_CLEANUP(struct bundle *, bundle_done);
DEFINE_CLEANUP(struct sig_key *, sig_key_free);

static void *read_all(int fd, const char *file, size_t *ret_size, struct err *e)
{
	_cleanup_free_ char *p = NULL;
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a file", file), NULL;
	if (st.st_size > BUNDLE_SIZE_MAX)
		return err_set(e, -EFBIG, "%s is too big for a bundle", file), NULL;
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return err_set(e, -ENOMEM, "no memory for %s", file), NULL;
	while (n < (size_t)st.st_size) {
		ssize_t got = pread(fd, p + n, (size_t)st.st_size - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(e, -EIO, "cannot read %s: %s", file,
				       got ? strerror(errno) : "it became shorter"),
			       NULL;
		n += (size_t)got;
	}
	*ret_size = n;
	return TAKE_PTR(p);
}

/* The file's name, made fit for messages and records. What the bundle says of itself is for others to read. */
static void set_name(struct policy_file *p, const char *file)
{
	const char *base = strrchr(file, '/');

	snprintf(p->name, sizeof(p->name), "%s", base ? base + 1 : file);
	for (char *c = p->name; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

/* Others map it: sealed, it cannot change under their checks. */
static int seal(const char *name, const void *bytes, size_t size, int *ret_fd, struct err *e)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t n = 0;

	if (fd < 0)
		return err_set(e, -errno, "cannot make a memory file: %s", strerror(errno));
	while (n < size) {
		ssize_t put = write(fd, (const char *)bytes + n, size - n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return err_set(e, -EIO, "cannot fill a memory file: %s", strerror(errno));
		n += (size_t)put;
	}
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_set(e, -errno, "cannot seal a memory file: %s", strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Rules that say on which hosts they are meant to work. */
static int take_filters(struct policy_file *p, const struct bundle *b, struct program *program, const char *file,
			struct err *e)
{
	size_t size;
	const void *bytes = bundle_section(b, BUNDLE_FILTERS, &size);
	/* the bundle's bytes are our own, and nobody else's yet */
	struct prule *rules = (struct prule *)program->rules;
	int r;

	for (uint32_t i = 0; i < program->nrules; i++)
		if (rules[i].flags & PRULE_OFF || (rules[i].filter && !bytes))
			return err_set(e, -EBADMSG, "%s has a rule whose filter is missing", file);
	if (!bytes)
		return 0;
	r = hostinfo_filter(bytes, size, program, rules, &p->off, e);
	return r < 0 ? err_set(e, r, "%s: %s (build it anew with this version's tamisc)", file, e ? e->msg : "") : 0;
}

static int take_program(struct policy_file *p, const struct bundle *b, const char *file, struct err *e)
{
	struct program program;
	size_t size;
	const void *bytes = bundle_section(b, BUNDLE_PROGRAM, &size);
	int r;

	if (!bytes)
		return err_set(e, -EBADMSG, "%s holds no rules: build it anew with tamisc", file);
	r = program_load(catalog_tamis(), bytes, size, &program, e);
	if (r < 0)
		return err_set(e, r, "%s: %s (build it anew with this version's tamisc)", file, e ? e->msg : "");
	for (uint32_t i = 0; i < program.nrules; i++)
		p->rules += !(program.rules[i].flags & PRULE_MADE);
	r = take_filters(p, b, &program, file, e);
	if (r < 0)
		return r;
	p->fetches = fetch_wants(&program);
	r = kills_of_program(&program, &p->kills);
	return r < 0 ? err_set(e, r, "no memory for the actions of %s", file)
		     : seal("tamis-program", bytes, size, &p->program_fd, e);
}

static int take_watches(struct policy_file *p, const struct bundle *b, struct err *e)
{
	size_t size;
	const void *bytes = bundle_section(b, BUNDLE_WATCHES, &size);

	return bytes ? seal("tamis-watches", bytes, size, &p->watches_fd, e) : 0;
}

static int take_kin(struct policy_file *p, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, KIN_MAX);
	r = kin_pack(p->sieve, &b);
	r = r < 0 ? err_set(e, r, "no memory for what rules ask of the processes above")
		  : seal("tamis-kin", b.data, b.len, &p->kin_fd, e);
	buf_done(&b);
	return r;
}

static int take_sieve(struct policy_file *p, const struct bundle *b, const char *file, struct err *e)
{
	size_t size;
	const void *bytes = bundle_section(b, BUNDLE_SIEVE, &size);
	int r;

	if (!bytes)
		return err_set(e, -EBADMSG, "%s holds no sieve: build it anew with tamisc", file);
	p->sieve = malloc(sizeof(*p->sieve));
	if (!p->sieve)
		return err_set(e, -ENOMEM, "no memory for the sieve");
	r = sieve_unpack(bytes, size, p->sieve, e);
	return r < 0 ? err_set(e, r, "%s: %s (build it anew with this version's tamisc)", file, e ? e->msg : "")
		     : take_kin(p, e);
}

int policy_file_open(int fd, const char *file, struct sig_key *trust, struct policy_file *ret, struct err *e)
{
	struct policy_file p = { .program_fd = -1, .kin_fd = -1, .watches_fd = -1 };
	struct bundle b = { 0 };
	_cleanup_(bundle_done) struct bundle *bundle = &b;
	_cleanup_free_ void *bytes = NULL;
	size_t size;
	int r;

	*ret = p;
	bytes = read_all(fd, file, &size, e);
	if (!bytes)
		return -EINVAL;
	r = bundle_parse(bytes, size, trust, bundle, e);
	if (r < 0)
		return err_set(e, r, "%s: %s", file, e ? e->msg : "");
	hash_hex(b.sha256, HASH_SIZE, p.sha256);
	set_name(&p, file);
	r = take_program(&p, bundle, file, e);
	if (r == 0)
		r = take_sieve(&p, bundle, file, e);
	if (r == 0)
		r = take_watches(&p, bundle, e);
	if (r < 0) {
		policy_file_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

int policy_file_find(const char *path, const char *trust, bool allow_unsigned, struct sig_key **ret_key,
		     struct policy_file *ret, struct err *e)
{
	_cleanup_(sig_key_free) struct sig_key *key = NULL;
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (!trust && !allow_unsigned)
		return err_set(e, -EKEYREJECTED,
			       "whose policy is %s? name the key with --trust PUB.pem, or take any with "
			       "--allow-unsigned",
			       path);
	if (allow_unsigned)
		log_warn("--allow-unsigned: %s is taken whoever made it", path);
	else
		r = sig_load_public(trust, &key, e);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, -errno, "cannot open the policy", path);
	r = policy_file_open(fd, path, key, ret, e);
	*ret_key = r < 0 ? NULL : TAKE_PTR(key);
	return r;
}

void policy_file_forget_sieve(struct policy_file *p)
{
	free(p->sieve);
	p->sieve = NULL;
}

void policy_file_done(struct policy_file *p)
{
	policy_file_forget_sieve(p);
	kills_done(&p->kills);
	if (p->program_fd >= 0)
		close(p->program_fd);
	if (p->kin_fd >= 0)
		close(p->kin_fd);
	if (p->watches_fd >= 0)
		close(p->watches_fd);
	*p = (struct policy_file){ .program_fd = -1, .kin_fd = -1, .watches_fd = -1 };
}
