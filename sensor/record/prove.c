/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/prove.h"
#include "lib/b64.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/record/segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>

/* ---- making ---- */

/* The newest segment that can hold seq: each checkpoint says its last record's number and how many there are. */
static int prove_find(int dir_fd, uint64_t seq, struct segment_image *ret, struct checkpoint_note *ret_note,
		      struct err *e)
{
	_cleanup_free_ uint64_t *list = NULL;
	size_t n;
	int r = segment_list(dir_fd, &list, &n);

	if (r < 0)
		return err_set(e, r, "cannot list the log's segments: %s", strerror(-r));
	while (n--) {
		struct buf text;

		buf_init(&text, SEGMENT_FILE_MAX);
		r = segment_last_note(dir_fd, list[n], &text, ret_note, NULL);
		buf_done(&text);
		if (r < 0 || seq > ret_note->c.seq || seq + ret_note->c.size <= ret_note->c.seq)
			continue;
		return segment_read(dir_fd, list[n], ret, e);
	}
	return err_set(e, -ENOENT, "no signed record has seq %" PRIu64, seq);
}

/* The newest checkpoint in the image itself, which may be newer than the one that was found first. */
static int prove_note(const struct segment_image *img, struct checkpoint_note *ret)
{
	struct rd r = rd_of(img->file[SEGMENT_CKPT].data, img->file[SEGMENT_CKPT].len);
	int last = -EBADMSG;

	while (r.left && checkpoint_next(&r, ret, NULL) == 0)
		last = 0;
	return last;
}

/* The leaves under the checkpoint, and the text of the one at index. */
static int prove_leaves(const struct segment_image *img, const struct checkpoint *c, uint64_t index, struct buf *leaves,
			struct line_str *ret_text)
{
	struct rd r = rd_of(img->file[SEGMENT_LOG].data, img->file[SEGMENT_LOG].len);
	struct line_str text;
	merkle_hash leaf, root;

	for (uint64_t i = 0; i < c->size; i++) {
		if (!segment_line(&r, &text))
			return -EBADMSG;
		if (i == index)
			*ret_text = text;
		merkle_leaf(text.p, text.n, leaf);
		if (buf_put(leaves, leaf, HASH_SIZE) < 0)
			return -ENOMEM;
	}
	merkle_root_of((const merkle_hash *)(const void *)leaves->data, c->size, root);
	return memcmp(root, c->root, HASH_SIZE) ? -EBADMSG : 0;
}

static void prove_hashes(struct jsonw *w, const merkle_hash *hashes, size_t n)
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

static int prove_render(const struct checkpoint_note *n, const struct buf *leaves, uint64_t index,
			struct line_str record, struct buf *ret)
{
	merkle_hash hashes[MERKLE_DEPTH];
	struct jsonw w = jsonw_to(ret);
	size_t n_hashes;
	int r = merkle_prove_inclusion((const merkle_hash *)(const void *)leaves->data, n->c.size, index, hashes,
				       &n_hashes);

	if (r < 0)
		return r;
	jsonw_obj_begin(&w);
	jsonw_key(&w, "checkpoint");
	jsonw_text(&w, n->p, n->len);
	jsonw_key(&w, "hashes");
	prove_hashes(&w, hashes, n_hashes);
	jsonw_key(&w, "index");
	jsonw_u64(&w, index);
	jsonw_key(&w, "kind");
	jsonw_cstr(&w, "proof");
	jsonw_key(&w, "record");
	jsonw_text(&w, record.p, record.n);
	jsonw_key(&w, "v");
	jsonw_u64(&w, 1);
	jsonw_obj_end(&w);
	return buf_putc(ret, '\n');
}

int prove_record(const char *dir, uint64_t seq, struct buf *ret, struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct segment_image img = { 0 };
	struct checkpoint_note note;
	struct line_str record = { NULL, 0 };
	struct buf leaves;
	uint64_t index;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open the log", dir);
	r = prove_find(fd, seq, &img, &note, e);
	if (r < 0)
		return r;
	buf_init(&leaves, SEGMENT_FILE_MAX);
	r = prove_note(&img, &note);
	index = note.c.size - 1 - (note.c.seq - seq);
	if (r == 0)
		r = prove_leaves(&img, &note.c, index, &leaves, &record);
	if (r == 0)
		r = prove_render(&note, &leaves, index, record, ret);
	if (r < 0)
		err_set(e, r, "segment %08" PRIu64 " does not fit its checkpoint: `tamisctl log verify` says where",
			img.number);
	buf_done(&leaves);
	segment_image_done(&img);
	return r;
}

/* ---- checking ---- */

void prove_result_done(struct prove_result *res)
{
	free(res->record);
	res->record = NULL;
}

static int prove_take_hashes(const json_t *array, merkle_hash *ret, size_t *ret_n)
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

static int prove_check_json(const json_t *proof, struct sig_key *key, struct prove_result *ret, struct err *e)
{
	const json_t *record = json_object_get(proof, "record"), *index = json_object_get(proof, "index");
	merkle_hash hashes[MERKLE_DEPTH], leaf;
	struct checkpoint_note note;
	size_t n;

	if (prove_take_note(json_object_get(proof, "checkpoint"), key, &note, e) < 0)
		return -EBADMSG;
	if (!json_is_string(record) || !json_is_integer(index) || json_integer_value(index) < 0 ||
	    prove_take_hashes(json_object_get(proof, "hashes"), hashes, &n) < 0)
		return err_set(e, -EBADMSG, "the proof's record, index or hashes are malformed");
	merkle_leaf(json_string_value(record), json_string_length(record), leaf);
	if (!merkle_check_inclusion(leaf, (uint64_t)json_integer_value(index), note.c.size, hashes, n, note.c.root))
		return err_set(e, -EBADMSG, "the record is not at this place of the log that was signed");
	*ret = (struct prove_result){
		.segment = note.c.segment,
		.index = (uint64_t)json_integer_value(index),
		.size = note.c.size,
		.record = strdup(json_string_value(record)),
	};
	memcpy(ret->time, note.c.time, LINE_TIME_SIZE);
	return ret->record ? 0 : err_set(e, -ENOMEM, "no memory for the record");
}

int prove_check(const void *text, size_t n, struct sig_key *key, struct prove_result *ret, struct err *e)
{
	json_error_t why;
	json_t *proof;
	int r;

	if (n > PROVE_TEXT_MAX)
		return err_set(e, -EBADMSG, "the proof is longer than any proof");
	proof = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	if (!proof)
		return err_set(e, -EBADMSG, "the proof is not JSON: %s", why.text);
	r = prove_check_json(proof, key, ret, e);
	json_decref(proof);
	return r;
}
