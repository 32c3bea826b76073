/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/sig.h"
#include "lib/cleanup.h"

#include <sys/stat.h>

/* The P-256 key of RFC 6979 A.2.5, which is public. */
static const char rfc6979_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
				  "MHcCAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
				  "AwEHoUQDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8\n"
				  "maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
				  "-----END EC PRIVATE KEY-----\n";
static const char rfc6979_pub[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
				  "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
				  "-----END PUBLIC KEY-----\n";

static struct sig_key *parse_private(const char *pem)
{
	struct sig_key *k = NULL;

	assert_int_equal(sig_parse_private(pem, strlen(pem), "test", &k, NULL), 0);
	return k;
}

static struct sig_key *parse_public(const char *pem)
{
	struct sig_key *k = NULL;

	assert_int_equal(sig_parse_public(pem, strlen(pem), "test", &k, NULL), 0);
	return k;
}

static void signatures_are_those_of_rfc_6979(void **state)
{
	static const struct {
		const char *text, *r, *s;
	} cases[] = {
		{ "sample", "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
		  "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8" },
		{ "test", "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
		  "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083" },
	};
	struct sig_key *k = parse_private(rfc6979_key);
	uint8_t digest[HASH_SIZE], der[SIG_MAX], half[32];
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		hash_sha256(cases[i].text, strlen(cases[i].text), digest);
		assert_int_equal(sig_sign(k, digest, der, &n), 0);
		hash_unhex(cases[i].r, 32, half);
		assert_non_null(memmem(der, n, half, 32));
		hash_unhex(cases[i].s, 32, half);
		assert_non_null(memmem(der, n, half, 32));
		assert_int_equal(sig_verify(k, digest, der, n), 0);
	}
	sig_key_free(k);
}

static void any_changed_bit_fails(void **state)
{
	struct sig_key *k = parse_private(rfc6979_key), *pub = parse_public(rfc6979_pub);
	uint8_t digest[HASH_SIZE], der[SIG_MAX];
	size_t n;

	hash_sha256("text", 4, digest);
	assert_int_equal(sig_sign(k, digest, der, &n), 0);
	assert_int_equal(sig_verify(pub, digest, der, n), 0);
	for (size_t i = 0; i < n; i++) {
		der[i] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(sig_verify(pub, digest, der, n), -EBADMSG);
		der[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t len = 0; len < n; len += 9)
		assert_int_equal(sig_verify(pub, digest, der, len), -EBADMSG);
	digest[31] ^= 1;
	assert_int_equal(sig_verify(pub, digest, der, n), -EBADMSG);
	assert_int_equal(sig_sign(pub, digest, der, &n), -EINVAL);
	sig_key_free(k);
	sig_key_free(pub);
}

static void both_halves_have_one_id(void **state)
{
	struct sig_key *k = parse_private(rfc6979_key), *pub = parse_public(rfc6979_pub);

	assert_string_equal(sig_key_id(k), sig_key_id(pub));
	assert_int_equal(strlen(sig_key_id(k)), 16);
	assert_memory_equal(sig_key_hash(k), sig_key_hash(pub), HASH_SIZE);
	sig_key_free(k);
	sig_key_free(pub);
	sig_key_free(NULL);
}

static void what_is_no_p256_key_is_refused(void **state)
{
	/* a good key of the next larger curve */
	static const char p384[] = "-----BEGIN PUBLIC KEY-----\n"
				   "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEn6jVliH2UMERi18OvA3XiHWAhIXyhKT6\n"
				   "5XM0IX8Cri/vkuNSR3Pk85vSYzIvCgctqvhFi5Wrwpu5K1iV9lqubDiL+om3EJq4\n"
				   "X/hs8XR9mwdBUPH4FcHqWvxvxRf3YZMB\n"
				   "-----END PUBLIC KEY-----\n";
	struct sig_key *k = NULL;
	struct err e;

	assert_int_equal(sig_parse_public(p384, strlen(p384), "p384", &k, &e), -EBADMSG);
	assert_string_equal(e.msg, "p384 is not a P-256 public key in PEM form");
	assert_int_equal(sig_parse_private(rfc6979_pub, strlen(rfc6979_pub), "pub", &k, &e), -EBADMSG);
	assert_int_equal(sig_parse_public("", 0, "nothing", &k, &e), -EBADMSG);
	assert_int_equal(sig_load_public("/nonexistent/key.pem", &k, &e), -ENOENT);
	assert_null(k);
}

static void run(const char *fmt, const char *dir)
{
	char command[1024];

	snprintf(command, sizeof(command), fmt, dir, dir, dir, dir, dir, dir);
	assert_int_equal(system(command), 0);
}

/* Keys and signatures go to openssl and come from it. */
static void openssl_agrees(void **state)
{
	char dir[] = "/tmp/tamis-test-sig-XXXXXX", key[64], text[96], pkcs8[64];
	_cleanup_free_ char *pub = NULL;
	uint8_t digest[HASH_SIZE], der[SIG_MAX];
	struct sig_key *k;
	struct stat st;
	struct err e;
	size_t n;
	FILE *f;

	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(key, sizeof(key), "%s/k.pem", dir);
	assert_int_equal(sig_pub_path(key, &pub), 0);
	assert_non_null(strstr(pub, "/k.pub.pem"));
	assert_int_equal(sig_keygen(key, pub, &e), 0);
	assert_int_equal(sig_keygen(key, pub, &e), -EEXIST);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	assert_int_equal(sig_load_private(key, &k, &e), 0);
	hash_sha256("text\n", 5, digest);
	assert_int_equal(sig_sign(k, digest, der, &n), 0);
	snprintf(text, sizeof(text), "%s/text.sig", dir);
	f = fopen(text, "w");
	fwrite(der, 1, n, f);
	fclose(f);
	sig_key_free(k);
	run("cd %s && echo text >text && openssl dgst -sha256 -verify k.pub.pem -signature text.sig text >/dev/null",
	    dir);
	run("openssl ec -in %s/k.pem -pubout 2>/dev/null | cmp - %s/k.pub.pem", dir);

	/* the other way: a PKCS#8 key of openssl's */
	run("cd %s && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out o.pem 2>/dev/null", dir);
	run("cd %s && openssl dgst -sha256 -sign o.pem -out o.sig text", dir);
	snprintf(pkcs8, sizeof(pkcs8), "%s/o.pem", dir);
	assert_int_equal(sig_load_private(pkcs8, &k, &e), 0);
	snprintf(text, sizeof(text), "%s/o.sig", dir);
	f = fopen(text, "r");
	n = fread(der, 1, sizeof(der), f);
	fclose(f);
	assert_int_equal(sig_verify(k, digest, der, n), 0);
	sig_key_free(k);
	run("rm -r %s", dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_those_of_rfc_6979),
		cmocka_unit_test(any_changed_bit_fails),
		cmocka_unit_test(both_halves_have_one_id),
		cmocka_unit_test(what_is_no_p256_key_is_refused),
		cmocka_unit_test(openssl_agrees),
	};

	return cmocka_run_group_tests_name("sig", tests, NULL, NULL);
}
