/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sig.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <sys/random.h>
#include <sys/stat.h>

struct sig_key {
	mbedtls_pk_context pk;
	bool private;
	uint8_t hash[HASH_SIZE]; /* of the SubjectPublicKeyInfo DER */
	char id[2 * SIG_KEY_ID + 1];
};

DEFINE_CLEANUP(struct sig_key *, sig_key_free);

/* mbedtls asks for random numbers: for new keys, and to blind computations with the private key. */
int sig_random(void *unused, unsigned char *out, size_t n)
{
	while (n) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return MBEDTLS_ERR_ECP_RANDOM_FAILED;
		out += got;
		n -= (size_t)got;
	}
	return 0;
}

/* ---- where mbedtls 2.28 and 3.x differ ---- */

static int sig_pk_parse_private(mbedtls_pk_context *pk, const unsigned char *pem, size_t n)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(pk, pem, n, NULL, 0, sig_random, NULL);
#else
	return mbedtls_pk_parse_key(pk, pem, n, NULL, 0);
#endif
}

static int sig_pk_sign(mbedtls_pk_context *pk, const uint8_t *digest, uint8_t *out, size_t max, size_t *ret_len)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, digest, HASH_SIZE, out, max, ret_len, sig_random, NULL);
#else
	return mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, digest, HASH_SIZE, out, ret_len, sig_random, NULL);
#endif
}

static mbedtls_ecp_group_id sig_pk_curve(const mbedtls_pk_context *pk)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk));
#else
	return mbedtls_pk_ec(*pk)->grp.id;
#endif
}

#if !defined(MBEDTLS_ECDSA_DETERMINISTIC)
#error "mbedtls must have deterministic ECDSA (RFC 6979): bundles are promised to be reproducible"
#endif

/* ---- keys ---- */

void sig_key_free(struct sig_key *k)
{
	if (!k)
		return;
	mbedtls_pk_free(&k->pk);
	free(k);
}

int sig_public_der(const struct sig_key *k, uint8_t ret[SIG_DER_MAX], size_t *ret_len)
{
	unsigned char der[SIG_DER_MAX];
	/* writing changes nothing in the key, whatever the prototype of 2.28 says */
	int n = mbedtls_pk_write_pubkey_der((mbedtls_pk_context *)&k->pk, der, sizeof(der));

	if (n <= 0)
		return -EBADMSG;
	/* written at the end of the buffer */
	memcpy(ret, der + sizeof(der) - n, (size_t)n);
	*ret_len = (size_t)n;
	return 0;
}

int sig_public_pem(const struct sig_key *k, char ret[SIG_PEM_PUBLIC_MAX])
{
	int r = mbedtls_pk_write_pubkey_pem((mbedtls_pk_context *)&k->pk, (unsigned char *)ret, SIG_PEM_PUBLIC_MAX);

	return r != 0 ? -EBADMSG : 0;
}

/* The pk context is filled; check what it is and name it. */
static int sig_key_adopt(struct sig_key *k)
{
	uint8_t der[SIG_DER_MAX];
	size_t n;

	if (!mbedtls_pk_can_do(&k->pk, MBEDTLS_PK_ECDSA) || sig_pk_curve(&k->pk) != MBEDTLS_ECP_DP_SECP256R1)
		return -EBADMSG;
	if (sig_public_der(k, der, &n) < 0)
		return -EBADMSG;
	hash_sha256(der, n, k->hash);
	hash_hex(k->hash, SIG_KEY_ID, k->id);
	return 0;
}

static int sig_parse(const void *pem, size_t n, bool private, const char *what, struct sig_key **ret, struct err *e)
{
	_cleanup_(sig_key_free) struct sig_key *k = calloc(1, sizeof(*k));
	_cleanup_free_ unsigned char *text = malloc(n + 1);
	int r;

	if (!k || !text)
		return err_set(e, -ENOMEM, "no memory for the key %s", what);
	/* mbedtls knows PEM from DER by the NUL at its end, which counts */
	memcpy(text, pem, n);
	text[n] = '\0';
	mbedtls_pk_init(&k->pk);
	k->private = private;
	r = private ? sig_pk_parse_private(&k->pk, text, n + 1) : mbedtls_pk_parse_public_key(&k->pk, text, n + 1);
	mbedtls_platform_zeroize(text, n);
	if (r != 0 || sig_key_adopt(k) < 0)
		return err_set(e, -EBADMSG, "%s is not a P-256 %s key in PEM form", what,
			       private ? "private" : "public");
	*ret = TAKE_PTR(k);
	return 0;
}

int sig_parse_private(const void *pem, size_t n, const char *what, struct sig_key **ret, struct err *e)
{
	return sig_parse(pem, n, true, what, ret, e);
}

int sig_parse_public(const void *pem, size_t n, const char *what, struct sig_key **ret, struct err *e)
{
	return sig_parse(pem, n, false, what, ret, e);
}

int sig_parse_der(const void *der, size_t n, const char *what, struct sig_key **ret, struct err *e)
{
	_cleanup_(sig_key_free) struct sig_key *k = calloc(1, sizeof(*k));
	uint8_t again[SIG_DER_MAX];
	size_t len;

	if (!k)
		return err_set(e, -ENOMEM, "no memory for the key %s", what);
	mbedtls_pk_init(&k->pk);
	if (n > SIG_DER_MAX || mbedtls_pk_parse_public_key(&k->pk, der, n) != 0 || sig_key_adopt(k) < 0 ||
	    sig_public_der(k, again, &len) < 0 || len != n || memcmp(again, der, n) != 0)
		return err_set(e, -EBADMSG, "%s is not a P-256 public key in DER form", what);
	*ret = TAKE_PTR(k);
	return 0;
}

int sig_public_copy(const struct sig_key *k, struct sig_key **ret)
{
	uint8_t der[SIG_DER_MAX];
	size_t n;

	return sig_public_der(k, der, &n) < 0 ? -EBADMSG : sig_parse_der(der, n, "the key", ret, NULL);
}

int sig_parse_private_der(const void *der, size_t n, struct sig_key **ret)
{
	_cleanup_(sig_key_free) struct sig_key *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	mbedtls_pk_init(&k->pk);
	k->private = true;
	if (!n || sig_pk_parse_private(&k->pk, der, n) != 0 || sig_key_adopt(k) < 0)
		return -EBADMSG;
	*ret = TAKE_PTR(k);
	return 0;
}

static int sig_load(const char *path, bool private, struct sig_key **ret, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t pem[SIG_PEM_MAX];
	size_t n = 0;
	ssize_t got;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open the key", path);
	while ((got = read(fd, pem + n, sizeof(pem) - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		return err_sys(e, -errno, "cannot read the key", path);
	r = sig_parse(pem, n, private, path, ret, e);
	mbedtls_platform_zeroize(pem, n);
	return r;
}

int sig_load_private(const char *path, struct sig_key **ret, struct err *e)
{
	return sig_load(path, true, ret, e);
}

int sig_load_public(const char *path, struct sig_key **ret, struct err *e)
{
	return sig_load(path, false, ret, e);
}

const uint8_t *sig_key_hash(const struct sig_key *k)
{
	return k->hash;
}

const char *sig_key_id(const struct sig_key *k)
{
	return k->id;
}

int sig_pub_path(const char *path, char **ret)
{
	size_t n = strlen(path);

	if (n > 4 && !strcmp(path + n - 4, ".pem"))
		n -= 4;
	return asprintf(ret, "%.*s.pub.pem", (int)n, path) < 0 ? -ENOMEM : 0;
}

/* ---- making keys ---- */

/* A new file with this text, on disk. Nothing remains after an error. */
static int sig_write_new(const char *path, mode_t mode, const unsigned char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t n = strlen((const char *)text);
	ssize_t put;
	int r;

	if (fd < 0)
		return -errno;
	/* the mode as asked for, whatever the umask */
	put = write(fd, text, n);
	if (put == (ssize_t)n && fchmod(fd, mode) == 0 && fsync(fd) == 0)
		return 0;
	r = put >= 0 && put < (ssize_t)n ? -ENOSPC : -errno;
	unlink(path);
	return r;
}

static int sig_generate(mbedtls_pk_context *pk)
{
	if (mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0)
		return -ENOMEM;
	if (mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*pk), sig_random, NULL) != 0)
		return -EIO;
	return 0;
}

static int sig_write_pair(mbedtls_pk_context *pk, const char *path, const char *pub_path, struct err *e)
{
	unsigned char pem[1024], pub[1024];
	int r;

	if (mbedtls_pk_write_key_pem(pk, pem, sizeof(pem)) != 0 ||
	    mbedtls_pk_write_pubkey_pem(pk, pub, sizeof(pub)) != 0)
		return err_set(e, -EIO, "cannot write the new key as PEM");
	r = sig_write_new(path, 0600, pem);
	mbedtls_platform_zeroize(pem, sizeof(pem));
	if (r < 0)
		return err_sys(e, r, "cannot create the key", path);
	r = pub_path ? sig_write_new(pub_path, 0644, pub) : 0;
	if (r < 0) {
		unlink(path);
		return err_sys(e, r, "cannot create the public key", pub_path);
	}
	return 0;
}

int sig_generate_der(uint8_t ret[SIG_DER_MAX], size_t *ret_len)
{
	uint8_t der[SIG_DER_MAX];
	mbedtls_pk_context pk;
	int r;

	mbedtls_pk_init(&pk);
	r = sig_generate(&pk);
	if (r == 0)
		r = mbedtls_pk_write_key_der(&pk, der, sizeof(der));
	/* mbedtls writes at the end of the buffer */
	if (r > 0) {
		memcpy(ret, der + sizeof(der) - r, (size_t)r);
		*ret_len = (size_t)r;
	}
	mbedtls_platform_zeroize(der, sizeof(der));
	mbedtls_pk_free(&pk);
	return r > 0 ? 0 : r < 0 && r > -200 ? r : -EIO;
}

int sig_keygen(const char *path, const char *pub_path, struct err *e)
{
	mbedtls_pk_context pk;
	int r;

	mbedtls_pk_init(&pk);
	r = sig_generate(&pk);
	if (r < 0)
		err_set(e, r, "cannot generate a P-256 key: no random numbers or no memory");
	else
		r = sig_write_pair(&pk, path, pub_path, e);
	mbedtls_pk_free(&pk);
	return r;
}

/* ---- signatures ---- */

int sig_sign(struct sig_key *k, const uint8_t digest[HASH_SIZE], uint8_t ret[SIG_MAX], size_t *ret_len)
{
	uint8_t der[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	size_t n;

	if (!k->private)
		return -EINVAL;
	if (sig_pk_sign(&k->pk, digest, der, sizeof(der), &n) != 0 || n > SIG_MAX)
		return -EIO;
	memcpy(ret, der, n);
	*ret_len = n;
	return 0;
}

int sig_verify(struct sig_key *k, const uint8_t digest[HASH_SIZE], const uint8_t *der, size_t n)
{
	return mbedtls_pk_verify(&k->pk, MBEDTLS_MD_SHA256, digest, HASH_SIZE, der, n) == 0 ? 0 : -EBADMSG;
}
