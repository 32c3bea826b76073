/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/witness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "lib/b64.h"
#include "lib/cleanup.h"
#include "sensor/record/prove.h"
#include "sensor/record/prove_impl.h"

#define DASH "\xe2\x80\x94 "

DEFINE_CLEANUP(json_t *, json_decref);

/* ---- asking -------------------------------------------------------------------------------------------------------- */

/* The note at the beginning of a text; lines of countersignatures may follow. */
static int note_of(const void *text, size_t n, struct checkpoint_note *ret, struct err *e)
{
	struct rd r = rd_of(text, n);

	return checkpoint_next(&r, ret, e);
}

/* The member "consistency": that the segment which @since is of begins with what @since covers. */
static int put_consistency(struct jsonw *w, int dir_fd, const struct checkpoint *since, struct err *e)
{
	merkle_hash hashes[MERKLE_DEPTH], root;
	struct prove_place at = { 0 };
	const merkle_hash *leaves;
	size_t n = 0;
	int r = prove_read(dir_fd, since->segment, &at, e);

	r = r == 0 ? prove_leaves(&at, e) : r;
	leaves = (const merkle_hash *)(const void *)at.leaves.data;
	if (r == 0 && at.note.c.size < since->size)
		r = err_set(e, -EBADMSG,
			    "segment %" PRIu64 " has %" PRIu64 " records, but the witness has signed %" PRIu64
			    ": the log was put back to an older state",
			    since->segment, at.note.c.size, since->size);
	if (r == 0) {
		merkle_root_of(leaves, since->size, root);
		if (memcmp(root, since->root, HASH_SIZE) != 0 ||
		    merkle_prove_consistency(leaves, at.note.c.size, since->size, hashes, &n) < 0)
			r = err_set(e, -EBADMSG,
				    "segment %" PRIu64 " does not hold the records that the witness has signed",
				    since->segment);
	}
	prove_place_done(&at);
	if (r < 0)
		return r;
	jsonw_key(w, "consistency");
	prove_hashes(w, hashes, n);
	return 0;
}

/* What stays of a segment, whether it was pruned or not. */
static int put_link(struct jsonw *w, int dir_fd, uint64_t number, struct buf *scratch, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	int r;

	segment_name(number, SEGMENT_PRUNED, name);
	buf_reset(scratch);
	r = recio_read(dir_fd, name, scratch);
	if (r == -ENOENT)
		r = prove_link(dir_fd, number, scratch, e);
	else if (r < 0)
		r = err_sys(e, r, "cannot read", name);
	if (r == 0)
		jsonw_raw(w, scratch->data, scratch->len);
	return r;
}

static int put_request(struct jsonw *w, int dir_fd, const struct checkpoint *since,
		       const struct checkpoint_note *newest, struct err *e)
{
	struct buf scratch;
	int r;

	jsonw_obj_begin(w);
	jsonw_key(w, "checkpoint");
	jsonw_text(w, newest->p, newest->len);
	r = since ? put_consistency(w, dir_fd, since, e) : 0;
	jsonw_member_str(w, "kind", "witness");
	jsonw_key(w, "links");
	jsonw_arr_begin(w);
	buf_init(&scratch, PROVE_TEXT_MAX);
	for (uint64_t number = since ? since->segment : 1; r == 0 && number < newest->c.segment; number++)
		r = put_link(w, dir_fd, number, &scratch, e);
	buf_done(&scratch);
	jsonw_arr_end(w);
	jsonw_member_u64(w, "segment", since ? since->segment : 0);
	jsonw_member_u64(w, "size", since ? since->size : 0);
	jsonw_member_u64(w, "v", 1);
	jsonw_obj_end(w);
	return r;
}

int witness_request(const char *dir, const void *since_text, size_t n, struct buf *ret, struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ uint64_t *list = NULL;
	struct checkpoint_note since, newest;
	struct jsonw w = jsonw_to(ret);
	struct buf text;
	size_t count = 0;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open the log", dir);
	if (since_text && note_of(since_text, n, &since, e) < 0)
		return -EBADMSG;
	r = segment_list(fd, &list, &count);
	if (r < 0 || !count)
		return err_set(e, r < 0 ? r : -ENOENT, "there is no log in %s", dir);
	if (since_text && since.c.segment > list[count - 1])
		return err_set(e, -EBADMSG,
			       "the witness has signed segment %" PRIu64 ", but the log ends with segment %" PRIu64
			       ": it was put back to an older state",
			       since.c.segment, list[count - 1]);
	if (since_text && since.c.segment < list[0])
		return err_set(e, -ENOENT,
			       "segment %" PRIu64 ", which the witness has signed, was pruned: ask it more often",
			       since.c.segment);
	buf_init(&text, SEGMENT_FILE_MAX);
	r = segment_last_note(fd, list[count - 1], &text, &newest, e);
	if (r == 0)
		r = put_request(&w, fd, since_text ? &since.c : NULL, &newest, e);
	buf_done(&text);
	buf_putc(ret, '\n');
	if (r == 0 && buf_error(ret))
		r = err_set(e, buf_error(ret), "the request would be longer than %u bytes", WITNESS_TEXT_MAX);
	return r;
}

/* ---- countersigning ------------------------------------------------------------------------------------------------ */

/* How far the walk from what was seen to the newest checkpoint has come. */
struct walk {
	struct sig_key *key;	       /* owned: of the segment that is next */
	uint64_t segment;	       /* that is next */
	const struct checkpoint *seen; /* within the first segment; NULL: from the log's beginning */
	const json_t *consistency;
	struct checkpoint prev; /* of the segment before; segment 0: none */
};

/* Does this checkpoint go on from the one before, or from what was seen? */
static int step(struct walk *w, const struct checkpoint *c, struct err *e)
{
	merkle_hash hashes[MERKLE_DEPTH];
	size_t n;

	if (c->segment != w->segment)
		return err_set(e, -EBADMSG, "segment %" PRIu64 " where %" PRIu64 " follows", c->segment, w->segment);
	if (w->seen && c->segment == w->seen->segment) {
		if (strcmp(c->name, w->seen->name) != 0 || prove_take_hashes(w->consistency, hashes, &n) < 0 ||
		    c->seq < w->seen->seq ||
		    !merkle_check_consistency(w->seen->size, c->size, w->seen->root, c->root, hashes, n))
			return err_set(e, -EBADMSG,
				       "segment %" PRIu64 " does not go on from the %" PRIu64
				       " records that were seen: the log was changed or put back to an older state",
				       c->segment, w->seen->size);
	} else if (c->prev_segment != w->prev.segment ||
		   (w->prev.segment &&
		    (c->prev_size != w->prev.size || memcmp(c->prev_root, w->prev.root, HASH_SIZE)))) {
		return err_set(e, -EBADMSG, "segment %" PRIu64 " does not follow the one before it", c->segment);
	}
	w->prev = *c;
	w->segment++;
	return 0;
}

static int walk_link(struct walk *w, const json_t *link, struct err *e)
{
	char *text = json_dumps(link, JSON_COMPACT);
	struct prove_pruned p = { .next = NULL };
	int r = text ? prove_link_check(text, strlen(text), w->key, &p, e) : -ENOMEM;

	free(text);
	if (r == 0)
		r = step(w, &p.c, e);
	if (p.next) {
		sig_key_free(w->key);
		w->key = p.next;
	}
	return r;
}

static int walk(struct walk *w, const json_t *request, struct checkpoint_note *ret, struct err *e)
{
	const json_t *links = json_object_get(request, "links"), *text = json_object_get(request, "checkpoint"), *link;
	size_t i;
	int r = 0;

	if (!json_is_array(links) || !json_is_string(text))
		return err_set(e, -EBADMSG, "this is no request for a witness");
	json_array_foreach(links, i, link)
	{
		r = walk_link(w, link, e);
		if (r < 0)
			return r;
	}
	if (note_of(json_string_value(text), json_string_length(text), ret, e) < 0 ||
	    ret->len != json_string_length(text) || checkpoint_verify(ret, w->key, e) < 0)
		return e && e->msg[0] ? -EBADMSG : err_set(e, -EBADMSG, "the request's checkpoint is malformed");
	return step(w, &ret->c, e);
}

/* What is remembered of a host takes the place of what was before, whole, and is on disk when this returns 0. */
static int write_seen(int fd, const char *host, const struct buf *b, struct err *e)
{
	char name[CHECKPOINT_NAME_MAX + 8];

	snprintf(name, sizeof(name), "%s.note", host);
	return recio_replace(&recio_system, fd, name, b->data, b->len, 0600, RECIO_SYNC, e);
}

/* The host's name in an origin; it becomes a file's name. */
static const char *host_of(const struct checkpoint *c)
{
	const char *host = strncmp(c->name, "tamis/", 6) == 0 ? c->name + 6 : "";

	if (!*host || *host == '.' ||
	    strlen(host) != strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789._-"))
		return NULL;
	return host;
}

/* What the witness remembers of a log. */
struct memory {
	struct checkpoint_note note; /* borrowed from text */
	struct buf text;	     /* owned */
	struct sig_key *key;	     /* owned: of the note's segment */
	bool any;
};

static int remember(int fd, const char *host, struct sig_key *first, struct memory *ret, struct err *e)
{
	char name[CHECKPOINT_NAME_MAX + 8];
	const char *pem;
	int r;

	snprintf(name, sizeof(name), "%s.note", host);
	buf_init(&ret->text, WITNESS_NOTE_MAX);
	r = recio_read(fd, name, &ret->text);
	if (r == -ENOENT && !first)
		return err_set(e, -EBADMSG, "%s was never seen here: --log-key has to name its log.pub.pem once", host);
	if (r == -ENOENT)
		return sig_public_copy(first, &ret->key);
	ret->any = true;
	pem = r == 0 ? memmem(ret->text.data, ret->text.len, "-----BEGIN", 10) : NULL;
	if (!pem || note_of(ret->text.data, ret->text.len, &ret->note, NULL) < 0 ||
	    sig_parse_public(pem, ret->text.len - (size_t)(pem - (char *)ret->text.data), name, &ret->key, NULL) < 0)
		return err_set(e, -EBADMSG, "%s cannot be read: restore it, or remove it and begin anew with --log-key",
			       name);
	return 0;
}

/* The note, and the witness's line behind it. */
static int put_note(const struct checkpoint_note *note, struct sig_key *key, const char *name, struct buf *ret)
{
	uint8_t digest[HASH_SIZE], blob[4 + SIG_MAX];
	size_t n;
	int r;

	hash_sha256(note->p, note->text_len, digest);
	r = sig_sign(key, digest, blob + 4, &n);
	if (r < 0)
		return r;
	memcpy(blob, sig_key_hash(key), 4);
	buf_put(ret, note->p, note->len);
	buf_printf(ret, DASH "%s ", name);
	b64_encode(ret, blob, 4 + n);
	buf_putc(ret, '\n');
	return buf_error(ret);
}

static int check_since(const struct memory *m, const json_t *request, const char *host, struct err *e)
{
	uint64_t segment = (uint64_t)json_integer_value(json_object_get(request, "segment"));
	uint64_t size = (uint64_t)json_integer_value(json_object_get(request, "size"));

	if (m->any && (segment != m->note.c.segment || size != m->note.c.size))
		return err_set(e, -EBADMSG,
			       "%s asks from segment %" PRIu64 " with %" PRIu64 " records on, but %" PRIu64
			       " with %" PRIu64
			       " were seen: it has to ask --since the note that is remembered as %s.note",
			       host, segment, size, m->note.c.segment, m->note.c.size, host);
	if (!m->any && (segment || size))
		return err_set(e, -EBADMSG, "%s was never seen here: its first request is without --since", host);
	return 0;
}

static int sign(int fd, const json_t *request, struct sig_key *first, struct sig_key *key, const char *name,
		struct buf *ret, struct err *e)
{
	const json_t *text = json_object_get(request, "checkpoint"), *kind = json_object_get(request, "kind");
	struct memory m = { .any = false };
	char pem[SIG_PEM_PUBLIC_MAX];
	struct checkpoint_note note;
	struct walk w = { .segment = 1 };
	struct buf seen;
	const char *host;
	int r;

	if (!json_is_string(text) || !json_is_string(kind) || strcmp(json_string_value(kind), "witness") != 0 ||
	    json_integer_value(json_object_get(request, "v")) != 1 ||
	    note_of(json_string_value(text), json_string_length(text), &note, e) < 0)
		return err_set(e, -EBADMSG, "this is no request for a witness");
	host = host_of(&note.c);
	if (!host)
		return err_set(e, -EBADMSG, "the log's name is not one of this form: tamis/HOST");
	r = remember(fd, host, first, &m, e);
	r = r == 0 ? check_since(&m, request, host, e) : r;
	if (r == 0) {
		w.key = TAKE_PTR(m.key);
		w.consistency = json_object_get(request, "consistency");
		if (m.any) {
			w.seen = &m.note.c;
			w.segment = m.note.c.segment;
		}
		r = walk(&w, request, &note, e);
	}
	r = r == 0 ? put_note(&note, key, name, ret) : r;
	r = r == 0 ? sig_public_pem(w.key, pem) : r;
	if (r == 0) {
		buf_init(&seen, WITNESS_NOTE_MAX);
		buf_put(&seen, ret->data, ret->len);
		buf_puts(&seen, pem);
		r = buf_error(&seen) ? err_set(e, buf_error(&seen), "no memory") : write_seen(fd, host, &seen, e);
		buf_done(&seen);
	}
	sig_key_free(w.key);
	sig_key_free(m.key);
	buf_done(&m.text);
	return r;
}

int witness_sign(const void *text, size_t n, const char *seen, struct sig_key *first, struct sig_key *key,
		 const char *name, struct buf *ret, struct err *e)
{
	_cleanup_(json_decref) json_t *request =
		n <= WITNESS_TEXT_MAX ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	_cleanup_close_ int fd = -1;

	if (!request)
		return err_set(e, -EBADMSG, "this is no request for a witness");
	if (mkdir(seen, 0700) < 0 && errno != EEXIST)
		return err_sys(e, -errno, "cannot create", seen);
	fd = open(seen, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, -errno, "cannot open", seen);
	return sign(fd, request, first, key, name, ret, e);
}

/* ---- checking ------------------------------------------------------------------------------------------------------ */

/* One line "DASH NAME BASE64\n": is it the witness's over this text? */
static bool line_signs(struct line_str line, struct sig_key *key, const uint8_t digest[HASH_SIZE])
{
	uint8_t blob[4 + SIG_MAX];
	const char *space;
	size_t n;

	if (line.n < strlen(DASH) || memcmp(line.p, DASH, strlen(DASH)) != 0)
		return false;
	space = memrchr(line.p, ' ', line.n);
	if (!space || b64_decode(space + 1, line.n - (size_t)(space + 1 - line.p), blob, sizeof(blob), &n) < 0 ||
	    n <= 4)
		return false;
	return memcmp(blob, sig_key_hash(key), 4) == 0 && sig_verify(key, digest, blob + 4, n - 4) == 0;
}

int witness_note(const void *text, size_t n, struct sig_key *key, struct checkpoint_note *ret, struct err *e)
{
	uint8_t digest[HASH_SIZE];
	struct line_str line;
	struct rd r = rd_of(text, n);

	if (checkpoint_next(&r, ret, e) < 0)
		return -EBADMSG;
	hash_sha256(ret->p, ret->text_len, digest);
	while (segment_line(&r, &line))
		if (line_signs(line, key, digest))
			return 0;
	return err_set(e, -EBADMSG, "the note is not countersigned by the key %s", sig_key_id(key));
}
