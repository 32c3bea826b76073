/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/logindex.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/severity.h"
#include "lib/watch.h"
#include "sensor/record/segment.h"

#define APPLICATION_ID 0x54414d4c /* "TAML" */
#define VERSION	       1	  /* another one is another schema: the file is made anew */
#define COLUMNS_MAX    64	  /* of a SELECT */

struct logindex {
	sqlite3 *db;
	char *path; /* owned */
	sqlite3_stmt *insert;
};

#define RECORD_COLUMNS                                                                                                 \
	"seq, time_ns, kind, host, rule, severity, event, pid, process, comm, user, container, path, segment, byte, "  \
	"length"

const char logindex_columns[] = RECORD_COLUMNS;

static const char schema[] =
	"CREATE TABLE record(seq INTEGER PRIMARY KEY, time_ns INTEGER, kind TEXT, host TEXT, rule TEXT, severity INTEGER, "
	"event TEXT, pid INTEGER, process TEXT, comm TEXT, user TEXT, container TEXT, path TEXT, segment INTEGER, "
	"byte INTEGER, length INTEGER);"
	"CREATE INDEX record_time ON record(time_ns);"
	"CREATE INDEX record_rule ON record(rule) WHERE rule<>'';"
	"CREATE INDEX record_segment ON record(segment);"
	/* how far each segment was taken in; first_seq tells another log's segment of the same number */
	"CREATE TABLE segment(number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, first_seq INTEGER NOT NULL)";

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static int fail(struct logindex *ix, int rc, const char *what, struct err *e)
{
	static const struct {
		int rc, r;
	} known[] = {
		{ SQLITE_NOMEM, -ENOMEM },    { SQLITE_FULL, -ENOSPC },	    { SQLITE_CORRUPT, -EBADMSG },
		{ SQLITE_NOTADB, -EBADMSG },  { SQLITE_BUSY, -EBUSY },	    { SQLITE_LOCKED, -EBUSY },
		{ SQLITE_CANTOPEN, -EACCES }, { SQLITE_READONLY, -EACCES }, { SQLITE_PERM, -EACCES },
	};
	int r = -EIO;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((rc & 0xff) == known[i].rc)
			r = known[i].r;
	return err_set(e, r, "cannot %s the index %s: %s%s", what, ix->path, sqlite3_errmsg(ix->db),
		       r == -EBADMSG  ? " (it can be made anew: --rebuild)"
		       : r == -EBUSY  ? " (another program uses it; try again)"
		       : r == -EACCES ? " (--index names another place for it)"
				      : "");
}

static int run(struct logindex *ix, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(ix->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(ix, rc, what, e);
}

static int64_t pragma(struct logindex *ix, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(ix->db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* It can be made again at any time: nothing is synced, and whatever is wrong with it, it is made anew. */
static int open_db(struct logindex *ix, struct err *e)
{
	mode_t mask = umask(077);
	int rc = sqlite3_open_v2(
		ix->path, &ix->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	char sql[64];
	int r;

	umask(mask);
	if (rc != SQLITE_OK)
		return ix->db ? fail(ix, rc, "open", e) : err_set(e, -ENOMEM, "no memory for the index");
	sqlite3_busy_timeout(ix->db, 10000);
	sqlite3_db_config(ix->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(ix->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	r = run(ix, "PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8000; BEGIN IMMEDIATE",
		"open", e);
	if (r < 0)
		return r;
	if (pragma(ix, "SELECT count(*) FROM sqlite_schema") != 0) {
		if (pragma(ix, "PRAGMA application_id") != APPLICATION_ID ||
		    pragma(ix, "PRAGMA user_version") != VERSION)
			return err_set(e, -EBADMSG, "%s is no index of this version of tamis", ix->path);
		return run(ix, "COMMIT", "open", e);
	}
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, VERSION);
	r = run(ix, schema, "make", e);
	r = r == 0 ? run(ix, sql, "make", e) : r;
	return r == 0 ? run(ix, "COMMIT", "make", e) : r;
}

static int is_ours(struct logindex *ix, struct err *e)
{
	int r = open_db(ix, e);

	if (r == 0 && sqlite3_prepare_v2(
			      ix->db, "INSERT INTO record(" RECORD_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			      -1, &ix->insert, NULL) != SQLITE_OK)
		r = fail(ix, SQLITE_CORRUPT, "use", e);
	return r;
}

static void close_db(struct logindex *ix)
{
	sqlite3_finalize(ix->insert);
	sqlite3_close(ix->db);
	ix->insert = NULL;
	ix->db = NULL;
}

/* Only what is an index, or was one, is taken away: --index may name any file by mistake. */
static int remove_old(struct logindex *ix, struct err *e)
{
	static const char magic[16] = "SQLite format 3";
	_cleanup_close_ int fd = open(ix->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char head[16];
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, -errno, "cannot open the index", ix->path);
	if (!S_ISREG(st.st_mode) ||
	    (st.st_size && (fs_read(fd, head, sizeof(head)) != sizeof(head) || memcmp(head, magic, sizeof(head)) != 0)))
		return err_set(e, -EEXIST,
			       "%s is something else than an index: remove it, or name another place by --index",
			       ix->path);
	return unlink(ix->path) < 0 ? err_sys(e, -errno, "cannot remove the old index", ix->path) : 0;
}

int logindex_open(const char *path, bool anew, struct logindex **ret, struct err *e)
{
	struct logindex *ix = calloc(1, sizeof(*ix));
	int r = 0;

	if (!ix || !(ix->path = strdup(path))) {
		logindex_close(ix);
		return err_set(e, -ENOMEM, "no memory for the index");
	}
	if (anew)
		r = remove_old(ix, e);
	r = r == 0 ? is_ours(ix, e) : r;
	if (r == -EBADMSG) {
		close_db(ix);
		r = remove_old(ix, e);
		r = r == 0 ? is_ours(ix, e) : r;
	}
	if (r < 0) {
		logindex_close(ix);
		return r;
	}
	*ret = ix;
	return 0;
}

void logindex_close(struct logindex *ix)
{
	if (!ix)
		return;
	close_db(ix);
	free(ix->path);
	free(ix);
}

/* ---- taking records in --------------------------------------------------------------------------------------------- */

static const char *text(const json_t *o, const char *a, const char *b, const char *c)
{
	o = json_object_get(o, a);
	if (b)
		o = json_object_get(o, b);
	if (c)
		o = json_object_get(o, c);
	return json_is_string(o) ? json_string_value(o) : "";
}

/* The file that an event is about: TYPE.file.path, and what some types have in its place. */
static const char *file_of(const json_t *o, const char *type)
{
	const char *path = text(o, type, "file", "path");

	return *path ? path : text(o, type, "path", NULL);
}

static int put(struct logindex *ix, uint64_t segment, uint64_t byte, struct line_str line, const struct line *l,
	       struct err *e)
{
	json_t *o = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
	const char *type = text(o, "event", "type", NULL);
	const char *texts[] = { text(o, "kind", NULL, NULL),
				text(o, "host", NULL, NULL),
				text(o, "rule", "id", NULL),
				NULL,
				type,
				NULL,
				text(o, "process", "file", "path"),
				text(o, "process", "comm", NULL),
				text(o, "process", "user", NULL),
				text(o, "process", "container", "id"),
				file_of(o, type) };
	uint16_t severity = severity_of(text(o, "rule", "severity", NULL));
	const json_t *process = json_object_get(o, "process");
	uint64_t time_ns = 0;
	int rc;

	line_time_ns(l->time, &time_ns);
	sqlite3_bind_int64(ix->insert, 1, (sqlite3_int64)l->seq);
	sqlite3_bind_int64(ix->insert, 2, (sqlite3_int64)time_ns);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i])
			sqlite3_bind_text(ix->insert, (int)i + 3, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int(ix->insert, 6, severity);
	sqlite3_bind_int64(ix->insert, 8, json_integer_value(json_object_get(process, "pid")));
	sqlite3_bind_int64(ix->insert, 14, (sqlite3_int64)segment);
	sqlite3_bind_int64(ix->insert, 15, (sqlite3_int64)byte);
	sqlite3_bind_int64(ix->insert, 16, (sqlite3_int64)line.n);
	rc = sqlite3_step(ix->insert);
	sqlite3_reset(ix->insert);
	sqlite3_clear_bindings(ix->insert);
	json_decref(o);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return 1; /* a record of this seq is there: of another log */
	return rc == SQLITE_DONE ? 0 : fail(ix, rc, "write", e);
}

/* How far a segment was taken in: 0, or 1 where the index knows nothing of it. */
static int known(struct logindex *ix, uint64_t number, uint64_t *ret_bytes, uint64_t *ret_seq)
{
	sqlite3_stmt *st = NULL;
	int r = 1;

	*ret_bytes = *ret_seq = 0;
	if (sqlite3_prepare_v2(ix->db, "SELECT bytes, first_seq FROM segment WHERE number=?", -1, &st, NULL) ==
	    SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)number);
		if (sqlite3_step(st) == SQLITE_ROW) {
			*ret_bytes = (uint64_t)sqlite3_column_int64(st, 0);
			*ret_seq = (uint64_t)sqlite3_column_int64(st, 1);
			r = 0;
		}
	}
	sqlite3_finalize(st);
	return r;
}

static int remember(struct logindex *ix, uint64_t number, uint64_t bytes, uint64_t first_seq, struct err *e)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO segment VALUES (%" PRIu64 ", %" PRIu64 ", %" PRIu64 ")",
		 number, bytes, first_seq);
	return run(ix, sql, "write", e);
}

/* A segment's file, read piece by piece: a segment may be larger than what one wants to have in memory. */
struct reader {
	int fd;	     /* owned */
	uint64_t at; /* in the file, of buf's beginning */
	size_t begin, end;
	bool eof;
	char buf[2 * LINE_MAX_BYTES];
};

/* The next line that ends with a newline: 1; 0 where there is none, or none of a bearable length; or a negative errno. */
static int next_line(struct reader *r, uint64_t *ret_byte, struct line_str *ret)
{
	for (;;) {
		const char *p = r->buf + r->begin, *nl = memchr(p, '\n', r->end - r->begin);
		ssize_t n;

		if (nl) {
			*ret = (struct line_str){ p, (size_t)(nl - p) };
			*ret_byte = r->at + r->begin;
			r->begin += ret->n + 1;
			return 1;
		}
		if (r->eof || r->end - r->begin > LINE_MAX_BYTES)
			return 0;
		memmove(r->buf, p, r->end - r->begin);
		r->at += r->begin;
		r->end -= r->begin;
		r->begin = 0;
		n = fs_read(r->fd, r->buf + r->end, sizeof(r->buf) - r->end);
		if (n < 0)
			return (int)n;
		r->eof = r->end + (size_t)n < sizeof(r->buf);
		r->end += (size_t)n;
	}
}

static int take_lines(struct logindex *ix, struct reader *rd, uint64_t number, uint64_t first_seq, struct err *e)
{
	uint64_t byte = 0, bytes = rd->at;
	struct line_str line = { NULL, 0 };
	struct line l;
	int r;

	while ((r = next_line(rd, &byte, &line)) == 1) {
		if (line_parse(line.p, line.n, &l) < 0) {
			r = 0;
			break;
		}
		first_seq = first_seq ? first_seq : l.seq;
		r = put(ix, number, byte, line, &l, e);
		if (r != 0)
			return r;
		bytes = byte + line.n + 1;
	}
	if (r < 0)
		return err_sys(e, r, "cannot read a segment for the index", ix->path);
	return remember(ix, number, bytes, first_seq, e);
}

/* The first record's seq, by which a segment is told from another log's of the same number. */
static uint64_t first_seq_of(int fd)
{
	_cleanup_free_ char *head = malloc(65536);
	struct line l;
	const char *nl;
	ssize_t n = head ? pread(fd, head, 65536, 0) : -1;

	nl = n > 0 ? memchr(head, '\n', (size_t)n) : NULL;
	return nl && line_parse(head, (size_t)(nl - head), &l) == 0 ? l.seq : 0;
}

/* 1 where the index does not fit the segments and has to be made anew. */
static int take_segment(struct logindex *ix, int dir_fd, uint64_t number, struct reader *rd, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	uint64_t bytes, seq;
	struct stat st;
	int r;

	known(ix, number, &bytes, &seq);
	segment_name(number, SEGMENT_LOG, name);
	rd->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (rd->fd < 0 || fstat(rd->fd, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, -errno, "cannot open", name);
	if ((uint64_t)st.st_size < bytes || (seq && first_seq_of(rd->fd) != seq))
		return 1;
	if ((uint64_t)st.st_size == bytes)
		return 0;
	if (lseek(rd->fd, (off_t)bytes, SEEK_SET) < 0)
		return err_sys(e, -errno, "cannot read", name);
	rd->at = bytes;
	rd->begin = rd->end = 0;
	rd->eof = false;
	r = take_lines(ix, rd, number, seq, e);
	return r;
}

static int take_all(struct logindex *ix, int dir_fd, const uint64_t *list, size_t n, struct err *e)
{
	_cleanup_free_ struct reader *rd = malloc(sizeof(*rd));
	char sql[160];
	int r = 0;

	if (!rd)
		return err_set(e, -ENOMEM, "no memory for the index");
	for (size_t i = 0; r == 0 && i < n; i++) {
		rd->fd = -1;
		r = take_segment(ix, dir_fd, list[i], rd, e);
		if (rd->fd >= 0)
			close(rd->fd);
	}
	/* what was pruned away is not found any more */
	snprintf(sql, sizeof(sql),
		 "DELETE FROM record WHERE segment<%" PRIu64 "; DELETE FROM segment WHERE number<%" PRIu64,
		 n ? list[0] : UINT64_C(0), n ? list[0] : UINT64_C(0));
	return r == 0 && n ? run(ix, sql, "write", e) : r;
}

int logindex_update(struct logindex *ix, int dir_fd, struct err *e)
{
	_cleanup_free_ uint64_t *list = NULL;
	size_t n = 0;
	int r = segment_list(dir_fd, &list, &n);

	if (r < 0)
		return err_sys(e, r, "cannot list the segments for", ix->path);
	r = run(ix, "BEGIN IMMEDIATE", "write", e);
	if (r < 0)
		return r;
	r = take_all(ix, dir_fd, list, n, e);
	if (r == 1) {
		r = run(ix, "DELETE FROM record; DELETE FROM segment", "empty", e);
		r = r == 0 ? take_all(ix, dir_fd, list, n, e) : r;
		if (r == 1)
			r = err_set(e, -EAGAIN, "the log changes under the index %s: try again", ix->path);
	}
	if (r == 0)
		return run(ix, "COMMIT", "write", e);
	run(ix, "ROLLBACK", "write", NULL);
	return r;
}

/* ---- questions ----------------------------------------------------------------------------------------------------- */

struct condition {
	const char *sql;
	const char *text; /* or NULL: number */
	uint64_t number;
	bool wanted;
};

static int row_of(sqlite3_stmt *st, int (*found)(const struct logindex_row *row, void *ctx), void *ctx)
{
#define TEXT(i)	  ((const char *)sqlite3_column_text(st, i) ? (const char *)sqlite3_column_text(st, i) : "")
#define NUMBER(i) ((uint64_t)sqlite3_column_int64(st, i))
	const struct logindex_row row = {
		.seq = NUMBER(0),
		.time_ns = NUMBER(1),
		.kind = TEXT(2),
		.host = TEXT(3),
		.rule = TEXT(4),
		.severity = sqlite3_column_int(st, 5),
		.event = TEXT(6),
		.pid = NUMBER(7),
		.process = TEXT(8),
		.comm = TEXT(9),
		.user = TEXT(10),
		.container = TEXT(11),
		.path = TEXT(12),
		.segment = NUMBER(13),
		.byte = NUMBER(14),
		.length = NUMBER(15),
	};
#undef NUMBER
#undef TEXT
	return found(&row, ctx);
}

int logindex_find(struct logindex *ix, const struct logindex_query *q,
		  int (*found)(const struct logindex_row *row, void *ctx), void *ctx, struct err *e)
{
	const struct condition conditions[] = {
		{ "time_ns>=?", NULL, q->since_ns, q->since_ns != 0 },
		{ "time_ns<?", NULL, q->until_ns, q->until_ns != 0 },
		{ "severity>=?", NULL, (uint64_t)q->severity, q->severity > 0 },
		{ "pid=?", NULL, q->pid, q->pid != 0 },
		{ "kind=?", q->kind, 0, q->kind },
		{ "rule=?", q->rule, 0, q->rule },
		{ "event=?", q->event, 0, q->event },
		{ "user=?", q->user, 0, q->user },
		{ "container=?", q->container, 0, q->container },
		{ "host=?", q->host, 0, q->host },
		{ q->process && strchr(q->process, '/') ? "process GLOB ?" : "comm GLOB ?", q->process, 0, q->process },
		{ "path GLOB ?", q->path, 0, q->path },
	};
	char sql[1024] = "SELECT * FROM (SELECT " RECORD_COLUMNS " FROM record WHERE 1";
	size_t len = strlen(sql);
	sqlite3_stmt *st = NULL;
	int rc, at = 0, r = 0;

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (conditions[i].wanted)
			len += (size_t)snprintf(sql + len, sizeof(sql) - len, " AND %s", conditions[i].sql);
	snprintf(sql + len, sizeof(sql) - len, " ORDER BY seq DESC LIMIT ?) ORDER BY seq");
	rc = sqlite3_prepare_v2(ix->db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return fail(ix, rc, "search", e);
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const struct condition *c = &conditions[i];

		if (c->wanted && c->text)
			sqlite3_bind_text(st, ++at, c->text, -1, SQLITE_STATIC);
		else if (c->wanted)
			sqlite3_bind_int64(st, ++at, (sqlite3_int64)c->number);
	}
	sqlite3_bind_int64(st, ++at, q->limit ? (sqlite3_int64)q->limit : -1);
	while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW)
		r = row_of(st, found, ctx);
	if (r == 0 && rc != SQLITE_DONE)
		r = fail(ix, rc, "search", e);
	sqlite3_finalize(st);
	return r;
}

/* Reading, and functions that cannot reach outside of the database. */
static int only_reading(void *unused, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)unused, (void)a, (void)c, (void)d;
	if (action == SQLITE_FUNCTION)
		return b && (strcmp(b, "load_extension") == 0 || strcmp(b, "fts3_tokenizer") == 0) ? SQLITE_DENY
												   : SQLITE_OK;
	return action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE ? SQLITE_OK : SQLITE_DENY;
}

static int sql_rows(struct logindex *ix, sqlite3_stmt *st, int (*row)(int n, const char *const values[], void *ctx),
		    void *ctx, struct err *e)
{
	int n = sqlite3_column_count(st), rc = SQLITE_DONE, r;
	const char *values[COLUMNS_MAX];

	if (n < 1 || n > COLUMNS_MAX)
		return err_set(e, -EINVAL, "--sql takes a SELECT of 1 to %d columns", COLUMNS_MAX);
	for (int i = 0; i < n; i++)
		values[i] = sqlite3_column_name(st, i);
	r = row(n, values, ctx);
	while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++)
			values[i] = (const char *)sqlite3_column_text(st, i);
		r = row(n, values, ctx);
	}
	return r == 0 && rc != SQLITE_DONE ? err_set(e, -EINVAL, "--sql: %s", sqlite3_errmsg(ix->db)) : r;
}

int logindex_sql(struct logindex *ix, const char *sql, int (*row)(int n, const char *const values[], void *ctx),
		 void *ctx, struct err *e)
{
	sqlite3_stmt *st = NULL;
	const char *rest;
	int r;

	sqlite3_set_authorizer(ix->db, only_reading, NULL);
	if (sqlite3_prepare_v2(ix->db, sql, -1, &st, &rest) != SQLITE_OK || !st)
		r = err_set(e, -EINVAL, "--sql: %s; there is one table, record(%s)", sqlite3_errmsg(ix->db),
			    logindex_columns);
	else if (rest[strspn(rest, " \t\n;")])
		r = err_set(e, -EINVAL, "--sql takes one SELECT; what is \"%s\"?", rest);
	else
		r = sql_rows(ix, st, row, ctx, e);
	sqlite3_finalize(st);
	sqlite3_set_authorizer(ix->db, NULL, NULL);
	return r;
}

/* ---- the record ---------------------------------------------------------------------------------------------------- */

int logindex_read(const struct logindex_row *row, int dir_fd, char **ret, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	struct line l;

	segment_name(row->segment, SEGMENT_LOG, name);
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, -errno, "cannot open", name);
	line = row->length <= LINE_MAX_BYTES ? malloc(row->length + 1) : NULL;
	if (!line)
		return err_set(e, -ENOMEM, "no memory for a record of %" PRIu64 " bytes", row->length);
	if (pread(fd, line, row->length + 1, (off_t)row->byte) != (ssize_t)row->length + 1 ||
	    line[row->length] != '\n' || line_parse(line, row->length, &l) < 0 || l.seq != row->seq)
		return err_set(e, -EBADMSG, "the index does not fit %s at byte %" PRIu64 ": make it anew by --rebuild",
			       name, row->byte);
	line[row->length] = '\0';
	*ret = TAKE_PTR(line);
	return 0;
}
