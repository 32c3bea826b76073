/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/epoch.h"
#include "lib/b64.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>

#define EPOCH_KEY  "log.key.pem"
#define EPOCH_PUB  "log.pub.pem"
#define EPOCH_NEXT "log.next.pem"
#define EPOCH_PAST "log.past.pem"

#define EPOCH_BLOB_MAX 2048
#define SEALED_BEGIN   "-----BEGIN TAMIS SEALED KEY-----\n"
#define SEALED_END     "-----END TAMIS SEALED KEY-----\n"

static char *epoch_path(const struct epoch *ep, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", ep->dir, name) < 0 ? NULL : path;
}

/* ---- files of keys ---- */

static int epoch_unseal(struct epoch *ep, const char *path, const struct buf *text, struct sig_key **ret, struct err *e)
{
	const char *from = (const char *)text->data + sizeof(SEALED_BEGIN) - 1;
	const char *to = memmem(from, text->len - (sizeof(SEALED_BEGIN) - 1), "\n-----END", 9);
	uint8_t blob[EPOCH_BLOB_MAX], der[SIG_DER_MAX];
	struct err why = { "" };
	size_t n;
	int r;

	if (!to || b64_decode(from, (size_t)(to - from), blob, sizeof(blob), &n) < 0)
		return err_set(e, -EBADMSG, "%s is not a key that was sealed", path);
	if (!ep->seal)
		return err_set(e, -ENOKEY, "the log's key %s is sealed by a TPM: --log-seal has to say by which", path);
	r = ep->seal->unseal(ep->seal->ctx, blob, n, der, sizeof(der), &n, &why);
	if (r == 0)
		r = sig_parse_private_der(der, n, ret);
	explicit_bzero(der, sizeof(der));
	if (r < 0)
		return err_set(
			e, -ENOKEY,
			"the log's key %s is sealed and cannot be opened: %s (without it the log can be read and verified, "
			"but not be gone on with: move it and its keys away to begin a new one)",
			path, why.msg[0] ? why.msg : "what was sealed is no key");
	return 0;
}

static int epoch_load_private(struct epoch *ep, const char *path, struct sig_key **ret, struct err *e)
{
	struct buf text;
	int r;

	buf_init(&text, SIG_PEM_MAX);
	r = recio_read(AT_FDCWD, path, &text);
	if (r < 0)
		r = err_sys(e, r, "cannot read the key", path);
	else if (text.len >= sizeof(SEALED_BEGIN) && !memcmp(text.data, SEALED_BEGIN, sizeof(SEALED_BEGIN) - 1))
		r = epoch_unseal(ep, path, &text, ret, e);
	else
		r = sig_parse_private(text.data, text.len, path, ret, e);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_done(&text);
	return r;
}

static int epoch_load(struct epoch *ep, const char *name, bool private, struct sig_key **ret, struct err *e)
{
	_cleanup_free_ char *path = epoch_path(ep, name);

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	return private ? epoch_load_private(ep, path, ret, e) : sig_load_public(path, ret, e);
}

static int epoch_seal_text(struct epoch *ep, struct buf *ret, struct err *e)
{
	uint8_t der[SIG_DER_MAX], blob[EPOCH_BLOB_MAX];
	struct err why = { "" };
	size_t n;
	int r = sig_generate_der(der, &n);

	if (r < 0)
		return err_set(e, r, "cannot generate a P-256 key: no random numbers or no memory");
	r = ep->seal->seal(ep->seal->ctx, der, n, blob, sizeof(blob), &n, &why);
	explicit_bzero(der, sizeof(der));
	if (r < 0)
		return err_set(e, r, "cannot seal a new key: %s", why.msg);
	buf_puts(ret, SEALED_BEGIN);
	b64_encode(ret, blob, n);
	buf_puts(ret, "\n" SEALED_END);
	return buf_error(ret);
}

/* A new private key on disk, as *ret. */
static int epoch_make(struct epoch *ep, const char *name, struct sig_key **ret, struct err *e)
{
	_cleanup_free_ char *path = epoch_path(ep, name);
	struct buf text;
	int r;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	if (!ep->seal) {
		r = sig_keygen(path, NULL, e);
	} else {
		buf_init(&text, SIG_PEM_MAX);
		r = epoch_seal_text(ep, &text, e);
		if (r == 0)
			r = recio_replace(ep->io, AT_FDCWD, path, text.data, text.len, 0600, RECIO_SYNC, e);
		buf_done(&text);
	}
	return r < 0 ? r : epoch_load_private(ep, path, ret, e);
}

/* Names of new files are on disk. */
static int epoch_sync_dir(const struct epoch *ep)
{
	_cleanup_close_ int dir = open(ep->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 || fsync(dir) < 0 ? -errno : 0;
}

static int epoch_rename(struct epoch *ep, const char *from, const char *to, struct err *e)
{
	_cleanup_free_ char *a = epoch_path(ep, from), *b = epoch_path(ep, to);

	if (!a || !b)
		return err_set(e, -ENOMEM, "no memory");
	if (ep->io->renameat(AT_FDCWD, a, b) < 0)
		return err_sys(e, -errno, "cannot replace the key", b);
	/* where this fails the rename is done again after a power cut */
	epoch_sync_dir(ep);
	return 0;
}

/*
 * Overwrites the file with zeros where it lies. What the file system or the disk kept elsewhere (journals, snapshots, worn
 * flash cells) is out of reach: SECURITY.md says so.
 */
static int epoch_shred(struct epoch *ep, const char *name, struct err *e)
{
	static const uint8_t zeros[SIG_PEM_MAX];
	_cleanup_free_ char *path = epoch_path(ep, name);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	fd = ep->io->openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, -errno, "cannot open the key", path);
	r = recio_write(ep->io, fd, zeros, (size_t)st.st_size < sizeof(zeros) ? (size_t)st.st_size : sizeof(zeros), 0);
	if (r == 0 && ep->io->fdatasync(fd) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, r, "cannot overwrite the key", path) : 0;
}

/* The public half of the present key, for a start after a crash. Replaced as a whole: the one before is needed till then. */
static int epoch_write_past(struct epoch *ep, struct err *e)
{
	_cleanup_free_ char *path = epoch_path(ep, EPOCH_PAST ".new");
	_cleanup_close_ int fd = -1;
	char pem[SIG_PEM_PUBLIC_MAX];
	int r;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	r = sig_public_pem(ep->key, pem);
	if (r < 0)
		return err_set(e, r, "cannot write the public key as PEM");
	fd = ep->io->openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, -errno, "cannot create the key", path);
	r = recio_write(ep->io, fd, pem, strlen(pem), 0);
	if (r == 0 && ep->io->fdatasync(fd) < 0)
		r = -errno;
	if (r < 0)
		return err_sys(e, r, "cannot write the key", path);
	return epoch_rename(ep, EPOCH_PAST ".new", EPOCH_PAST, e);
}

/* ---- opening ---- */

static bool epoch_is_new(const struct epoch *ep)
{
	static const char *const names[] = { EPOCH_KEY, EPOCH_NEXT, EPOCH_PAST };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *path = epoch_path(ep, names[i]);

		if (!path || access(path, F_OK) == 0 || errno != ENOENT)
			return false;
	}
	return true;
}

static int epoch_first_sealed(struct epoch *ep, const char *key, const char *pub, struct err *e)
{
	struct sig_key *made = NULL;
	char pem[SIG_PEM_PUBLIC_MAX];
	int r;

	if (access(pub, F_OK) == 0)
		return -EEXIST;
	r = epoch_make(ep, EPOCH_KEY, &made, e);
	if (r == 0)
		r = sig_public_pem(made, pem);
	if (r == 0)
		r = recio_replace(ep->io, AT_FDCWD, pub, pem, strlen(pem), 0644, RECIO_SYNC, e);
	if (r < 0)
		unlink(key);
	sig_key_free(made);
	return r;
}

static int epoch_first(struct epoch *ep, struct err *e)
{
	_cleanup_free_ char *key = epoch_path(ep, EPOCH_KEY), *pub = epoch_path(ep, EPOCH_PUB);
	int r = key && pub ? 0 : err_set(e, -ENOMEM, "no memory");

	if (r == 0)
		r = ep->seal ? epoch_first_sealed(ep, key, pub, e) : sig_keygen(key, pub, e);

	if (r == -EEXIST)
		return err_set(
			e, r,
			"%s is there but the private key %s is not: restore it, or move the log and its keys away "
			"to begin a new log",
			pub, key);
	return r;
}

static int epoch_load_all(struct epoch *ep, struct err *e)
{
	int r;

	if (epoch_is_new(ep)) {
		r = epoch_first(ep, e);
		if (r < 0)
			return r;
	}
	r = epoch_load(ep, EPOCH_NEXT, true, &ep->next, e);
	/* a half-written key to come was never signed for; one that cannot be read now may have been */
	if (r == -EBADMSG)
		epoch_drop_next(ep);
	else if (r < 0 && r != -ENOENT)
		return r;
	r = epoch_load(ep, EPOCH_PAST, false, &ep->past, e);
	if (r < 0 && r != -EBADMSG && r != -ENOENT)
		return r;
	r = epoch_load(ep, EPOCH_KEY, true, &ep->key, e);
	if (r != -EBADMSG || !ep->next || !ep->past)
		return r;
	/* the present key was overwritten, and then the sensor ended */
	r = epoch_rename(ep, EPOCH_NEXT, EPOCH_KEY, e);
	if (r == 0)
		ep->key = TAKE_PTR(ep->next);
	return r;
}

int epoch_open(struct epoch *ep, const char *keys_dir, const struct recio *io, const struct epoch_seal *seal,
	       struct err *e)
{
	int r;

	*ep = (struct epoch){ .dir = strdup(keys_dir), .io = io, .seal = seal };
	if (!ep->dir)
		return err_set(e, -ENOMEM, "no memory");
	if (mkdir(keys_dir, 0700) < 0 && errno != EEXIST)
		r = err_sys(e, -errno, "cannot create", keys_dir);
	else
		r = epoch_load_all(ep, e);
	if (r < 0)
		epoch_close(ep);
	return r;
}

void epoch_close(struct epoch *ep)
{
	sig_key_free(ep->key);
	sig_key_free(ep->next);
	sig_key_free(ep->past);
	free(ep->dir);
	*ep = (struct epoch){ 0 };
}

/* ---- turning ---- */

void epoch_drop_next(struct epoch *ep)
{
	_cleanup_free_ char *path = epoch_path(ep, EPOCH_NEXT);

	sig_key_free(ep->next);
	ep->next = NULL;
	if (path)
		unlink(path);
}

/* The present key's file takes its name, where epoch_turn could not do that. */
static int epoch_place(struct epoch *ep, struct err *e)
{
	int r = ep->unplaced ? epoch_rename(ep, EPOCH_NEXT, EPOCH_KEY, e) : 0;

	if (r == 0)
		ep->unplaced = false;
	return r;
}

int epoch_prepare(struct epoch *ep, struct err *e)
{
	struct sig_key *next = NULL;
	_cleanup_free_ char *path = NULL;
	int r;

	if (ep->next)
		return 0;
	r = epoch_place(ep, e);
	if (r < 0)
		return r;
	path = epoch_path(ep, EPOCH_NEXT);
	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	/* what is left of a try that failed */
	unlink(path);
	r = epoch_make(ep, EPOCH_NEXT, &next, e);
	if (r < 0)
		return r;
	/* the present key is not destroyed before the next one would outlive a power cut, name and all */
	r = epoch_sync_dir(ep);
	if (r < 0) {
		sig_key_free(next);
		return err_sys(e, r, "cannot sync the directory of", path);
	}
	ep->next = next;
	return 0;
}

int epoch_turn(struct epoch *ep, struct err *e)
{
	struct sig_key *past;
	int r = epoch_write_past(ep, e);

	if (r == 0)
		r = epoch_shred(ep, EPOCH_KEY, e);
	if (r < 0)
		return r;
	/* from here on nothing may be signed by the key whose file is no more, whether or not the next has its name yet */
	ep->unplaced = true;
	epoch_place(ep, NULL);
	/* without its public half only the crash that comes right now would be told as damage */
	if (sig_public_copy(ep->key, &past) < 0)
		past = NULL;
	sig_key_free(ep->past);
	sig_key_free(ep->key);
	ep->past = past;
	ep->key = TAKE_PTR(ep->next);
	return 0;
}

struct sig_key *epoch_find(const struct epoch *ep, const uint8_t key_hash[4])
{
	if (!memcmp(sig_key_hash(ep->key), key_hash, 4))
		return ep->key;
	return ep->past && !memcmp(sig_key_hash(ep->past), key_hash, 4) ? ep->past : NULL;
}

int epoch_key_of(const struct line *l, struct sig_key **ret, struct err *e)
{
	struct line_str value, id, text;
	struct sig_key *key;
	uint8_t der[SIG_DER_MAX];
	size_t n;
	int r;

	if (line_member(l->body, "key", &value) < 0 || line_value_str(value, &id) < 0 ||
	    line_member(l->body, "public", &value) < 0 || line_value_str(value, &text) < 0 ||
	    b64_decode(text.p, text.n, der, sizeof(der), &n) < 0)
		return err_set(e, -EBADMSG, "the `epoch` record names no key");
	r = sig_parse_der(der, n, "the key of the `epoch` record", &key, e);
	if (r < 0)
		return r;
	if (!line_str_is(id, sig_key_id(key))) {
		sig_key_free(key);
		return err_set(e, -EBADMSG, "the `epoch` record's key has another id than it says");
	}
	sig_key_free(*ret);
	*ret = key;
	return 0;
}
