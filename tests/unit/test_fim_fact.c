/* SPDX-License-Identifier: Apache-2.0 */
/* Facts and changes: as bytes and back, damaged, compared, and as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/severity.h"
#include "sensor/fim/show.h"

static const uint8_t acl[] = { 2, 0,	0,    0,    1,	  0,	6,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,
			       0, 0xe8, 3,    0,    0,	  4,	0,    4, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
			       4, 0,	0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff };
static const uint8_t caps[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0 };

static void put_xattr(struct buf *b, const char *name, const void *p, size_t n)
{
	fact_put_number(b, strlen(name));
	buf_puts(b, name);
	fact_put_number(b, n);
	buf_put(b, p, n);
}

struct sample {
	struct buf xattrs, bytes;
	struct fact fact;
};

static void sample_begin(struct sample *s)
{
	buf_init(&s->xattrs, 65536);
	buf_init(&s->bytes, 65536);
	put_xattr(&s->xattrs, "security.capability", caps, sizeof(caps));
	put_xattr(&s->xattrs, "security.selinux", "system_u:object_r:etc_t:s0", 27);
	put_xattr(&s->xattrs, "system.posix_acl_access", acl, sizeof(acl));
	put_xattr(&s->xattrs, "user.note", "a\nb", 3);
	s->fact = (struct fact){ .have = WATCH_ALL,
				 .type = FACT_FILE,
				 .hashed = true,
				 .mode = 04755,
				 .uid = 0xfffffffe,
				 .gid = 5,
				 .chattr = 0x10,
				 .size = 1ULL << 60,
				 .inode = UINT64_MAX,
				 .device = 1,
				 .links = 2,
				 .mtime = { -5, 999999999 },
				 .ctime = { 1700000000, 1 },
				 .target = (const uint8_t *)"",
				 .xattrs = s->xattrs.data,
				 .xattrs_len = (uint32_t)s->xattrs.len };
	memset(s->fact.sha256, 0xab, HASH_SIZE);
	assert_int_equal(fact_put(&s->fact, &s->bytes), 0);
}

static void sample_end(struct sample *s)
{
	buf_done(&s->xattrs);
	buf_done(&s->bytes);
}

static void test_round_trip(void **state)
{
	struct sample s;
	struct buf again;
	struct fact f;

	sample_begin(&s);
	buf_init(&again, 65536);
	assert_int_equal(fact_read(s.bytes.data, s.bytes.len, &f), 0);
	assert_int_equal(f.mode, 04755);
	assert_true(f.size == 1ULL << 60 && f.inode == UINT64_MAX && f.uid == 0xfffffffe);
	assert_true(f.mtime.s == -5 && f.mtime.ns == 999999999);
	assert_int_equal(fact_put(&f, &again), 0);
	assert_int_equal(again.len, s.bytes.len);
	assert_memory_equal(again.data, s.bytes.data, again.len);
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_ALL, false, false), 0);
	buf_done(&again);
	sample_end(&s);
}

/* Cut or with a bit turned: refused, or another fact that packs to the very bytes that it was read from. */
static void test_damaged(void **state)
{
	struct sample s;
	struct buf again;
	struct fact f;

	sample_begin(&s);
	buf_init(&again, 65536);
	for (size_t n = 0; n < s.bytes.len; n++)
		assert_int_equal(fact_read(s.bytes.data, n, &f), -EBADMSG);
	for (size_t bit = 0; bit < 8 * s.bytes.len; bit++) {
		s.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (fact_read(s.bytes.data, s.bytes.len, &f) == 0) {
			buf_reset(&again);
			assert_int_equal(fact_put(&f, &again), 0);
			assert_int_equal(again.len, s.bytes.len);
			assert_memory_equal(again.data, s.bytes.data, again.len);
		}
		s.bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_putc(&s.bytes, 0);
	assert_int_equal(fact_read(s.bytes.data, s.bytes.len, &f), -EBADMSG);
	buf_done(&again);
	sample_end(&s);
}

static void test_compare(void **state)
{
	struct sample s;
	struct buf x;
	struct fact f;

	sample_begin(&s);
	buf_init(&x, 65536);
#define DIFFERS(change, mask)                                                                                          \
	do {                                                                                                           \
		f = s.fact;                                                                                            \
		change;                                                                                                \
		assert_int_equal(fact_compare(&s.fact, &f, WATCH_ALL, false, false), mask);                            \
		assert_int_equal(fact_compare(&s.fact, &f, WATCH_ALL & ~(uint32_t)(mask), false, false), 0);           \
	} while (0)
	DIFFERS(f.mode = 0755, WATCH_PERMISSIONS);
	DIFFERS(f.uid = 0, WATCH_OWNER);
	DIFFERS(f.gid = 0, WATCH_GROUP);
	DIFFERS(f.size++, WATCH_SIZE);
	DIFFERS(f.mtime.ns--, WATCH_MTIME);
	DIFFERS(f.ctime.s++, WATCH_CTIME);
	DIFFERS(f.inode--, WATCH_INODE);
	DIFFERS(f.links++, WATCH_LINKS);
	DIFFERS(f.sha256[31]++, WATCH_CONTENT);
	DIFFERS(f.chattr = 0, WATCH_CHATTR);
	DIFFERS(f.device++, 0);
	DIFFERS((f.target = (const uint8_t *)"x", f.target_len = 1), WATCH_TARGET);
	DIFFERS((f.xattrs = NULL, f.xattrs_len = 0), WATCH_CAPABILITIES | WATCH_SELINUX | WATCH_ACL | WATCH_XATTRS);
	put_xattr(&x, "security.capability", caps, sizeof(caps));
	put_xattr(&x, "security.selinux", "system_u:object_r:etc_t:s0", 27);
	put_xattr(&x, "system.posix_acl_access", acl, sizeof(acl));
	put_xattr(&x, "user.nota", "a\nb", 3);
	DIFFERS((f.xattrs = x.data, f.xattrs_len = (uint32_t)x.len), WATCH_XATTRS);
	f = s.fact;
	f.type = FACT_LINK;
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_MTIME, false, false), FACT_TYPE_CHANGED);
	f = s.fact;
	f.hashed = false;
	f.unread = FACT_DENIED;
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_ALL, false, false), FACT_UNREADABLE);
	/* what one of them does not know is not compared */
	f.have = WATCH_SIZE;
	f.mode = 0;
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_ALL & ~WATCH_CONTENT, false, false), 0);
	buf_done(&x);
	sample_end(&s);
}

static void test_growing(void **state)
{
	struct sample s;
	struct fact f;

	sample_begin(&s);
	f = s.fact;
	f.size += 100;
	f.sha256[0]++;
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_SIZE | WATCH_CONTENT, true, true), 0);
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_SIZE | WATCH_CONTENT, true, false), WATCH_CONTENT);
	f.size = s.fact.size - 1;
	assert_int_equal(fact_compare(&s.fact, &f, WATCH_SIZE, true, true), WATCH_SIZE);
	sample_end(&s);
}

static void shows(const struct fact *f, uint32_t attr, const char *want)
{
	struct buf b;

	buf_init(&b, 65536);
	show_attr(&b, f, attr);
	assert_string_equal(b.len ? buf_cstr(&b) : "", want);
	buf_done(&b);
}

static void test_show(void **state)
{
	struct sample s;

	sample_begin(&s);
	shows(&s.fact, WATCH_PERMISSIONS, "4755 rwsr-xr-x");
	shows(&s.fact, WATCH_CHATTR, "i");
	shows(&s.fact, WATCH_CAPABILITIES, "cap_net_raw=ep,cap_bpf=ep");
	shows(&s.fact, WATCH_ACL, "user::rw-,user:1000:r--,group::r--,mask::r--,other::---");
	shows(&s.fact, WATCH_SELINUX, "system_u:object_r:etc_t:s0");
	shows(&s.fact, WATCH_XATTRS, "user.note=a\\x0ab");
	shows(&s.fact, WATCH_CTIME, "2023-11-14T22:13:20.000000001Z");
	shows(&s.fact, WATCH_MTIME, "1969-12-31T23:59:55.999999999Z");
	sample_end(&s);
}

static void quotes(const char *name, const char *want)
{
	struct buf b;

	buf_init(&b, 65536);
	show_quote(&b, name, strlen(name));
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

static void test_quote(void **state)
{
	quotes("/etc/passwd", "/etc/passwd");
	quotes("-rf", "-rf");
	quotes("a\nb\033[31m\x7f", "a\\x0ab\\x1b[31m\\x7f");
	quotes("\xff\xc3", "\\xff\\xc3");
	quotes("h\xc3\xa4user \xe6\x97\xa5", "h\xc3\xa4user \xe6\x97\xa5");
	quotes("\\x0a", "\\x5cx0a");
	quotes("a\\b", "a\\b");
	quotes("\xe2\x80\xae"
	       "exe.txt",
	       "\\xe2\\x80\\xaeexe.txt"); /* writes from right to left */
	quotes("\xc2\x9b"
	       "31m",
	       "\\xc2\\x9b"
	       "31m"); /* CSI of eight bits */
}

static void test_change(void **state)
{
	struct sample s;
	struct change c, d;
	struct buf b;

	sample_begin(&s);
	buf_init(&b, 65536);
	c = (struct change){ .kind = CHANGE_CHANGED,
			     .severity = 4,
			     .package = PACKAGE_DIFFERS,
			     .mask = WATCH_SIZE,
			     .watch = "etc",
			     .watch_len = 3,
			     .owner = "base",
			     .owner_len = 4,
			     .fact = s.bytes.data,
			     .fact_len = (uint32_t)s.bytes.len };
	assert_int_equal(change_put(&c, &b), 0);
	assert_int_equal(change_read(b.data, b.len, &d), 0);
	assert_true(d.kind == c.kind && d.severity == 4 && d.mask == WATCH_SIZE && d.watch_len == 3);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(change_read(b.data, n, &d), -EBADMSG);
	c.kind = CHANGE_REMOVED; /* what is gone has no fact */
	buf_reset(&b);
	change_put(&c, &b);
	assert_int_equal(change_read(b.data, b.len, &d), -EBADMSG);
	assert_int_equal(change_severity(SEVERITY_HIGH, PACKAGE_MATCHES), SEVERITY_LOW);
	assert_int_equal(change_severity(SEVERITY_INFO, PACKAGE_MATCHES), SEVERITY_INFO);
	assert_int_equal(change_severity(SEVERITY_HIGH, PACKAGE_DIFFERS), SEVERITY_CRITICAL);
	assert_int_equal(change_severity(SEVERITY_CRITICAL, PACKAGE_DIFFERS), SEVERITY_CRITICAL);
	assert_int_equal(change_severity(SEVERITY_HIGH, PACKAGE_CONTENT), SEVERITY_HIGH);
	buf_done(&b);
	sample_end(&s);
}

/* Who may not see attributes of "trusted" does not say that they are gone, nor that others are not. */
static void test_trusted(void **state)
{
	struct fact old = { .have = WATCH_ALL, .type = FACT_FILE }, now = old, again;
	struct buf x, y, kept;

	buf_init(&x, 4096);
	buf_init(&y, 4096);
	put_xattr(&x, "trusted.a", "1", 1);
	put_xattr(&x, "user.b", "2", 1);
	old.xattrs = x.data;
	old.xattrs_len = (uint32_t)x.len;
	put_xattr(&y, "user.b", "2", 1);
	now.xattrs = y.data;
	now.xattrs_len = (uint32_t)y.len;
	assert_int_equal(fact_compare(&old, &now, WATCH_ALL, false, false), WATCH_XATTRS);
	now.no_trusted = true;
	assert_int_equal(fact_compare(&old, &now, WATCH_ALL, false, false), 0);
	assert_int_equal(fact_compare(&now, &old, WATCH_ALL, false, false), 0);
	buf_init(&kept, 4096);
	assert_int_equal(fact_xattrs_keep_trusted(&old, &now, &kept), 0);
	assert_int_equal(kept.len, x.len);
	assert_memory_equal(kept.data, x.data, x.len);
	buf_reset(&kept);
	assert_int_equal(fact_put(&now, &kept), 0);
	assert_int_equal(fact_read(kept.data, kept.len, &again), 0);
	assert_true(again.no_trusted);
	now.xattrs_len = 0;
	assert_int_equal(fact_compare(&old, &now, WATCH_ALL, false, false), WATCH_XATTRS);
	buf_reset(&kept);
	assert_int_equal(fact_xattrs_keep_trusted(&old, &now, &kept), 0); /* and nothing else that is gone */
	assert_int_equal(kept.len, x.len - y.len);
	buf_done(&x);
	buf_done(&y);
	buf_done(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damaged), cmocka_unit_test(test_compare),
		cmocka_unit_test(test_growing),	   cmocka_unit_test(test_show),	   cmocka_unit_test(test_quote),
		cmocka_unit_test(test_change),	   cmocka_unit_test(test_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
