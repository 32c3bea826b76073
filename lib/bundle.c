/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/sig.h"

#define ALIGN	   64
#define HEAD_SIZE  24
#define ENTRY_SIZE 24

static size_t align_up(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static size_t end_of_table(size_t nsections)
{
	return HEAD_SIZE + nsections * ENTRY_SIZE;
}

static void put_table(struct buf *out, const struct bundle_part *parts, size_t n)
{
	size_t end = end_of_table(n);

	for (size_t i = 0; i < n; i++) {
		size_t offset = align_up(end);

		buf_put_u32(out, parts[i].type);
		buf_put_u32(out, 0);
		buf_put_u64(out, offset);
		buf_put_u64(out, parts[i].size);
		end = offset + parts[i].size;
	}
}

static void put_sections(struct buf *out, const struct bundle_part *parts, size_t n)
{
	static const uint8_t zero[ALIGN];

	for (size_t i = 0; i < n; i++) {
		buf_put(out, zero, align_up(out->len) - out->len);
		buf_put(out, parts[i].p, parts[i].size);
	}
}

static size_t size_of_body(const struct bundle_part *parts, size_t n)
{
	size_t end = end_of_table(n);

	for (size_t i = 0; i < n; i++)
		end = align_up(end) + parts[i].size;
	return end;
}

static int put_signature(struct buf *out, struct sig_key *key, struct err *err)
{
	uint8_t digest[HASH_SIZE], der[SIG_MAX], id[SIG_KEY_ID] = { 0 };
	size_t len = 0;

	if (key) {
		hash_sha256(out->data, out->len, digest);
		if (sig_sign(key, digest, der, &len) < 0)
			return err_set(err, -EINVAL, "cannot sign: the key is no private key");
		memcpy(id, sig_key_hash(key), sizeof(id));
	}
	buf_put_u32(out, (uint32_t)len);
	buf_put(out, der, len);
	buf_put(out, id, sizeof(id));
	return 0;
}

static int make(struct buf *out, const struct bundle_part *parts, size_t n, struct sig_key *key, struct err *err)
{
	int r;

	buf_put(out, BUNDLE_MAGIC, 8);
	buf_put_u32(out, BUNDLE_VERSION);
	buf_put_u32(out, (uint32_t)n);
	buf_put_u64(out, size_of_body(parts, n));
	put_table(out, parts, n);
	put_sections(out, parts, n);
	if (buf_error(out))
		return err_set(err, buf_error(out), "the bundle does not fit: at most %u MiB", BUNDLE_SIZE_MAX >> 20);
	r = put_signature(out, key, err);
	if (r < 0)
		return r;
	return buf_error(out)
		       ? err_set(err, buf_error(out), "the bundle does not fit: at most %u MiB", BUNDLE_SIZE_MAX >> 20)
		       : 0;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int write_synced(int fd, const struct buf *b)
{
	int r = write_all(fd, b->data, b->len);

	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* A file beside @path that takes its place once it is complete. */
static int replace_file(const char *path, const struct buf *b, struct err *err)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, -errno, "cannot create", path);
	r = write_synced(fd, b);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(tmp);
	return err_sys(err, r, "cannot write", path);
}

int bundle_write(const char *path, const struct bundle_part *parts, size_t n, struct sig_key *key, struct err *err)
{
	struct buf out;
	int r;

	if (n > BUNDLE_SECTIONS_MAX)
		return err_set(err, -EINVAL, "%zu sections in a bundle: at most %d", n, BUNDLE_SECTIONS_MAX);
	for (size_t i = 1; i < n; i++)
		if (parts[i - 1].type >= parts[i].type)
			return err_set(err, -EINVAL, "sections of a bundle have to ascend by type");
	buf_init(&out, BUNDLE_SIZE_MAX);
	r = make(&out, parts, n, key, err);
	if (r == 0)
		r = replace_file(path, &out, err);
	buf_done(&out);
	return r;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

#define BAD(err, ...) err_set(err, -EBADMSG, "no valid bundle: " __VA_ARGS__)

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int read_head(struct rd *r, uint32_t *ret_nsections, uint64_t *ret_body, struct err *err)
{
	const uint8_t *magic;
	uint32_t version;

	if (rd_bytes(r, 8, &magic) < 0 || memcmp(magic, BUNDLE_MAGIC, 8) != 0)
		return BAD(err, "it does not begin with " BUNDLE_MAGIC "; a policy is compiled by tamisc build");
	if (rd_u32(r, &version) < 0)
		return BAD(err, "it ends in its head");
	if (version != BUNDLE_VERSION)
		return err_set(
			err, -EPROTONOSUPPORT,
			"bundle of version %u, this program reads version %d; build it with this version's tamisc",
			version, BUNDLE_VERSION);
	if (rd_u32(r, ret_nsections) < 0 || rd_u64(r, ret_body) < 0)
		return BAD(err, "it ends in its head");
	if (*ret_nsections > BUNDLE_SECTIONS_MAX)
		return BAD(err, "%u sections, at most %d", *ret_nsections, BUNDLE_SECTIONS_MAX);
	return 0;
}

/* One line of the table. *end is where the section before it ended, and becomes where this one ends. */
static int read_entry(struct rd *r, struct bundle *b, uint64_t body, size_t *end)
{
	uint32_t type, pad;
	uint64_t offset, size;
	const uint8_t *bytes = b->bytes;

	if (rd_u32(r, &type) < 0 || rd_u32(r, &pad) < 0 || rd_u64(r, &offset) < 0 || rd_u64(r, &size) < 0 || pad)
		return -EBADMSG;
	if (b->nsections && type <= b->section[b->nsections - 1].type)
		return -EBADMSG;
	if (offset != align_up(*end) || offset > body || size > body - offset || !all_zero(bytes + *end, offset - *end))
		return -EBADMSG;
	b->section[b->nsections].type = type;
	b->section[b->nsections].p = bytes + offset;
	b->section[b->nsections++].size = size;
	*end = offset + size;
	return 0;
}

static int read_table(struct rd *r, struct bundle *b, uint32_t nsections, uint64_t body, struct err *err)
{
	size_t end = end_of_table(nsections);

	if (body > b->size || end > body)
		return BAD(err, "it is shorter than its head says");
	for (uint32_t i = 0; i < nsections; i++)
		if (read_entry(r, b, body, &end) < 0)
			return BAD(err, "section %u of its table", i);
	return end == body ? 0 : BAD(err, "it has bytes that belong to no section");
}

static int check_signature(const struct bundle *b, size_t body, const uint8_t *der, size_t len, struct sig_key *trust,
			   struct err *err)
{
	char hex[2 * SIG_KEY_ID + 1];
	uint8_t digest[HASH_SIZE];

	if (!b->key_id)
		return err_set(err, -EKEYREJECTED,
			       "the bundle is not signed; sign it with tamisc build --sign KEY.pem");
	if (memcmp(b->key_id, sig_key_hash(trust), SIG_KEY_ID) != 0) {
		hash_hex(b->key_id, SIG_KEY_ID, hex);
		return err_set(
			err, -EKEYREJECTED,
			"the bundle is signed by key %s, trusted is %s; sign it with the trusted key, or trust the other",
			hex, sig_key_id(trust));
	}
	hash_sha256(b->bytes, body, digest);
	if (sig_verify(trust, digest, der, len) < 0)
		return err_set(
			err, -EKEYREJECTED,
			"the bundle's signature does not fit its bytes: it was changed or damaged; build it again");
	return 0;
}

static int read_signature(struct bundle *b, size_t body, struct sig_key *trust, struct err *err)
{
	struct rd r = rd_of((const uint8_t *)b->bytes + body, b->size - body);
	const uint8_t *der, *id;
	uint32_t len;

	if (rd_u32(&r, &len) < 0 || len > SIG_MAX || rd_bytes(&r, len, &der) < 0 || rd_bytes(&r, SIG_KEY_ID, &id) < 0 ||
	    rd_end(&r) < 0)
		return BAD(err, "its signature is cut off or too long");
	if (len == 0 && !all_zero(id, SIG_KEY_ID))
		return BAD(err, "a key, but no signature");
	b->key_id = len ? id : NULL;
	return trust ? check_signature(b, body, der, len, trust, err) : 0;
}

/* Takes bytes over, also on error. */
static int parse(void *bytes, size_t size, struct sig_key *trust, struct bundle *ret, struct err *err)
{
	struct bundle b = { .bytes = bytes, .size = size };
	struct rd rd = rd_of(bytes, size);
	uint32_t nsections = 0;
	uint64_t body = 0;
	int r;

	r = read_head(&rd, &nsections, &body, err);
	if (r == 0)
		r = read_table(&rd, &b, nsections, body, err);
	if (r == 0)
		r = read_signature(&b, body, trust, err);
	if (r < 0) {
		bundle_done(&b);
		return r;
	}
	hash_sha256(bytes, size, b.sha256);
	*ret = b;
	return 0;
}

static int alloc_bytes(size_t size, void **ret, struct err *err)
{
	if (size > BUNDLE_SIZE_MAX)
		return err_set(err, -EFBIG, "%zu bytes: more than the %u MiB that a bundle may have", size,
			       BUNDLE_SIZE_MAX >> 20);
	*ret = aligned_alloc(ALIGN, align_up(size + 1));
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int bundle_parse(const void *bytes, size_t size, struct sig_key *trust, struct bundle *ret, struct err *err)
{
	void *copy;
	int r;

	*ret = (struct bundle){ 0 };
	r = alloc_bytes(size, &copy, err);
	if (r < 0)
		return r;
	if (size)
		memcpy(copy, bytes, size);
	return parse(copy, size, trust, ret, err);
}

static int read_file(const char *path, void **ret, size_t *ret_size, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ void *bytes = NULL;
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return BAD(err, "it is no regular file");
	r = alloc_bytes((size_t)st.st_size, &bytes, err);
	if (r < 0)
		return r;
	n = fs_read(fd, bytes, (size_t)st.st_size);
	if (n < 0)
		return err_set(err, (int)n, "cannot read: %s", strerror((int)-n));
	if (n < st.st_size)
		return err_set(err, -EBADMSG, "cannot read: the file became shorter meanwhile");
	*ret = TAKE_PTR(bytes);
	*ret_size = (size_t)st.st_size;
	return 0;
}

int bundle_read(const char *path, struct sig_key *trust, struct bundle *ret, struct err *err)
{
	struct err why = { .msg = "" };
	void *bytes = NULL;
	size_t size = 0;
	int r;

	*ret = (struct bundle){ 0 };
	r = read_file(path, &bytes, &size, &why);
	if (r == 0)
		r = parse(bytes, size, trust, ret, &why);
	return r < 0 ? err_set(err, r, "%s: %s", path, why.msg) : 0;
}

const void *bundle_section(const struct bundle *b, uint32_t type, size_t *ret_size)
{
	for (uint32_t i = 0; i < b->nsections; i++)
		if (b->section[i].type == type) {
			*ret_size = b->section[i].size;
			return b->section[i].p;
		}
	*ret_size = 0;
	return NULL;
}

void bundle_done(struct bundle *b)
{
	free(b->bytes);
	*b = (struct bundle){ 0 };
}
