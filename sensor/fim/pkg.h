/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_PKG_H
#define TAMIS_SENSOR_FIM_PKG_H

/*
 * What the package manager says that a file should be: dpkg's and rpm's own databases, read without their programs. They
 * are files on the host that is looked at, so they are untrusted: sizes are bounded, whatever is malformed is an error that
 * names the file. Whoever can change a program can change them, too: they explain a change, they do not excuse it.
 */

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/hash_other.h"
#include "sensor/fim/change.h"

struct pkg;

struct pkg_file {
	const char *path, *owner; /* path: absolute, NUL-terminated */
	size_t len;
	enum hash_kind kind;
	uint8_t digest[HASH_OTHER_MAX];
	bool conffile;
	bool may_miss; /* ghosts, files that are fetched or made later */
	uint64_t size; /* UINT64_MAX: not recorded */
	int mode;      /* permissions, or -1: not recorded */
};

/* Every file of every package: 0, the callback's value if not 0, or negative errno. *ret_packages: how many there are. */
typedef int (*pkg_fn)(void *ctx, const struct pkg_file *f);
int pkg_each(int root_fd, pkg_fn fn, void *ctx, uint64_t *ret_packages, struct err *e);

/* An index by path, of 40 bytes a file. A host without packages is fine. */
int pkg_open(int root_fd, struct pkg **ret, struct err *e);
void pkg_close(struct pkg *p);
DEFINE_CLEANUP(struct pkg *, pkg_close);

/*
 * The verdict on a path, which is now @fact (NULL: gone). Only what differs in content is a package's business: a file
 * whose owner or mode was changed alone (mask) is not excused by its content. *ret_owner is the package, or "".
 */
enum change_package pkg_judge(struct pkg *p, const char *path, size_t len, const struct fact *fact, uint32_t mask,
			      const char **ret_owner);

/*
 * Whether dpkg lists the path at all: directories and symbolic links have no digest. Reads the lists of all packages, so it is
 * for what came with a package only. 1, 0, or negative errno.
 */
int pkg_dpkg_lists(int root_fd, const char *path, size_t len);

/* Reads a file below @root_fd and compares: 0 same, 1 differs, -ENOENT, -EACCES, ... */
int pkg_verify(int root_fd, const struct pkg_file *f);

/* An installed package; all texts are there, if only "". */
struct pkg_info {
	const char *name, *version, *release, *source_version, *source_release;
	int64_t epoch, source_epoch;
};

/* The parts, for tests: untrusted bytes to files. */
struct pkg_reader {
	int root_fd;
	pkg_fn fn;
	void *ctx;
	struct buf path;				  /* of the file that is handed out */
	struct buf conffiles;				  /* of the package that is read */
	int (*info)(void *ctx, const struct pkg_info *i); /* NULL: nobody asks; each before its files */
	uint64_t packages;
	struct pkg_alias {
		char from[16], to[64];
	} aliases[16]; /* "/lib" -> "/usr/lib": dpkg knows files by names from before the two were merged */
	size_t naliases;
};
int pkg_reader_init(struct pkg_reader *r, int root_fd, pkg_fn fn, void *ctx);
void pkg_reader_done(struct pkg_reader *r);
/* Appends the name that a file has by now for the one that a database has for it. 0, -ENOMEM, -EFBIG. */
int pkg_real_name(const struct pkg_reader *r, const char *path, size_t len, struct buf *out);
/* Hands out a file by the name that a database has for it. */
int pkg_hand_out(struct pkg_reader *r, struct pkg_file *f, const char *path, size_t len);

#define PKG_RPM_PLACES 2
extern const char
	*const pkg_rpm_places[PKG_RPM_PLACES]; /* where the database may lie; the first that is there counts */

/* pkg_dpkg.c: 0, -ENOENT where there is no such database. */
int pkg_dpkg_each(struct pkg_reader *r, struct err *e);
/* The text of one PACKAGE.md5sums. */
int pkg_dpkg_md5sums(struct pkg_reader *r, const char *owner, const char *text, size_t n, const char *what,
		     struct err *e);
/* pkg_rpm.c */
int pkg_rpm_each(struct pkg_reader *r, struct err *e);
/* One header, as the database has it. */
int pkg_rpm_header(struct pkg_reader *r, const void *p, size_t n, struct err *e);

/* A small file below root, at most max bytes: 0 or negative errno. */
int pkg_read_file(int root_fd, const char *path, size_t max, struct buf *ret);

#endif
