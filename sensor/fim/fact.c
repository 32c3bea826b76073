/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/fact.h"

#include <stdio.h>

#define VERSION 1

enum { HASHED = 1, NO_TRUSTED = 2, FLAGS = 3 };

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

void fact_put_number(struct buf *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_put(b, bytes, n);
}

/* Only the shortest form, so that equal numbers are equal bytes. */
int fact_get_number(struct rd *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t c;

		if (rd_u8(r, &c) < 0 || (shift == 63 && c > 1))
			return -EBADMSG;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c & 0x80)
			continue;
		*ret = v;
		return c == 0 && shift ? -EBADMSG : 0;
	}
	return -EBADMSG;
}

static int get_u32(struct rd *r, uint32_t *ret)
{
	uint64_t v;

	if (fact_get_number(r, &v) < 0 || v > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)v;
	return 0;
}

/* Negative seconds (before 1970) as zigzag. */
static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void put_time(struct buf *b, const struct fact_time *t)
{
	fact_put_number(b, zigzag(t->s));
	fact_put_number(b, t->ns);
}

static int get_time(struct rd *r, struct fact_time *ret)
{
	uint64_t s;

	if (fact_get_number(r, &s) < 0 || get_u32(r, &ret->ns) < 0 || ret->ns >= 1000000000)
		return -EBADMSG;
	ret->s = (int64_t)(s >> 1 ^ (0 - (s & 1)));
	return 0;
}

static void put_bytes(struct buf *b, const uint8_t *p, uint32_t n)
{
	fact_put_number(b, n);
	buf_put(b, p, n);
}

static int get_bytes(struct rd *r, uint32_t max, const uint8_t **ret, uint32_t *ret_n)
{
	if (get_u32(r, ret_n) < 0 || *ret_n > max || rd_bytes(r, *ret_n, ret) < 0)
		return -EBADMSG;
	return 0;
}

int fact_put(const struct fact *f, struct buf *out)
{
	const uint64_t numbers[] = { f->have,  f->mode,	  f->uid,   f->gid,  f->size,
				     f->inode, f->device, f->links, f->rdev, f->chattr };

	buf_putc(out, VERSION);
	buf_putc(out, f->type);
	buf_putc(out, f->unread);
	buf_putc(out, (f->hashed ? HASHED : 0) | (f->no_trusted ? NO_TRUSTED : 0));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		fact_put_number(out, numbers[i]);
	put_time(out, &f->mtime);
	put_time(out, &f->ctime);
	if (f->hashed)
		buf_put(out, f->sha256, HASH_SIZE);
	put_bytes(out, f->target, f->target_len);
	put_bytes(out, f->xattrs, f->xattrs_len);
	return buf_error(out);
}

static int get_numbers(struct rd *r, struct fact *f)
{
	if (get_u32(r, &f->have) < 0 || get_u32(r, &f->mode) < 0 || get_u32(r, &f->uid) < 0 ||
	    get_u32(r, &f->gid) < 0 || fact_get_number(r, &f->size) < 0 || fact_get_number(r, &f->inode) < 0 ||
	    fact_get_number(r, &f->device) < 0 || fact_get_number(r, &f->links) < 0 ||
	    fact_get_number(r, &f->rdev) < 0 || get_u32(r, &f->chattr) < 0 || get_time(r, &f->mtime) < 0 ||
	    get_time(r, &f->ctime) < 0)
		return -EBADMSG;
	return f->have & ~(uint32_t)WATCH_ALL || f->mode & ~07777u ? -EBADMSG : 0;
}

static int check_xattrs(const struct fact *f)
{
	struct rd r = rd_of(f->xattrs, f->xattrs_len);
	const uint8_t *last = NULL;
	uint32_t last_len = 0;

	while (r.left) {
		const uint8_t *name, *value;
		uint32_t n, m;
		int c;

		if (get_bytes(&r, 255, &name, &n) < 0 || !n || memchr(name, '\0', n) ||
		    get_bytes(&r, FACT_XATTRS_MAX, &value, &m) < 0)
			return -EBADMSG;
		c = last ? memcmp(last, name, last_len < n ? last_len : n) : -1;
		if (c > 0 || (c == 0 && last_len >= n))
			return -EBADMSG;
		last = name;
		last_len = n;
	}
	return 0;
}

int fact_read(const void *p, size_t n, struct fact *ret)
{
	struct rd r = rd_of(p, n);
	struct fact f = { 0 };
	const uint8_t *digest;
	uint8_t version, flags;

	if (n > FACT_SIZE_MAX || rd_u8(&r, &version) < 0 || version != VERSION || rd_u8(&r, &f.type) < 0 || !f.type ||
	    f.type >= FACT_TYPES || rd_u8(&r, &f.unread) < 0 || f.unread >= FACT_UNREADS || rd_u8(&r, &flags) < 0 ||
	    flags > FLAGS || get_numbers(&r, &f) < 0)
		return -EBADMSG;
	f.hashed = flags & HASHED;
	f.no_trusted = flags & NO_TRUSTED;
	if (f.hashed) {
		if (rd_bytes(&r, HASH_SIZE, &digest) < 0)
			return -EBADMSG;
		memcpy(f.sha256, digest, HASH_SIZE);
	}
	if (get_bytes(&r, FACT_TARGET_MAX, &f.target, &f.target_len) < 0 ||
	    get_bytes(&r, FACT_XATTRS_MAX, &f.xattrs, &f.xattrs_len) < 0 || rd_end(&r) < 0 || check_xattrs(&f) < 0)
		return -EBADMSG;
	*ret = f;
	return 0;
}

bool fact_xattr_next(struct rd *r, struct fact_xattr *ret)
{
	const uint8_t *name;

	if (!r->left || get_bytes(r, 255, &name, &ret->name_len) < 0 ||
	    get_bytes(r, FACT_XATTRS_MAX, &ret->value, &ret->value_len) < 0)
		return false;
	ret->name = (const char *)name;
	return true;
}

/* ---- what differs -------------------------------------------------------------------------------------------------- */

uint32_t fact_xattr_attr(const char *name, size_t len)
{
	static const struct {
		const char *name;
		uint32_t attr;
	} known[] = { { "security.capability", WATCH_CAPABILITIES },
		      { "security.selinux", WATCH_SELINUX },
		      { "system.posix_acl_access", WATCH_ACL },
		      { "system.posix_acl_default", WATCH_ACL } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return known[i].attr;
	return WATCH_XATTRS;
}

static int order(const struct fact_xattr *a, const struct fact_xattr *b)
{
	uint32_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->name, b->name, n);

	return c ? c : (int)a->name_len - (int)b->name_len;
}

static bool is_trusted(const struct fact_xattr *x)
{
	static const char trusted[] = "trusted.";
	const uint32_t n = sizeof(trusted) - 1;

	return x->name_len > n && memcmp(x->name, trusted, n) == 0;
}

/* The next one that all who looked could see. */
static bool next_seen(struct rd *r, bool no_trusted, struct fact_xattr *ret)
{
	bool more;

	do
		more = fact_xattr_next(r, ret);
	while (more && no_trusted && is_trusted(ret));
	return more;
}

/* Both lists ascend, so they are walked side by side. */
static uint32_t compare_xattrs(const struct fact *old, const struct fact *new)
{
	struct rd a = rd_of(old->xattrs, old->xattrs_len), b = rd_of(new->xattrs, new->xattrs_len);
	bool no_trusted = old->no_trusted || new->no_trusted, more_x, more_y;
	struct fact_xattr x, y;
	uint32_t mask = 0;

	if (old->xattrs_len == new->xattrs_len &&
	    (!old->xattrs_len || memcmp(old->xattrs, new->xattrs, old->xattrs_len) == 0))
		return 0;
	more_x = next_seen(&a, no_trusted, &x);
	more_y = next_seen(&b, no_trusted, &y);
	while (more_x || more_y) {
		int c = !more_x ? 1 : !more_y ? -1 : order(&x, &y);

		if (c != 0 || x.value_len != y.value_len || memcmp(x.value, y.value, x.value_len) != 0)
			mask |= c <= 0 ? fact_xattr_attr(x.name, x.name_len) : fact_xattr_attr(y.name, y.name_len);
		if (c <= 0)
			more_x = next_seen(&a, no_trusted, &x);
		if (c >= 0)
			more_y = next_seen(&b, no_trusted, &y);
	}
	return mask;
}

static void put_xattr(const struct fact_xattr *x, struct buf *out)
{
	put_bytes(out, (const uint8_t *)x->name, x->name_len);
	put_bytes(out, x->value, x->value_len);
}

int fact_xattrs_keep_trusted(const struct fact *old, const struct fact *now, struct buf *out)
{
	struct rd a = rd_of(old->xattrs, old->xattrs_len), b = rd_of(now->xattrs, now->xattrs_len);
	struct fact_xattr x, y;
	bool more_x = fact_xattr_next(&a, &x), more_y = fact_xattr_next(&b, &y);

	while (more_x || more_y) {
		int c = !more_x ? 1 : !more_y ? -1 : order(&x, &y);

		if (c >= 0)
			put_xattr(&y, out);
		else if (is_trusted(&x))
			put_xattr(&x, out);
		more_x = c <= 0 ? fact_xattr_next(&a, &x) : more_x;
		more_y = c >= 0 ? fact_xattr_next(&b, &y) : more_y;
	}
	return buf_error(out);
}

static bool same_time(const struct fact_time *a, const struct fact_time *b)
{
	return a->s == b->s && a->ns == b->ns;
}

static bool same_target(const struct fact *a, const struct fact *b)
{
	return a->rdev == b->rdev && a->target_len == b->target_len &&
	       (!a->target_len || memcmp(a->target, b->target, a->target_len) == 0);
}

static uint32_t compare_content(const struct fact *old, const struct fact *new, bool growing, bool prefix_same)
{
	uint32_t mask = 0;

	if (old->type == FACT_FILE && (growing ? new->size < old->size : new->size != old->size))
		mask |= WATCH_SIZE;
	if (old->hashed && new->hashed && (growing ? !prefix_same : memcmp(old->sha256, new->sha256, HASH_SIZE) != 0))
		mask |= WATCH_CONTENT;
	return mask;
}

uint32_t fact_compare(const struct fact *old, const struct fact *new, uint32_t attrs, bool growing, bool prefix_same)
{
	uint32_t mask = compare_xattrs(old, new);

	mask |= old->mode != new->mode ? WATCH_PERMISSIONS : 0;
	mask |= old->uid != new->uid ? WATCH_OWNER : 0;
	mask |= old->gid != new->gid ? WATCH_GROUP : 0;
	mask |= !same_time(&old->mtime, &new->mtime) ? WATCH_MTIME : 0;
	mask |= !same_time(&old->ctime, &new->ctime) ? WATCH_CTIME : 0;
	mask |= old->inode != new->inode ? WATCH_INODE : 0;
	mask |= old->links != new->links ? WATCH_LINKS : 0;
	mask |= old->chattr != new->chattr ? WATCH_CHATTR : 0;
	mask |= !same_target(old, new) ? WATCH_TARGET : 0;
	mask |= compare_content(old, new, growing, prefix_same);
	mask &= attrs & old->have & new->have;
	if (old->type != new->type)
		mask = FACT_TYPE_CHANGED;
	else if (old->hashed && new->unread && !new->hashed && attrs &WATCH_CONTENT)
		mask |= FACT_UNREADABLE;
	return mask;
}

bool fact_same_metadata(const struct fact *old, const struct fact *new)
{
	return old->type == new->type && old->size == new->size &&same_time(&old->mtime, &new->mtime) &&
	       same_time(&old->ctime, &new->ctime) && old->inode == new->inode && old->mode == new->mode &&
	       old->uid == new->uid && old->gid == new->gid;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

const char *fact_type_name(unsigned int type)
{
	static const char *const names[] = { "?",    "file",   "directory",	   "link",
					     "fifo", "socket", "character device", "block device" };

	return type < FACT_TYPES ? names[type] : "?";
}

const char *fact_unread_name(unsigned int unread)
{
	static const char *const names[] = { "",
					     "no permission",
					     "written to while it was read",
					     "input/output error",
					     "in use by somebody else",
					     "extended attributes too large",
					     "out of memory or descriptors" };

	return unread < FACT_UNREADS ? names[unread] : "?";
}

const char *fact_mask_names(uint32_t mask, char *ret)
{
	size_t at = 0;

	ret[0] = '\0';
	if (mask & FACT_TYPE_CHANGED)
		at += (size_t)snprintf(ret + at, 256 - at, "type ");
	if (mask & FACT_UNREADABLE)
		at += (size_t)snprintf(ret + at, 256 - at, "unreadable ");
	for (int i = 0; i < WATCH_ATTRS; i++)
		if (mask & watch_attr_names[i].attrs)
			at += (size_t)snprintf(ret + at, 256 - at, "%s ", watch_attr_names[i].name);
	if (at)
		ret[at - 1] = '\0';
	return ret;
}
