/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/cursor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/jsonw.h"
#include "sensor/spool/sinkconf.h"

#define HEADER 128

/* ---- text ---------------------------------------------------------------------------------------------------------- */

static void put_pos(struct jsonw *w, const struct logpos *p)
{
	jsonw_arr_begin(w);
	jsonw_u64(w, p->segment);
	jsonw_u64(w, p->offset);
	jsonw_u64(w, p->index);
	jsonw_u64(w, p->seq);
	jsonw_arr_end(w);
}

static void put_time(struct jsonw *w, uint64_t ns)
{
	/* always as text: these are beyond 2^53 */
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, ns);
	jsonw_cstr(w, digits);
}

static void put_entry(struct jsonw *w, const struct fold_entry *e)
{
	char key[2 * FOLD_KEY + 1];

	hash_hex(e->key, FOLD_KEY, key);
	jsonw_arr_begin(w);
	jsonw_cstr(w, key);
	put_time(w, e->end_ns);
	jsonw_u64(w, e->count);
	put_time(w, e->first_ns);
	put_time(w, e->last_ns);
	jsonw_u64(w, e->first_seq);
	put_pos(w, &e->last);
	jsonw_arr_end(w);
}

static int render(const struct cursor_state *s, struct buf *b)
{
	struct jsonw w = jsonw_to(b);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "at");
	put_pos(&w, &s->at);
	jsonw_member_bool(&w, "clean", s->clean);
	jsonw_key(&w, "fold");
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < s->fold.n; i++)
		put_entry(&w, &s->fold.e[i]);
	jsonw_arr_end(&w);
	jsonw_member_u64(&w, "v", 1);
	jsonw_obj_end(&w);
	return buf_error(b);
}

static bool number_at(const json_t *array, size_t i, uint64_t *ret)
{
	const json_t *v = json_array_get(array, i);
	const char *digits = json_string_value(v);
	char *end;

	if (json_is_integer(v)) {
		*ret = (uint64_t)json_integer_value(v);
		return json_integer_value(v) >= 0;
	}
	if (!digits || *digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*ret = strtoull(digits, &end, 10);
	return !errno && !*end;
}

static bool take_pos(const json_t *a, struct logpos *ret)
{
	return json_array_size(a) == 4 && number_at(a, 0, &ret->segment) && number_at(a, 1, &ret->offset) &&
	       number_at(a, 2, &ret->index) && number_at(a, 3, &ret->seq) && ret->offset <= INT64_MAX;
}

static bool take_entry(const json_t *a, struct fold_entry *ret)
{
	const char *key = json_string_value(json_array_get(a, 0));

	return json_array_size(a) == 7 && key && strlen(key) == 2 * FOLD_KEY &&
	       hash_unhex(key, FOLD_KEY, ret->key) == 0 && number_at(a, 1, &ret->end_ns) &&
	       number_at(a, 2, &ret->count) && number_at(a, 3, &ret->first_ns) && number_at(a, 4, &ret->last_ns) &&
	       number_at(a, 5, &ret->first_seq) && take_pos(json_array_get(a, 6), &ret->last);
}

int cursor_parse(const char *text, size_t n, struct cursor_state *ret)
{
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *folds = json_object_get(o, "fold");
	bool good = json_integer_value(json_object_get(o, "v")) == 1 && json_array_size(folds) <= FOLD_MAX &&
		    take_pos(json_object_get(o, "at"), &ret->at);

	ret->clean = json_is_true(json_object_get(o, "clean"));
	ret->fold.n = 0;
	for (size_t i = 0; good && i < json_array_size(folds); i++)
		good = take_entry(json_array_get(folds, i), &ret->fold.e[ret->fold.n++]);
	json_decref(o);
	return good ? 0 : -EBADMSG;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

/* One place: its number and state, -EBADMSG where it holds none. */
static int read_place(int fd, unsigned int which, uint64_t *ret_number, struct cursor_state *ret)
{
	_cleanup_free_ char *place = malloc(CURSOR_PLACE + 1);
	char hex[HASH_HEX_SIZE], want[HASH_HEX_SIZE] = "";
	uint8_t digest[HASH_SIZE];
	size_t len = 0;
	ssize_t n;
	int used = 0;

	if (!place)
		return -ENOMEM;
	n = pread(fd, place, CURSOR_PLACE, (off_t)which * CURSOR_PLACE);
	if (n < HEADER)
		return n < 0 ? -errno : -EBADMSG;
	place[n] = '\0';
	if (sscanf(place, "tamis-cursor %" SCNu64 " %zu %64[0-9a-f]%n", ret_number, &len, want, &used) != 3 ||
	    used >= HEADER || len > (size_t)n - HEADER)
		return -EBADMSG;
	hash_sha256(place + HEADER, len, digest);
	hash_hex(digest, HASH_SIZE, hex);
	return strcmp(hex, want) == 0 ? cursor_parse(place + HEADER, len, ret) : -EBADMSG;
}

static bool all_zero(int fd)
{
	char b[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, b, sizeof(b), at)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (b[i])
				return false;
		at += n;
	}
	return n == 0;
}

static int load(struct cursor *c, struct cursor_state *state, const char *name, struct err *e)
{
	_cleanup_free_ struct cursor_state *s = calloc(2, sizeof(*s));
	uint64_t number[2] = { 0 };
	int r[2], best;

	if (!s)
		return err_set(e, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < 2; i++)
		r[i] = read_place(c->fd, i, &number[i], &s[i]);
	if (r[0] < 0 && r[1] < 0) {
		if (!all_zero(c->fd))
			return err_set(e, -EBADMSG,
				       "%s.cursor is damaged: remove it, and the sink begins as a new one does", name);
		state->fresh = true;
		return 0;
	}
	best = r[0] < 0 || (r[1] == 0 && number[1] > number[0]);
	*state = s[best];
	c->number = number[best];
	return 0;
}

static int lock(int fd, unsigned int wait_ms)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	for (unsigned int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 20) {
		if (errno != EWOULDBLOCK || waited >= wait_ms)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Written once in full, so that it needs no room later. */
static int reserve(int fd)
{
	static const char zeros[4096];

	for (off_t at = 0; at < 2 * (off_t)CURSOR_PLACE; at += (off_t)sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) != (ssize_t)sizeof(zeros))
			return errno ? -errno : -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int cursor_open(int dir_fd, const char *name, unsigned int wait_ms, struct cursor *ret, struct cursor_state *state,
		struct err *e)
{
	char file[SINK_NAME_MAX + 16];
	struct cursor c;
	off_t size;
	int r;

	*state = (struct cursor_state){ 0 };
	snprintf(file, sizeof(file), "%s.cursor", name);
	c = (struct cursor){ .fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) };
	if (c.fd < 0)
		return err_sys(e, -errno, "cannot open", file);
	r = lock(c.fd, wait_ms);
	if (r < 0) {
		r = err_set(e, r, "%s is another process's: %s", file, strerror(-r));
	} else {
		size = lseek(c.fd, 0, SEEK_END);
		if (size < 2 * (off_t)CURSOR_PLACE && all_zero(c.fd)) {
			r = reserve(c.fd);
			if (r < 0)
				err_sys(e, r, "cannot write", file);
		}
	}
	if (r == 0)
		r = load(&c, state, name, e);
	if (r < 0)
		cursor_close(&c);
	else
		*ret = c;
	return r;
}

int cursor_save(struct cursor *c, const struct cursor_state *state, struct err *e)
{
	struct buf text, place;
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE], header[HEADER + 1];
	int r;

	buf_init(&text, CURSOR_PLACE - HEADER);
	buf_init(&place, CURSOR_PLACE);
	r = render(state, &text);
	if (r == 0) {
		hash_sha256(text.data, text.len, digest);
		hash_hex(digest, HASH_SIZE, hex);
		memset(header, '\n', sizeof(header));
		header[snprintf(header, sizeof(header), "tamis-cursor %" PRIu64 " %zu %s", c->number + 1, text.len,
				hex)] = '\n';
		buf_put(&place, header, HEADER);
		r = buf_put(&place, text.data, text.len);
	}
	if (r == 0 &&
	    pwrite(c->fd, place.data, place.len, (off_t)((c->number + 1) & 1) * CURSOR_PLACE) != (ssize_t)place.len)
		r = errno ? -errno : -ENOSPC;
	if (r == 0 && fdatasync(c->fd) < 0)
		r = -errno;
	if (r == 0)
		c->number++;
	buf_done(&text);
	buf_done(&place);
	return r < 0 ? err_set(e, r, "cannot save how far the sink is: %s", strerror(-r)) : 0;
}

void cursor_close(struct cursor *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
