/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/show.h"
#include "lib/severity.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>

/* ---- names --------------------------------------------------------------------------------------------------------- */

/* Of well-formed UTF-8: what moves the cursor, hides or turns around what is beside it. */
static bool is_harmful(const uint8_t *p, size_t n)
{
	uint32_t c;

	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	c = n == 2   ? (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f)
	    : n == 3 ? (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f)
		     : 0x10000;
	return c < 0xa0 || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xad || c == 0x61c || c == 0xfeff || c == 0x180e;
}

static bool is_escape(const uint8_t *p, size_t n)
{
	return n >= 4 && p[0] == '\\' && p[1] == 'x' && strchr("0123456789abcdef", p[2]) &&
	       strchr("0123456789abcdef", p[3]) && p[2] && p[3];
}

void show_quote(struct buf *b, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n) {
		size_t len = jsonw_utf8_len(p, n);
		bool bad = !len || is_harmful(p, len) || is_escape(p, n);

		if (!len || is_escape(p, n))
			len = 1;
		for (size_t i = 0; i < len; i++)
			if (bad)
				buf_printf(b, "\\x%02x", p[i]);
			else
				buf_putc(b, p[i]);
		p += len;
		n -= len;
	}
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

void show_mode(uint32_t mode, char ret[10])
{
	static const char letters[] = "rwxrwxrwx";

	for (int i = 0; i < 9; i++)
		ret[i] = mode & (0400u >> i) ? letters[i] : '-';
	if (mode & 04000)
		ret[2] = mode & 0100 ? 's' : 'S';
	if (mode & 02000)
		ret[5] = mode & 0010 ? 's' : 'S';
	if (mode & 01000)
		ret[8] = mode & 0001 ? 't' : 'T';
	ret[9] = '\0';
}

void show_time(struct buf *b, const struct fact_time *t)
{
	time_t s = (time_t)t->s;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		buf_printf(b, "%" PRId64 "s", t->s);
	else
		buf_printf(b, "%s.%09uZ", text, t->ns);
}

static void show_chattr(struct buf *b, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		char letter;
	} letters[] = { { 0x1, 's' },	   { 0x2, 'u' },	{ 0x8, 'S' },	    { 0x10000, 'D' },
			{ 0x10, 'i' },	   { 0x20, 'a' },	{ 0x40, 'd' },	    { 0x80, 'A' },
			{ 0x4, 'c' },	   { 0x800, 'E' },	{ 0x4000, 'j' },    { 0x8000, 't' },
			{ 0x20000, 'T' },  { 0x800000, 'C' },	{ 0x2000000, 'x' }, { 0x40000000, 'F' },
			{ 0x100000, 'V' }, { 0x20000000, 'P' }, { 0x400, 'm' } };

	if (!flags)
		buf_putc(b, '-');
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].flag) {
			buf_putc(b, (uint8_t)letters[i].letter);
			flags &= ~letters[i].flag;
		}
	if (flags)
		buf_printf(b, "+0x%x", flags);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void show_hex(struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && i < 64; i++)
		buf_printf(b, "%02x", p[i]);
	if (n > 64)
		buf_printf(b, "... (%zu bytes)", n);
}

/* struct posix_acl_xattr_header and its entries, as getfacl writes them in one line */
static void show_acl(struct buf *b, const uint8_t *p, size_t n)
{
	static const struct {
		uint32_t tag;
		const char *name;
		bool id;
	} tags[] = { { 0x01, "user", false }, { 0x02, "user", true },  { 0x04, "group", false },
		     { 0x08, "group", true }, { 0x10, "mask", false }, { 0x20, "other", false } };

	if (n < 4 || le32(p) != 2 || (n - 4) % 8) {
		show_hex(b, p, n);
		return;
	}
	for (size_t at = 4; at < n; at += 8) {
		uint32_t tag = p[at] | (uint32_t)p[at + 1] << 8, perm = p[at + 2] | (uint32_t)p[at + 3] << 8;
		const char *name = "?";
		bool id = false;

		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			if (tags[i].tag == tag) {
				name = tags[i].name;
				id = tags[i].id;
			}
		buf_printf(b, "%s%s:", at > 4 ? "," : "", name);
		if (id)
			buf_printf(b, "%u", le32(p + at + 4));
		buf_printf(b, ":%c%c%c", perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-', perm & 1 ? 'x' : '-');
	}
}

static const char *const cap_names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

static void show_cap_set(struct buf *b, uint64_t set, const char *how, bool *any)
{
	for (unsigned int i = 0; i < 64; i++) {
		if (!(set & 1ULL << i))
			continue;
		buf_puts(b, *any ? "," : "");
		*any = true;
		if (i < sizeof(cap_names) / sizeof(cap_names[0]))
			buf_printf(b, "cap_%s", cap_names[i]);
		else
			buf_printf(b, "cap_%u", i);
		buf_puts(b, how);
	}
}

/* struct vfs_cap_data, revisions 1 to 3 */
static void show_capabilities(struct buf *b, const uint8_t *p, size_t n)
{
	uint32_t magic = n >= 4 ? le32(p) : 0, revision = magic >> 24;
	uint64_t permitted, inheritable;
	bool effective = magic & 1, any = false;
	size_t want = revision == 1 ? 12 : revision == 2 ? 20 : 24;

	if (revision < 1 || revision > 3 || n != want) {
		show_hex(b, p, n);
		return;
	}
	permitted = le32(p + 4);
	inheritable = le32(p + 8);
	if (revision > 1) {
		permitted |= (uint64_t)le32(p + 12) << 32;
		inheritable |= (uint64_t)le32(p + 16) << 32;
	}
	show_cap_set(b, permitted & inheritable, effective ? "=eip" : "=ip", &any);
	show_cap_set(b, permitted & ~inheritable, effective ? "=ep" : "=p", &any);
	show_cap_set(b, inheritable & ~permitted, effective ? "=ei" : "=i", &any);
	if (!any)
		buf_puts(b, "none");
	if (revision == 3 && le32(p + 20))
		buf_printf(b, " for the user namespace of %u", le32(p + 20));
}

static void show_xattrs(struct buf *b, const struct fact *f, uint32_t attr)
{
	struct rd r = rd_of(f->xattrs, f->xattrs_len);
	struct fact_xattr x;
	bool any = false;

	while (fact_xattr_next(&r, &x)) {
		bool is_default = x.name_len == strlen("system.posix_acl_default");

		if (fact_xattr_attr(x.name, x.name_len) != attr)
			continue;
		if (any)
			buf_putc(b, ' ');
		any = true;
		if (attr == WATCH_CAPABILITIES) {
			show_capabilities(b, x.value, x.value_len);
		} else if (attr == WATCH_ACL) {
			buf_puts(b, is_default ? "default:" : "");
			show_acl(b, x.value, x.value_len);
		} else if (attr == WATCH_SELINUX) {
			show_quote(b, x.value,
				   x.value_len && !x.value[x.value_len - 1] ? x.value_len - 1 : x.value_len);
		} else {
			show_quote(b, x.name, x.name_len);
			buf_putc(b, '=');
			if (x.value_len <= 256)
				show_quote(b, x.value, x.value_len);
			else
				show_hex(b, x.value, x.value_len);
		}
	}
}

void show_attr(struct buf *b, const struct fact *f, uint32_t attr)
{
	char text[HASH_HEX_SIZE];

	if (!(f->have & attr))
		return;
	switch (attr) {
	case WATCH_PERMISSIONS:
		show_mode(f->mode, text);
		buf_printf(b, "%04o %s", f->mode, text);
		break;
	case WATCH_OWNER:
		buf_put_dec(b, f->uid);
		break;
	case WATCH_GROUP:
		buf_put_dec(b, f->gid);
		break;
	case WATCH_SIZE:
		if (f->type == FACT_FILE)
			buf_put_dec(b, f->size);
		break;
	case WATCH_MTIME:
		show_time(b, &f->mtime);
		break;
	case WATCH_CTIME:
		show_time(b, &f->ctime);
		break;
	case WATCH_INODE:
		buf_put_dec(b, f->inode);
		break;
	case WATCH_LINKS:
		buf_put_dec(b, f->links);
		break;
	case WATCH_CONTENT:
		if (f->hashed) {
			hash_hex(f->sha256, HASH_SIZE, text);
			buf_puts(b, text);
		}
		break;
	case WATCH_CHATTR:
		if (f->type == FACT_FILE || f->type == FACT_DIR)
			show_chattr(b, f->chattr);
		break;
	case WATCH_TARGET:
		if (f->type == FACT_CHAR || f->type == FACT_BLOCK)
			buf_printf(b, "%u:%u", major(f->rdev), minor(f->rdev));
		else
			show_quote(b, f->target, f->target_len);
		break;
	default:
		show_xattrs(b, f, attr);
	}
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

struct member {
	const char *name;
	uint32_t attr; /* 0: none of the watch's */
};

/* In order of their names. */
static const struct member members[] = {
	{ "acl", WATCH_ACL },
	{ "capabilities", WATCH_CAPABILITIES },
	{ "chattr", WATCH_CHATTR },
	{ "content", WATCH_CONTENT },
	{ "ctime", WATCH_CTIME },
	{ "group", WATCH_GROUP },
	{ "inode", WATCH_INODE },
	{ "links", WATCH_LINKS },
	{ "mtime", WATCH_MTIME },
	{ "owner", WATCH_OWNER },
	{ "permissions", WATCH_PERMISSIONS },
	{ "selinux", WATCH_SELINUX },
	{ "size", WATCH_SIZE },
	{ "target", WATCH_TARGET },
	{ "type", 0 },
	{ "unread", 0 },
	{ "xattrs", WATCH_XATTRS },
};

static void member_json(struct jsonw *w, const struct member *m, const struct fact *f)
{
	struct buf text;

	if (!m->attr) {
		bool unread = strcmp(m->name, "unread") == 0;

		if (unread && !f->unread)
			return;
		jsonw_member_str(w, m->name, unread ? fact_unread_name(f->unread) : fact_type_name(f->type));
		return;
	}
	if (m->attr == WATCH_TARGET && f->type == FACT_LINK) { /* its own bytes, which JSON can carry */
		jsonw_key(w, m->name);
		jsonw_str(w, f->target, f->target_len);
		return;
	}
	buf_init(&text, FACT_SIZE_MAX * 4);
	show_attr(&text, f, m->attr);
	if (text.len) {
		jsonw_key(w, m->name);
		if (m->attr == WATCH_SIZE)
			jsonw_u64(w, f->size);
		else if (m->attr == WATCH_INODE)
			jsonw_u64(w, f->inode);
		else if (m->attr == WATCH_LINKS)
			jsonw_u64(w, f->links);
		else if (m->attr == WATCH_OWNER || m->attr == WATCH_GROUP)
			jsonw_u64(w, m->attr == WATCH_OWNER ? f->uid : f->gid);
		else
			jsonw_str(w, text.data, text.len);
	}
	buf_done(&text);
}

void show_fact_json(struct jsonw *w, const struct fact *f, uint32_t mask)
{
	jsonw_obj_begin(w);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!members[i].attr || (members[i].attr & mask & f->have))
			member_json(w, &members[i], f);
	jsonw_obj_end(w);
}

static void mask_json(struct jsonw *w, uint32_t mask)
{
	jsonw_arr_begin(w);
	if (mask & FACT_TYPE_CHANGED)
		jsonw_cstr(w, "type");
	if (mask & FACT_UNREADABLE)
		jsonw_cstr(w, "unreadable");
	for (int i = 0; i < WATCH_ATTRS; i++)
		if (mask & watch_attr_names[i].attrs)
			jsonw_cstr(w, watch_attr_names[i].name);
	jsonw_arr_end(w);
}

void show_change_json(struct jsonw *w, const void *path, size_t len, const struct change *c, const struct fact *old,
		      const struct buf *diff)
{
	const struct show_more none = { 0 };

	show_change_json_more(w, path, len, c, old, diff, &none);
}

void show_change_json_more(struct jsonw *w, const void *path, size_t len, const struct change *c,
			   const struct fact *old, const struct buf *diff, const struct show_more *more)
{
	uint32_t mask = c->kind == CHANGE_CHANGED && !(c->mask & FACT_TYPE_CHANGED) ? c->mask : WATCH_ALL;
	struct fact now;

	jsonw_obj_begin(w);
	if (more->accepted)
		jsonw_member_str(w, "accepted", more->accepted);
	if (c->fact_len && fact_read(c->fact, c->fact_len, &now) == 0) {
		jsonw_key(w, "after");
		show_fact_json(w, &now, mask);
	}
	if (old) {
		jsonw_key(w, "before");
		show_fact_json(w, old, mask);
	}
	if (c->kind == CHANGE_CHANGED) {
		jsonw_key(w, "changed");
		mask_json(w, c->mask);
	}
	if (diff && diff->len) {
		jsonw_key(w, "diff");
		jsonw_str(w, diff->data, diff->len);
	}
	jsonw_member_str(w, "kind", change_kind_name(c->kind));
	if (c->package != PACKAGE_UNASKED) {
		jsonw_key(w, "package");
		jsonw_obj_begin(w);
		if (c->owner_len) {
			jsonw_key(w, "name");
			jsonw_str(w, c->owner, c->owner_len);
		}
		jsonw_member_str(w, "verdict", change_package_name(c->package));
		jsonw_obj_end(w);
	}
	jsonw_key(w, "path");
	jsonw_str(w, path, len);
	jsonw_member_str(w, "severity", severity_name(c->severity));
	jsonw_key(w, "watch");
	jsonw_str(w, c->watch, c->watch_len);
	if (more->unwatched)
		jsonw_member_bool(w, "watched", false);
	jsonw_obj_end(w);
}
