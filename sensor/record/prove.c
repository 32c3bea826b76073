/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/prove.h"
#include "lib/b64.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/record/epoch.h"
#include "sensor/record/prove_impl.h"

#include <fcntl.h>
#include <inttypes.h>

DEFINE_CLEANUP(struct sig_key *, sig_key_free);

/* ---- making ---- */

void prove_place_done(struct prove_place *at)
{
	buf_done(&at->leaves);
	segment_image_done(&at->img);
}

/* The newest segment that can hold seq: each checkpoint says its last record's number and how many there are. */
static int prove_find(int dir_fd, const uint64_t *list, size_t n, uint64_t seq, uint64_t *ret, struct err *e)
{
	while (n--) {
		struct checkpoint_note note;
		struct buf text;
		int r;

		buf_init(&text, SEGMENT_FILE_MAX);
		r = segment_last_note(dir_fd, list[n], &text, &note, NULL);
		buf_done(&text);
		if (r < 0 || seq > note.c.seq || seq + note.c.size <= note.c.seq)
			continue;
		*ret = list[n];
		return 0;
	}
	return err_set(e, -ENOENT, "no signed record has seq %" PRIu64, seq);
}

static int prove_bad_segment(uint64_t number, struct err *e)
{
	return err_set(e, -EBADMSG,
		       "segment %08" PRIu64 " does not fit its checkpoint: `tamisctl log verify` says where", number);
}

int prove_read(int dir_fd, uint64_t number, struct prove_place *ret, struct err *e)
{
	int r = segment_read(dir_fd, number, &ret->img, e), last = -EBADMSG;
	struct rd at;

	buf_init(&ret->leaves, SEGMENT_FILE_MAX);
	if (r < 0)
		return r;
	at = rd_of(ret->img.file[SEGMENT_CKPT].data, ret->img.file[SEGMENT_CKPT].len);
	while (at.left && checkpoint_next(&at, &ret->note, NULL) == 0)
		last = 0;
	return last < 0 ? prove_bad_segment(number, e) : 0;
}

int prove_leaves(struct prove_place *at, struct err *e)
{
	struct rd r = rd_of(at->img.file[SEGMENT_LOG].data, at->img.file[SEGMENT_LOG].len);
	const struct checkpoint *c = &at->note.c;
	struct line_str text;
	merkle_hash leaf, root;

	for (uint64_t i = 0; i < c->size; i++) {
		if (!segment_line(&r, &text))
			return prove_bad_segment(at->img.number, e);
		merkle_leaf(text.p, text.n, leaf);
		if (buf_put(&at->leaves, leaf, HASH_SIZE) < 0)
			return err_set(e, -ENOMEM, "no memory for the hashes of segment %08" PRIu64, at->img.number);
	}
	merkle_root_of((const merkle_hash *)(const void *)at->leaves.data, c->size, root);
	return memcmp(root, c->root, HASH_SIZE) ? prove_bad_segment(at->img.number, e) : 0;
}

static bool prove_is_epoch(struct line_str text, struct line *ret)
{
	/* most lines are told by this, at the speed of memory */
	return memmem(text.p, text.n, "\"kind\":\"epoch\"", 14) && line_parse(text.p, text.n, ret) == 0 &&
	       line_str_is(ret->kind, "epoch");
}

/* Finds the record with this seq or, for 0, the segment's last `epoch` record, which counts. */
static void prove_seek(struct prove_place *at, uint64_t seq)
{
	struct rd r = rd_of(at->img.file[SEGMENT_LOG].data, at->img.file[SEGMENT_LOG].len);
	const struct checkpoint *c = &at->note.c;
	uint64_t index = c->size - 1 - (c->seq - seq);
	struct line_str text;
	struct line l;

	for (uint64_t i = 0; i < c->size && segment_line(&r, &text); i++) {
		if (seq ? i != index : !prove_is_epoch(text, &l))
			continue;
		at->record = text;
		at->index = i;
	}
}

void prove_hashes(struct jsonw *w, const merkle_hash *hashes, size_t n)
{
	struct buf text;

	buf_init(&text, B64_LEN(HASH_SIZE));
	jsonw_arr_begin(w);
	for (size_t i = 0; i < n; i++) {
		buf_reset(&text);
		b64_encode(&text, hashes[i], HASH_SIZE);
		jsonw_str(w, text.data, text.len);
	}
	jsonw_arr_end(w);
	buf_done(&text);
}

/* The members "hashes" and "index". */
static int prove_put_place(struct jsonw *w, const struct prove_place *at)
{
	merkle_hash hashes[MERKLE_DEPTH];
	size_t n;
	int r = merkle_prove_inclusion((const merkle_hash *)(const void *)at->leaves.data, at->note.c.size, at->index,
				       hashes, &n);

	if (r < 0)
		return r;
	jsonw_key(w, "hashes");
	prove_hashes(w, hashes, n);
	jsonw_member_u64(w, "index", at->index);
	return 0;
}

static int prove_link_of(struct prove_place *at, struct jsonw *w, bool always, struct err *e)
{
	int r;

	prove_seek(at, 0);
	if (!at->record.p && !always)
		return 0;
	r = prove_leaves(at, e);
	if (r < 0)
		return r;
	jsonw_obj_begin(w);
	jsonw_key(w, "checkpoint");
	jsonw_text(w, at->note.p, at->note.len);
	if (at->record.p) {
		r = prove_put_place(w, at);
		jsonw_key(w, "record");
		jsonw_text(w, at->record.p, at->record.n);
	}
	jsonw_obj_end(w);
	return r;
}

/* The link of one segment to the next key; without @always nothing where the segment has no `epoch` record. */
static int prove_put_link(struct jsonw *w, int dir_fd, uint64_t number, bool always, struct err *e)
{
	struct prove_place at = { 0 };
	int r = prove_read(dir_fd, number, &at, e);

	if (r == 0)
		r = prove_link_of(&at, w, always, e);
	prove_place_done(&at);
	return r;
}

int prove_link(int dir_fd, uint64_t number, struct buf *ret, struct err *e)
{
	struct jsonw w = jsonw_to(ret);
	int r = prove_put_link(&w, dir_fd, number, true, e);

	if (r == 0 && buf_error(ret))
		r = err_set(e, buf_error(ret), "no memory for what stays of segment %08" PRIu64, number);
	return r;
}

static int prove_read_pruned(int dir_fd, uint64_t number, struct buf *ret)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(number, SEGMENT_PRUNED, name);
	buf_reset(ret);
	return recio_read(dir_fd, name, ret);
}

/* The links of the segments that were pruned, which are those before @first. */
static int prove_put_pruned(struct jsonw *w, int dir_fd, uint64_t first, struct err *e)
{
	struct buf text;
	int r = 0;

	buf_init(&text, PROVE_TEXT_MAX);
	for (uint64_t number = 1; r == 0 && number < first; number++) {
		r = prove_read_pruned(dir_fd, number, &text);
		if (r == -ENOENT)
			r = 0; /* removed otherwise: the key is then that of a later segment */
		else if (r < 0)
			r = err_set(e, r, "cannot read what stays of segment %08" PRIu64 ": %s", number, strerror(-r));
		else if (memmem(text.data, text.len, "\"record\":", 9))
			jsonw_raw(w, text.data, text.len);
	}
	buf_done(&text);
	return r;
}

static int prove_render(int dir_fd, const uint64_t *list, const struct prove_place *at, struct line_str root,
			struct buf *ret, struct err *e)
{
	struct jsonw w = jsonw_to(ret);
	int r = 0;

	jsonw_obj_begin(&w);
	jsonw_key(&w, "checkpoint");
	jsonw_text(&w, at->note.p, at->note.len);
	jsonw_key(&w, "epochs");
	jsonw_arr_begin(&w);
	r = prove_put_pruned(&w, dir_fd, *list, e);
	for (; r == 0 && *list < at->img.number; list++)
		r = prove_put_link(&w, dir_fd, *list, false, e);
	jsonw_arr_end(&w);
	if (r == 0)
		r = prove_put_place(&w, at);
	if (r < 0)
		return r;
	jsonw_member_str(&w, "kind", "proof");
	jsonw_key(&w, "record");
	jsonw_text(&w, at->record.p, at->record.n);
	if (root.n) {
		jsonw_key(&w, "root");
		jsonw_text(&w, root.p, root.n);
	}
	jsonw_member_u64(&w, "v", 1);
	jsonw_obj_end(&w);
	if (buf_putc(ret, '\n') == 0)
		return 0;
	r = buf_error(ret);
	return err_set(e, r, r == -EFBIG ? "the proof would be longer than %u bytes" : "no memory for the proof",
		       PROVE_TEXT_MAX);
}

int prove_record(const char *dir, uint64_t seq, const void *root, size_t root_n, struct buf *ret, struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ uint64_t *list = NULL;
	struct prove_place at = { 0 };
	uint64_t number = 0;
	size_t n;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open the log", dir);
	r = segment_list(fd, &list, &n);
	if (r < 0)
		return err_set(e, r, "cannot list the log's segments: %s", strerror(-r));
	r = prove_find(fd, list, n, seq, &number, e);
	if (r < 0)
		return r;
	r = prove_read(fd, number, &at, e);
	if (r == 0)
		r = prove_leaves(&at, e);
	if (r == 0)
		prove_seek(&at, seq);
	if (r == 0)
		r = at.record.p ? prove_render(fd, list, &at, (struct line_str){ root, root_n }, ret, e)
				: prove_bad_segment(number, e);
	prove_place_done(&at);
	return r;
}

static int prove_step_key(int dir_fd, uint64_t number, struct sig_key **key, struct err *e)
{
	struct prove_place at = { 0 };
	int r = prove_read(dir_fd, number, &at, e);
	struct line l;

	if (r == 0)
		prove_seek(&at, 0);
	if (r == 0 && at.record.p && prove_is_epoch(at.record, &l))
		r = epoch_key_of(&l, key, e);
	prove_place_done(&at);
	return r;
}

static int prove_step_pruned(int dir_fd, uint64_t first, struct sig_key **key, struct err *e)
{
	struct prove_pruned p;
	struct buf text;
	int r = 0;

	buf_init(&text, PROVE_TEXT_MAX);
	for (uint64_t number = 1; r == 0 && number < first; number++) {
		if (prove_read_pruned(dir_fd, number, &text) < 0)
			continue;
		r = prove_link_check(text.data, text.len, *key, &p, e);
		if (r == 0 && p.next) {
			sig_key_free(*key);
			*key = p.next;
		}
	}
	buf_done(&text);
	return r;
}

int prove_segment_key(const char *dir, uint64_t number, struct sig_key **key, struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ uint64_t *list = NULL;
	size_t n;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open the log", dir);
	r = segment_list(fd, &list, &n);
	if (r < 0)
		return err_set(e, r, "cannot list the log's segments: %s", strerror(-r));
	r = n ? prove_step_pruned(fd, list[0], key, e) : 0;
	for (size_t i = 0; r == 0 && i < n && list[i] < number; i++)
		r = prove_step_key(fd, list[i], key, e);
	return r;
}

/* ---- checking ---- */

void prove_result_done(struct prove_result *res)
{
	free(res->record);
	res->record = NULL;
}

int prove_take_hashes(const json_t *array, merkle_hash *ret, size_t *ret_n)
{
	const json_t *item;
	size_t i, len;

	if (!json_is_array(array) || json_array_size(array) > MERKLE_DEPTH)
		return -EBADMSG;
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item) ||
		    b64_decode(json_string_value(item), json_string_length(item), ret[i], HASH_SIZE, &len) < 0 ||
		    len != HASH_SIZE)
			return -EBADMSG;
	}
	*ret_n = json_array_size(array);
	return 0;
}

static int prove_take_note(const json_t *text, struct sig_key *key, struct checkpoint_note *ret, struct err *e)
{
	struct rd r;

	if (!json_is_string(text))
		return err_set(e, -EBADMSG, "the proof has no checkpoint");
	r = rd_of(json_string_value(text), json_string_length(text));
	if (checkpoint_next(&r, ret, e) < 0)
		return -EBADMSG;
	if (r.left)
		return err_set(e, -EBADMSG, "the proof has more than one checkpoint");
	return checkpoint_verify(ret, key, e);
}

/* What a proof and its links share: a record that is in the tree which this key signed. */
struct prove_found {
	struct checkpoint_note note; /* borrowed from the JSON, as the line */
	struct line line;
	uint64_t index;
};

static int prove_check_place(const json_t *proof, struct sig_key *key, struct prove_found *ret, struct err *e)
{
	const json_t *record = json_object_get(proof, "record"), *index = json_object_get(proof, "index");
	merkle_hash hashes[MERKLE_DEPTH], leaf;
	size_t n;

	if (prove_take_note(json_object_get(proof, "checkpoint"), key, &ret->note, e) < 0)
		return -EBADMSG;
	if (!json_is_string(record) || !json_is_integer(index) || json_integer_value(index) < 0 ||
	    prove_take_hashes(json_object_get(proof, "hashes"), hashes, &n) < 0)
		return err_set(e, -EBADMSG, "the proof's record, index or hashes are malformed");
	ret->index = (uint64_t)json_integer_value(index);
	merkle_leaf(json_string_value(record), json_string_length(record), leaf);
	if (!merkle_check_inclusion(leaf, ret->index, ret->note.c.size, hashes, n, ret->note.c.root))
		return err_set(e, -EBADMSG, "the record is not at this place of the log that was signed");
	if (line_parse(json_string_value(record), json_string_length(record), &ret->line) < 0)
		return err_set(e, -EBADMSG, "what was signed is no record");
	return 0;
}

/*
 * Who has today's key can sign what he likes, but not as of yesterday: a key's records are in later segments, and have
 * higher numbers, than the record that names the key.
 */
static int prove_check_order(const struct prove_found *before, const struct prove_found *after, struct err *e)
{
	if (after->note.c.segment > before->note.c.segment && after->line.seq > before->line.seq)
		return 0;
	return err_set(e, -EBADMSG, "a record of segment %" PRIu64 " is signed by the key of a later epoch",
		       after->note.c.segment);
}

/* Walks the links from *key, which is replaced by the one they lead to; *last is the last of them. */
static int prove_check_links(const json_t *links, struct sig_key **key, struct prove_found *last, struct err *e)
{
	struct prove_found link;
	const json_t *item;
	size_t i;

	if (links && !json_is_array(links))
		return err_set(e, -EBADMSG, "the proof's epochs are no list");
	json_array_foreach(links, i, item)
	{
		if (prove_check_place(item, *key, &link, e) < 0)
			return -EBADMSG;
		if (!line_str_is(link.line.kind, "epoch"))
			return err_set(e, -EBADMSG, "link %zu of the proof's epochs is no `epoch` record", i + 1);
		if (prove_check_order(last, &link, e) < 0)
			return -EBADMSG;
		if (epoch_key_of(&link.line, key, e) < 0)
			return -EBADMSG;
		*last = link;
	}
	return 0;
}

/* Owns *key, which the links replace. */
static int prove_check_json(const json_t *proof, struct sig_key **key, struct prove_result *ret, struct err *e)
{
	const json_t *record = json_object_get(proof, "record"), *links = json_object_get(proof, "epochs");
	struct prove_found last = { .index = 0 }, found;
	const char *name = found.note.c.name;

	if (prove_check_links(links, key, &last, e) < 0 || prove_check_place(proof, *key, &found, e) < 0)
		return -EBADMSG;
	if (prove_check_order(&last, &found, e) < 0)
		return -EBADMSG;
	*ret = (struct prove_result){
		.segment = found.note.c.segment,
		.index = found.index,
		.size = found.note.c.size,
		.epochs = json_array_size(links) + 1,
		.record = strdup(json_string_value(record)),
	};
	memcpy(ret->time, found.note.c.time, LINE_TIME_SIZE);
	snprintf(ret->host, sizeof(ret->host), "%.*s", CHECKPOINT_NAME_MAX - 1,
		 name + (strncmp(name, "tamis/", 6) == 0 ? 6 : 0));
	return ret->record ? 0 : err_set(e, -ENOMEM, "no memory for the record");
}

static int prove_parse(const void *text, size_t n, json_t **ret, struct err *e)
{
	json_error_t why;

	if (n > PROVE_TEXT_MAX)
		return err_set(e, -EBADMSG, "the proof is longer than any proof");
	*ret = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	return *ret ? 0 : err_set(e, -EBADMSG, "the proof is not JSON: %s", why.text);
}

int prove_root(const void *text, size_t n, struct buf *ret, struct err *e)
{
	const json_t *root;
	json_t *proof;
	int r = prove_parse(text, n, &proof, e);

	if (r < 0)
		return r;
	root = json_object_get(proof, "root");
	if (json_is_string(root))
		r = buf_put(ret, json_string_value(root), json_string_length(root));
	else
		r = err_set(e, -ENOENT, "the proof carries no root: it was made before one was installed");
	json_decref(proof);
	return r;
}

int prove_check(const void *text, size_t n, struct sig_key *key, struct prove_result *ret, struct err *e)
{
	_cleanup_(sig_key_free) struct sig_key *walked = NULL;
	json_t *proof;
	int r = prove_parse(text, n, &proof, e);

	if (r < 0)
		return r;
	/* a key of our own, which the links may replace */
	r = sig_public_copy(key, &walked);
	if (r == 0)
		r = prove_check_json(proof, &walked, ret, e);
	json_decref(proof);
	return r;
}

static int prove_link_json(const json_t *link, struct sig_key *key, struct prove_pruned *ret, struct err *e)
{
	bool record = json_object_get(link, "record");
	struct prove_found found;

	if (record ? prove_check_place(link, key, &found, e) < 0
		   : prove_take_note(json_object_get(link, "checkpoint"), key, &found.note, e) < 0)
		return -EBADMSG;
	ret->c = found.note.c;
	memcpy(ret->key_hash, found.note.key_hash, sizeof(ret->key_hash));
	checkpoint_hash(&found.note, ret->hash);
	if (!record)
		return 0;
	return line_str_is(found.line.kind, "epoch") ? epoch_key_of(&found.line, &ret->next, e)
						     : err_set(e, -EBADMSG, "its record is no `epoch` record");
}

int prove_link_check(const void *text, size_t n, struct sig_key *key, struct prove_pruned *ret, struct err *e)
{
	json_error_t why;
	json_t *link = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	int r;

	*ret = (struct prove_pruned){ .next = NULL };
	if (!link)
		return err_set(e, -EBADMSG, "it is not JSON: %s", why.text);
	r = prove_link_json(link, key, ret, e);
	json_decref(link);
	return r;
}
