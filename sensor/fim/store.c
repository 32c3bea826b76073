/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/fs.h"
#include "lib/log.h"

#define APPLICATION_ID 0x54414d46 /* "TAMF" */
#define BUSY_MS	       3000
#define SEAL_SIZE      16
#define WAL_BYTES      (16 << 20)
#define APPEND_ROWS    64 /* written by one statement: a third of the work of one each */
#define APPEND_BYTES   (256u << 10)

enum statement { ST_PUT, ST_DELETE, ST_GET, ST_KINDS };

struct appended {	  /* rows of STORE_NEW_FILES that are not written yet */
	struct buf bytes; /* path, value and seal of each */
	struct {
		size_t at, path_len, len;
	} v[APPEND_ROWS];
	size_t n;
	sqlite3_stmt *st; /* owned; puts APPEND_ROWS rows */
};

struct store {
	sqlite3 *db;
	char *path; /* owned */
	int lock_fd;
	sqlite3_stmt *st[STORE_TABLES][ST_KINDS];
	struct appended new;
};

struct store_iter {
	struct store *s;
	sqlite3_stmt *st;
	bool has_seal;
};

/* ---- the schema ---------------------------------------------------------------------------------------------------- */

#define SEALED(name, value)                                                                                            \
	"CREATE TABLE " name "(path BLOB PRIMARY KEY, " value " BLOB NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID"
#define PLAIN(name) "CREATE TABLE " name "(path BLOB PRIMARY KEY, z BLOB NOT NULL) WITHOUT ROWID"

static const struct {
	const char *name, *value;
	bool has_seal;
	const char *sql;
} tables[STORE_TABLES] = {
	[STORE_FILES] = { "file", "fact", true, SEALED("file", "fact") },
	[STORE_CONTENTS] = { "content", "z", false, PLAIN("content") },
	[STORE_CHANGES] = { "change", "entry", true, SEALED("change", "entry") },
	[STORE_NEW_FILES] = { "new_file", "fact", true, SEALED("new_file", "fact") },
	[STORE_NEW_CONTENTS] = { "new_content", "z", false, PLAIN("new_content") },
};

#define NOTE_SQL "CREATE TABLE note(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"

/* From version i to i + 1. What a database was made by is kept here for good. */
static const char *const migrations[STORE_SCHEMA] = {
	SEALED("file", "fact") ";" PLAIN("content") ";" SEALED("change", "entry") ";" SEALED(
		"new_file", "fact") ";" PLAIN("new_content") ";" NOTE_SQL ";",
};

/* ---- errors -------------------------------------------------------------------------------------------------------- */

static int fail(struct store *s, int rc, const char *what, struct err *e)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_set(e, -ENOSPC,
			       "cannot %s: the disk that holds %s is full; make room, or choose another --state DIR",
			       what, s->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, -EBUSY, "cannot %s: another program holds %s locked; try again when it has ended",
			       what, s->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, -EBADMSG,
			       "cannot %s: %s is damaged (%s); restore it from a copy, or begin anew: init --force",
			       what, s->path, sqlite3_errmsg(s->db));
	case SQLITE_NOMEM:
		return err_set(e, -ENOMEM, "cannot %s: out of memory", what);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return err_set(e, -EACCES, "cannot %s: %s may not be opened or written (%s); run it as its owner", what,
			       s->path, sqlite3_errmsg(s->db));
	case SQLITE_TOOBIG:
		return err_set(e, -EFBIG, "cannot %s: a value in %s is too large", what, s->path);
	default:
		return err_set(e, -EIO, "cannot %s: %s: %s", what, s->path, sqlite3_errmsg(s->db));
	}
}

static int run(struct store *s, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(s, rc, what, e);
}

static int number(struct store *s, const char *sql, int64_t *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : fail(s, rc, "read the baseline", e);
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

int store_lock_file(const char *state_dir)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/" STORE_LOCK, state_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static int take_lock(struct store *s, const char *state_dir, struct err *e)
{
	int fd = store_lock_file(state_dir);

	if (fd == -ENOMEM)
		return err_set(e, fd, "out of memory");
	if (fd < 0)
		return err_set(e, fd,
			       "cannot create %s/" STORE_LOCK ": %s; run it as root, or choose another --state DIR",
			       state_dir, strerror(-fd));
	s->lock_fd = fd;
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY,
			       "another tamisctl fim, or a scan of tamisd, works on %s: wait until it has ended",
			       state_dir);
	return 0;
}

/* Whoever may write the file, or put another in its place, could make us read what they like. */
static int check_file(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set(e, -errno, "%s: %s", path,
			       errno == ENOENT ? "there is no baseline yet; make one by tamisctl fim init"
					       : strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EBADMSG, "%s is no regular file", path);
	if ((st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & 022)
		return err_set(
			e, -EACCES,
			"others than user %u may write to %s: whatever it says is worth nothing; restore it from "
			"a copy, and chown and chmod 600 it",
			geteuid(), path);
	return 0;
}

/* Nor may others put another directory of keys in its place. */
static int check_dir(const char *state_dir, struct err *e)
{
	struct stat st;

	if (stat(state_dir, &st) < 0)
		return err_set(e, -errno, "%s: %s", state_dir,
			       errno == ENOENT ? "there is no baseline yet; make one by tamisctl fim init"
					       : strerror(errno));
	if ((st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & 022)
		return err_set(e, -EACCES,
			       "others than user %u may write to %s: chown and chmod 711 it, or choose another --state "
			       "DIR",
			       geteuid(), state_dir);
	return 0;
}

static int set_up(struct store *s, enum store_mode mode, struct err *e)
{
	int on;

	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, STORE_ROW_MAX + 65536);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
	/*
	 * The page size is a new database's: rows are written in order, so large pages are full ones, and fewer calls. It
	 * has to be known before the size of the cache.
	 */
	return run(s,
		   mode == STORE_READ ? "PRAGMA cell_size_check=ON; PRAGMA cache_size=-2000; PRAGMA mmap_size=0"
				      : "PRAGMA page_size=16384; PRAGMA cell_size_check=ON; PRAGMA cache_size=-4000;"
					"PRAGMA mmap_size=0; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
					"PRAGMA secure_delete=OFF",
		   "open the baseline", e);
}

static int create_schema(struct store *s, int64_t from, struct err *e)
{
	char sql[64];
	int r = run(s, "PRAGMA journal_mode=WAL", "make the baseline", e);

	if (r == 0)
		r = run(s, "BEGIN IMMEDIATE", "make the baseline", e);
	for (int64_t v = from; r == 0 && v < STORE_SCHEMA; v++)
		r = run(s, migrations[v], "make the baseline's tables", e);
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, STORE_SCHEMA);
	if (r == 0)
		r = run(s, sql, "make the baseline", e);
	if (r == 0)
		r = run(s, "COMMIT", "make the baseline", e);
	if (r < 0)
		store_rollback(s);
	return r;
}

/* ALTER TABLE ... RENAME (store_swap) leaves the name in quotes. */
static bool same_sql(const char *name, const char *ours, const char *sql)
{
	const char *rest = strchr(ours, '(');
	size_t n = strlen(name), head = strlen("CREATE TABLE ");

	if (strcmp(sql, ours) == 0)
		return true;
	return strncmp(sql, ours, head) == 0 && sql[head] == '"' && strncmp(sql + head + 1, name, n) == 0 &&
	       sql[head + 1 + n] == '"' && strcmp(sql + head + 2 + n, rest) == 0;
}

static bool known_object(const char *name, const char *sql)
{
	if (!name || !sql)
		return false;
	if (strcmp(name, "note") == 0)
		return same_sql(name, NOTE_SQL, sql);
	for (int t = 0; t < STORE_TABLES; t++)
		if (strcmp(name, tables[t].name) == 0)
			return same_sql(name, tables[t].sql, sql);
	return false;
}

static int check_schema(struct store *s, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT name, sql FROM sqlite_schema", -1, &st, NULL), n = 0;
	bool ours = true;

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		ours = ours &&
		       known_object((const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1));
		n++;
	}
	if (rc != SQLITE_DONE) {
		int r = fail(s, rc, "read the baseline", e);

		sqlite3_finalize(st);
		return r;
	}
	sqlite3_finalize(st);
	if (ours && n == STORE_TABLES + 1)
		return 0;
	return err_set(
		e, -EBADMSG,
		"%s has tables that are not the baseline's: somebody edited it; restore it from a copy, or begin "
		"anew: init --force",
		s->path);
}

static int check_version(struct store *s, enum store_mode mode, struct err *e)
{
	int64_t version = 0, id = 0, objects = 0;
	int r = number(s, "PRAGMA user_version", &version, e);

	if (r == 0)
		r = number(s, "PRAGMA application_id", &id, e);
	if (r == 0)
		r = number(s, "SELECT count(*) FROM sqlite_schema", &objects, e);
	if (r < 0)
		return r;
	if (!objects && mode != STORE_READ)
		return create_schema(s, 0, e);
	if (!objects)
		return err_set(e, -ENOENT, "%s is empty: there is no baseline yet; make one by tamisctl fim init",
			       s->path);
	if (id != APPLICATION_ID)
		return err_set(e, -EBADMSG, "%s is a database of another program", s->path);
	if (version > STORE_SCHEMA)
		return err_set(
			e, -EPROTONOSUPPORT,
			"%s was made by a newer tamis (its schema has version %lld, this one knows %d): use that, "
			"or begin anew: init --force",
			s->path, (long long)version, STORE_SCHEMA);
	if (version < 1)
		return err_set(e, -EBADMSG, "%s has a schema of version %lld, which there never was", s->path,
			       (long long)version);
	if (version < STORE_SCHEMA && mode != STORE_READ)
		r = create_schema(s, version, e);
	return r == 0 ? check_schema(s, e) : r;
}

/* Nobody asks how much memory sqlite has; counting it takes a lock for each allocation. */
static void count_no_memory(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_db(struct store *s, enum store_mode mode, struct err *e)
{
	int flags = mode == STORE_READ ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	mode_t mask = umask(077);
	int64_t page = 4096;
	int rc, r;

	pthread_once(&once, count_no_memory);
	rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
	if (rc == SQLITE_OK)
		r = set_up(s, mode, e);
	else if (!s->db)
		r = err_set(e, -ENOMEM, "out of memory");
	else
		r = fail(s, rc, "open the baseline", e);
	if (r == 0)
		r = check_version(s, mode, e);
	if (r == 0)
		r = number(s, "PRAGMA page_size", &page, e);
	if (r == 0)
		sqlite3_wal_autocheckpoint(s->db, WAL_BYTES / (int)page);
	umask(mask);
	return r;
}

static void appended_drop(struct appended *a)
{
	a->n = 0;
	buf_reset(&a->bytes);
}

static void close_db(struct store *s)
{
	appended_drop(&s->new);
	sqlite3_finalize(s->new.st);
	s->new.st = NULL;
	for (int t = 0; t < STORE_TABLES; t++)
		for (int k = 0; k < ST_KINDS; k++) {
			sqlite3_finalize(s->st[t][k]);
			s->st[t][k] = NULL;
		}
	sqlite3_close(s->db);
	s->db = NULL;
}

static void move_aside(struct store *s)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char from[4200], to[4300];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", s->path, ends[i]);
		snprintf(to, sizeof(to), "%s.damaged-%lld%s", s->path, (long long)time(NULL), ends[i]);
		if (rename(from, to) == 0 && i == 0)
			log_warn("%s is kept as %s", from, to);
	}
}

static int open_all(struct store *s, const char *state_dir, enum store_mode mode, struct err *e)
{
	int r = 0;

	if (mode == STORE_CREATE || mode == STORE_ASIDE)
		r = fs_make_dirs(state_dir, e);
	if (r == 0)
		r = check_dir(state_dir, e);
	if (r == 0 && mode == STORE_WRITE)
		r = check_file(s->path, e); /* before a lock is made where there is nothing */
	if (r == 0 && mode != STORE_READ)
		r = take_lock(s, state_dir, e);
	if (r < 0)
		return r;
	r = check_file(s->path, e);
	if (r == -ENOENT && mode != STORE_READ && mode != STORE_WRITE)
		r = 0;
	if (r == 0)
		r = open_db(s, mode, e);
	if (mode == STORE_ASIDE && (r == -EBADMSG || r == -EPROTONOSUPPORT)) {
		log_warn("%s", e->msg);
		close_db(s);
		move_aside(s);
		r = open_db(s, mode, e);
	}
	return r;
}

int store_open(const char *state_dir, enum store_mode mode, struct store **ret, struct err *e)
{
	_cleanup_(store_close) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->lock_fd = -1;
	buf_init(&s->new.bytes, APPEND_BYTES + STORE_ROW_MAX + 8192);
	if (asprintf(&s->path, "%s/" STORE_FILE, state_dir) < 0) {
		s->path = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = open_all(s, state_dir, mode, e);
	if (r == 0)
		*ret = TAKE_PTR(s);
	return r;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db)
		close_db(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	buf_done(&s->new.bytes);
	free(s->path);
	free(s);
}

uint64_t store_bytes(const struct store *s)
{
	struct stat st;

	return stat(s->path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

static int prepare(struct store *s, enum store_table t, enum statement kind, sqlite3_stmt **ret, struct err *e)
{
	char sql[128];
	int rc;

	*ret = s->st[t][kind];
	if (*ret)
		return 0;
	if (kind == ST_PUT)
		snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES(?,?%s)", tables[t].name,
			 tables[t].has_seal ? ",?" : "");
	else if (kind == ST_DELETE)
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE path=?", tables[t].name);
	else
		snprintf(sql, sizeof(sql), "SELECT %s%s FROM %s WHERE path=?", tables[t].value,
			 tables[t].has_seal ? ",seal" : "", tables[t].name);
	rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	if (rc != SQLITE_OK)
		return fail(s, rc, "use the baseline", e);
	s->st[t][kind] = *ret;
	return 0;
}

/* Runs to its end and makes the statement ready for its next use. */
static int step_done(struct store *s, sqlite3_stmt *st, const char *what, struct err *e)
{
	int rc = sqlite3_step(st), r = 0;

	if (rc != SQLITE_DONE)
		r = fail(s, rc, what, e);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

/* The i-th row of a statement's; @seal is NULL where the table has none. */
static void bind_row(sqlite3_stmt *st, int i, const void *path, size_t path_len, const void *value, size_t len,
		     const uint8_t *seal)
{
	sqlite3_bind_blob(st, 3 * i + 1, path, (int)path_len, SQLITE_STATIC);
	sqlite3_bind_blob(st, 3 * i + 2, len ? value : "", (int)len, SQLITE_STATIC);
	if (seal)
		sqlite3_bind_blob(st, 3 * i + 3, seal, SEAL_SIZE, SQLITE_STATIC);
}

int store_put(struct store *s, enum store_table t, const void *path, size_t path_len, const void *value, size_t len,
	      const uint8_t *seal, struct err *e)
{
	sqlite3_stmt *st;
	int r = len > STORE_ROW_MAX ? err_set(e, -EFBIG, "a row of %zu bytes", len) : prepare(s, t, ST_PUT, &st, e);

	if (r < 0)
		return r;
	bind_row(st, 0, path, path_len, value, len, seal);
	return step_done(s, st, "write to the baseline", e);
}

/* The rows from @first on, by a statement that puts @n of them. */
static int put_appended(struct store *s, sqlite3_stmt *st, size_t first, size_t n, struct err *e)
{
	const struct appended *a = &s->new;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = a->bytes.data + a->v[first + i].at;
		const size_t path_len = a->v[first + i].path_len, len = a->v[first + i].len;

		bind_row(st, (int)i, p, path_len, p + path_len, len, p + path_len + len);
	}
	return step_done(s, st, "write to the baseline", e);
}

static int prepare_many(struct store *s, sqlite3_stmt **ret, struct err *e)
{
	char sql[64 + 8 * APPEND_ROWS];
	size_t at = (size_t)snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO new_file VALUES");
	int rc;

	for (int i = 0; i < APPEND_ROWS && !*ret; i++)
		at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%s(?,?,?)", i ? "," : "");
	rc = *ret ? SQLITE_OK : sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
	return rc == SQLITE_OK ? 0 : fail(s, rc, "use the baseline", e);
}

static int write_appended(struct store *s, struct err *e)
{
	struct appended *a = &s->new;
	sqlite3_stmt *one;
	int r = 0;

	if (a->n == APPEND_ROWS) {
		r = prepare_many(s, &a->st, e);
		if (r == 0)
			r = put_appended(s, a->st, 0, a->n, e);
	} else if (a->n) {
		r = prepare(s, STORE_NEW_FILES, ST_PUT, &one, e);
		for (size_t i = 0; i < a->n && r == 0; i++)
			r = put_appended(s, one, i, 1, e);
	}
	appended_drop(a);
	return r;
}

int store_append(struct store *s, const void *path, size_t path_len, const void *value, size_t len, const uint8_t *seal,
		 struct err *e)
{
	struct appended *a = &s->new;

	if (len > STORE_ROW_MAX)
		return err_set(e, -EFBIG, "a row of %zu bytes", len);
	a->v[a->n].at = a->bytes.len;
	a->v[a->n].path_len = path_len;
	a->v[a->n].len = len;
	if (buf_put(&a->bytes, path, path_len) < 0 || buf_put(&a->bytes, value, len) < 0 ||
	    buf_put(&a->bytes, seal, SEAL_SIZE) < 0)
		return err_set(e, buf_error(&a->bytes), "out of memory");
	a->n++;
	return a->n == APPEND_ROWS || a->bytes.len > APPEND_BYTES ? write_appended(s, e) : 0;
}

int store_delete(struct store *s, enum store_table t, const void *path, size_t path_len, struct err *e)
{
	sqlite3_stmt *st;
	int r = prepare(s, t, ST_DELETE, &st, e);

	if (r < 0)
		return r;
	sqlite3_bind_blob(st, 1, path, (int)path_len, SQLITE_STATIC);
	return step_done(s, st, "write to the baseline", e);
}

int store_clear(struct store *s, enum store_table t, struct err *e)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[t].name);
	return run(s, sql, "write to the baseline", e);
}

int store_swap(struct store *s, struct err *e)
{
	static const enum store_table pairs[][2] = { { STORE_FILES, STORE_NEW_FILES },
						     { STORE_CONTENTS, STORE_NEW_CONTENTS } };
	char sql[512];
	int r = write_appended(s, e);

	sqlite3_finalize(s->new.st);
	s->new.st = NULL;
	for (size_t i = 0; i < 2 && r == 0; i++) {
		const char *old = tables[pairs[i][0]].name, *new = tables[pairs[i][1]].name;

		for (int k = 0; k < ST_KINDS; k++)
			for (int n = 0; n < 2; n++) {
				sqlite3_finalize(s->st[pairs[i][n]][k]);
				s->st[pairs[i][n]][k] = NULL;
			}
		snprintf(sql, sizeof(sql), "DROP TABLE %s; ALTER TABLE %s RENAME TO %s; %s", old, new, old,
			 tables[pairs[i][1]].sql);
		r = run(s, sql, "put the new baseline in its place", e);
	}
	return r;
}

static int column(struct store *s, sqlite3_stmt *st, int i, const uint8_t **ret, size_t *ret_len, struct err *e)
{
	int n;

	*ret = sqlite3_column_blob(st, i);
	n = sqlite3_column_bytes(st, i);
	*ret_len = (size_t)n;
	if (sqlite3_column_type(st, i) != SQLITE_BLOB)
		return err_set(e, -EBADMSG,
			       "%s has a value of another type: somebody edited it; restore it from a copy, or begin "
			       "anew: init --force",
			       s->path);
	if (!*ret && n)
		return err_set(e, -ENOMEM, "out of memory");
	if (!*ret)
		*ret = (const uint8_t *)"";
	return 0;
}

static int column_seal(struct store *s, sqlite3_stmt *st, int i, const uint8_t **ret, struct err *e)
{
	size_t n;
	int r = column(s, st, i, ret, &n, e);

	if (r == 0 && n != SEAL_SIZE)
		r = err_set(e, -EBADMSG, "%s has a seal of %zu bytes: somebody edited it", s->path, n);
	return r;
}

int store_get(struct store *s, enum store_table t, const void *path, size_t path_len, struct buf *ret,
	      uint8_t *ret_seal, struct err *e)
{
	const uint8_t *p, *seal;
	sqlite3_stmt *st;
	size_t n;
	int rc, r = prepare(s, t, ST_GET, &st, e);

	if (r < 0)
		return r;
	sqlite3_bind_blob(st, 1, path, (int)path_len, SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		r = column(s, st, 0, &p, &n, e);
		if (r == 0 && ret_seal)
			r = column_seal(s, st, 1, &seal, e);
		if (r == 0 && ret_seal)
			memcpy(ret_seal, seal, SEAL_SIZE);
		buf_reset(ret);
		if (r == 0 && buf_put(ret, p, n) < 0)
			r = err_set(e, buf_error(ret), "a value of the baseline does not fit in memory");
		if (r == 0)
			r = 1;
	} else if (rc != SQLITE_DONE) {
		r = fail(s, rc, "read the baseline", e);
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

int store_count(struct store *s, enum store_table t, uint64_t *ret, struct err *e)
{
	char sql[64];
	int64_t n = 0;
	int r;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[t].name);
	r = number(s, sql, &n, e);
	*ret = (uint64_t)n;
	return r;
}

int store_iter_open(struct store *s, enum store_table t, const void *after, size_t after_len, struct store_iter **ret,
		    struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = calloc(1, sizeof(*it));
	char sql[128];
	int rc;

	if (!it)
		return err_set(e, -ENOMEM, "out of memory");
	it->s = s;
	it->has_seal = tables[t].has_seal;
	snprintf(sql, sizeof(sql), "SELECT path,%s%s FROM %s %s ORDER BY path", tables[t].value,
		 it->has_seal ? ",seal" : "", tables[t].name, after ? "WHERE path>?" : "");
	rc = sqlite3_prepare_v2(s->db, sql, -1, &it->st, NULL);
	if (rc == SQLITE_OK && after)
		rc = sqlite3_bind_blob(it->st, 1, after, (int)after_len, SQLITE_TRANSIENT);
	if (rc != SQLITE_OK)
		return fail(s, rc, "read the baseline", e);
	*ret = TAKE_PTR(it);
	return 0;
}

int store_iter_next(struct store_iter *it, struct store_row *ret, struct err *e)
{
	int rc = sqlite3_step(it->st), r;

	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return fail(it->s, rc, "read the baseline", e);
	*ret = (struct store_row){ 0 };
	r = column(it->s, it->st, 0, &ret->path, &ret->path_len, e);
	if (r == 0)
		r = column(it->s, it->st, 1, &ret->value, &ret->len, e);
	if (r == 0 && it->has_seal)
		r = column_seal(it->s, it->st, 2, &ret->seal, e);
	return r < 0 ? r : 1;
}

void store_iter_close(struct store_iter *it)
{
	if (!it)
		return;
	sqlite3_finalize(it->st);
	free(it);
}

/* ---- transactions -------------------------------------------------------------------------------------------------- */

int store_begin(struct store *s, struct err *e)
{
	return run(s, "BEGIN IMMEDIATE", "change the baseline", e);
}

int store_commit(struct store *s, struct err *e)
{
	int r = write_appended(s, e);

	return r == 0 ? run(s, "COMMIT", "write the baseline", e) : r;
}

void store_rollback(struct store *s)
{
	appended_drop(&s->new);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- notes --------------------------------------------------------------------------------------------------------- */

static int note_prepare(struct store *s, const char *sql, const char *name, sqlite3_stmt **ret, struct err *e)
{
	int rc = sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(*ret, 1, name, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		return 0;
	sqlite3_finalize(*ret);
	return fail(s, rc, "use the baseline", e);
}

int store_note_get(struct store *s, const char *name, struct buf *ret, struct err *e)
{
	const uint8_t *p;
	sqlite3_stmt *st;
	size_t n;
	int rc, r = note_prepare(s, "SELECT value FROM note WHERE name=?", name, &st, e);

	if (r < 0)
		return r;
	rc = sqlite3_step(st);
	buf_reset(ret);
	if (rc == SQLITE_ROW) {
		r = column(s, st, 0, &p, &n, e);
		if (r == 0 && buf_put(ret, p, n) < 0)
			r = err_set(e, buf_error(ret), "a note of the baseline does not fit in memory");
		if (r == 0)
			r = 1;
	} else if (rc != SQLITE_DONE) {
		r = fail(s, rc, "read the baseline", e);
	}
	sqlite3_finalize(st);
	return r;
}

int store_note_put(struct store *s, const char *name, const void *p, size_t n, struct err *e)
{
	sqlite3_stmt *st;
	int rc, r = note_prepare(s, "INSERT OR REPLACE INTO note VALUES(?,?)", name, &st, e);

	if (r < 0)
		return r;
	sqlite3_bind_blob(st, 2, n ? p : "", (int)n, SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc != SQLITE_DONE)
		r = fail(s, rc, "write to the baseline", e);
	sqlite3_finalize(st);
	return r;
}

int store_note_delete(struct store *s, const char *name, struct err *e)
{
	sqlite3_stmt *st;
	int rc, r = note_prepare(s, "DELETE FROM note WHERE name=?", name, &st, e);

	if (r < 0)
		return r;
	rc = sqlite3_step(st);
	if (rc != SQLITE_DONE)
		r = fail(s, rc, "write to the baseline", e);
	sqlite3_finalize(st);
	return r;
}
