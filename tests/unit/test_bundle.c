/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bundle.h"
#include "lib/cleanup.h"
#include "lib/sig.h"

struct fixture {
	char dir[32];
	struct sig_key *key, *pub, *other;
	char *path;
};

static const struct bundle_part parts[] = {
	{ BUNDLE_META, "{\"name\":\"x\"}", 12 },
	{ BUNDLE_PROGRAM, "program", 7 },
	{ BUNDLE_SIEVE, "", 0 },
};

static char *in(struct fixture *f, const char *name)
{
	char *p;

	return asprintf(&p, "%s/%s", f->dir, name) < 0 ? NULL : p;
}

static struct sig_key *make_key(struct fixture *f, const char *name, struct sig_key **ret_public)
{
	_cleanup_free_ char *pem = in(f, name), *pub = NULL;
	struct sig_key *k = NULL;

	assert_int_equal(sig_pub_path(pem, &pub), 0);
	assert_int_equal(sig_keygen(pem, pub, NULL), 0);
	assert_int_equal(sig_load_private(pem, &k, NULL), 0);
	if (ret_public)
		assert_int_equal(sig_load_public(pub, ret_public, NULL), 0);
	return k;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->dir, "/tmp/tamis-bundle-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->key = make_key(f, "a.pem", &f->pub);
	f->other = make_key(f, "b.pem", NULL);
	f->path = in(f, "p.tpb");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[64];

	sig_key_free(f->key);
	sig_key_free(f->pub);
	sig_key_free(f->other);
	snprintf(cmd, sizeof(cmd), "rm -r %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f->path);
	free(f);
	return 0;
}

static void *slurp(const char *path, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY);
	char *p = malloc(65536);
	ssize_t n;

	assert_true(fd >= 0 && p);
	n = read(fd, p, 65536);
	assert_true(n > 0 && n < 65536);
	*ret_size = (size_t)n;
	return p;
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	struct bundle b;
	struct stat st;
	struct err err;
	size_t size;

	assert_int_equal(bundle_write(f->path, parts, 3, f->key, &err), 0);
	if (bundle_read(f->path, f->pub, &b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(b.nsections, 3);
	assert_memory_equal(bundle_section(&b, BUNDLE_PROGRAM, &size), "program", 7);
	assert_int_equal(size, 7);
	assert_int_equal((uintptr_t)bundle_section(&b, BUNDLE_META, &size) % 64, 0);
	assert_int_equal(size, 12);
	assert_non_null(bundle_section(&b, BUNDLE_SIEVE, &size));
	assert_null(bundle_section(&b, 99, &size));
	assert_memory_equal(b.key_id, sig_key_hash(f->key), SIG_KEY_ID);
	bundle_done(&b);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void test_same_bytes(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ void *one = NULL, *two = NULL;
	size_t n, m;

	assert_int_equal(bundle_write(f->path, parts, 3, f->key, NULL), 0);
	one = slurp(f->path, &n);
	assert_int_equal(bundle_write(f->path, parts, 3, f->key, NULL), 0);
	two = slurp(f->path, &m);
	assert_int_equal(n, m);
	assert_memory_equal(one, two, n);
}

static void test_trust(void **state)
{
	struct fixture *f = *state;
	struct bundle b;
	struct err err;

	assert_int_equal(bundle_write(f->path, parts, 3, NULL, NULL), 0);
	assert_int_equal(bundle_read(f->path, f->pub, &b, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.msg, "not signed"));
	assert_non_null(strstr(err.msg, f->path));
	assert_null(b.bytes);
	assert_int_equal(bundle_read(f->path, NULL, &b, &err), 0);
	assert_null(b.key_id);
	bundle_done(&b);

	assert_int_equal(bundle_write(f->path, parts, 3, f->other, NULL), 0);
	assert_int_equal(bundle_read(f->path, f->pub, &b, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.msg, sig_key_id(f->pub)));
	assert_non_null(strstr(err.msg, sig_key_id(f->other)));
	assert_int_equal(bundle_read(f->path, f->other, &b, &err), 0);
	bundle_done(&b);
}

/* Every bit of a signed bundle matters, and every byte of its length. */
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *p = NULL;
	struct bundle b;
	struct err err;
	size_t n;
	int r;

	assert_int_equal(bundle_write(f->path, parts, 3, f->key, NULL), 0);
	p = slurp(f->path, &n);
	for (size_t i = 0; i < 8 * n; i += 3) {
		p[i / 8] ^= (uint8_t)(1 << (i % 8));
		r = bundle_parse(p, n, f->pub, &b, &err);
		if (r != -EBADMSG && r != -EKEYREJECTED && r != -EPROTONOSUPPORT)
			fail_msg("bit %zu: %d", i, r);
		/* Without trust it must not do harm, whatever it says. */
		if (bundle_parse(p, n, NULL, &b, NULL) == 0)
			bundle_done(&b);
		p[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(bundle_parse(p, i, NULL, &b, &err), -EBADMSG);
	p[8] = 2;
	assert_int_equal(bundle_parse(p, n, f->pub, &b, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.msg, "version 2"));
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *nowhere = in(f, "no/such/dir/p.tpb");
	const struct bundle_part twice[] = { parts[1], parts[1] };
	struct bundle b;
	struct err err;

	assert_int_equal(bundle_read(nowhere, NULL, &b, &err), -ENOENT);
	assert_non_null(strstr(err.msg, nowhere));
	assert_int_equal(bundle_read(f->dir, NULL, &b, &err), -EBADMSG);
	assert_int_equal(bundle_write(nowhere, parts, 3, NULL, &err), -ENOENT);
	assert_int_equal(bundle_write(f->path, twice, 2, NULL, &err), -EINVAL);
	assert_int_equal(bundle_write(f->path, parts, 3, f->pub, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "no private key"));
	assert_int_equal(access(f->path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trust, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
