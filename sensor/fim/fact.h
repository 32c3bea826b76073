/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_FACT_H
#define TAMIS_SENSOR_FIM_FACT_H

/*
 * What is known of one file: as a struct, as bytes of the baseline, and how two of them differ. No file is opened here.
 *
 * As bytes, numbers being LEB128 (7 bits a byte, the last without bit 7):
 *
 *	u8 version (1), type, unread, flags (1 hashed, 2 no_trusted) | numbers have, mode, uid, gid, size, inode, device, links, rdev, chattr,
 *	mtime seconds and nanoseconds, ctime seconds and nanoseconds | 32 bytes SHA-256 if hashed
 *	number size, target | number size, xattrs
 *	xattrs: ascending by name: number size, name, number size, value
 *
 * Equal facts are equal bytes. Bytes from a baseline are untrusted: fact_read() checks all of it.
 */

#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/watch.h"

#define FACT_SIZE_MAX	(1u << 20) /* bytes of one fact */
#define FACT_XATTRS_MAX (256u << 10)
#define FACT_TARGET_MAX 4096

enum fact_type { FACT_FILE = 1, FACT_DIR, FACT_LINK, FACT_FIFO, FACT_SOCKET, FACT_CHAR, FACT_BLOCK, FACT_TYPES };

/* Why content, or all of a file, is not known. */
enum fact_unread {
	FACT_READ = 0,	  /* it is, or was not asked for */
	FACT_DENIED,	  /* no permission */
	FACT_CHANGING,	  /* written to each time that it was read */
	FACT_IO_ERROR,	  /* the disk, or the file system */
	FACT_BUSY,	  /* held by somebody else: a lease, a swap file */
	FACT_TOO_LARGE,	  /* extended attributes beyond FACT_XATTRS_MAX */
	FACT_NO_RESOURCE, /* memory or file descriptors */
	FACT_UNREADS
};

struct fact_time {
	int64_t s;
	uint32_t ns;
};

struct fact {
	uint32_t have; /* enum watch_attr: what was looked at */
	uint8_t type, unread;
	bool hashed;
	bool no_trusted; /* who looked may not see extended attributes of "trusted" */
	uint32_t mode;	 /* without the type */
	uint32_t uid, gid, chattr;
	uint64_t size, inode, links, rdev;
	uint64_t device; /* not compared: its number may be another one after a boot */
	struct fact_time mtime, ctime;
	uint8_t sha256[HASH_SIZE];
	const uint8_t *target, *xattrs; /* borrowed */
	uint32_t target_len, xattrs_len;
};

/* Appends the bytes: 0 or the buffer's error. */
int fact_put(const struct fact *f, struct buf *out);
/* Borrows from the bytes. -EBADMSG. */
int fact_read(const void *p, size_t n, struct fact *ret);

/* The next extended attribute of a fact's list, which has been checked by fact_read or made by fact_xattrs_*. */
struct fact_xattr {
	const char *name; /* not terminated */
	const uint8_t *value;
	uint32_t name_len, value_len;
};
bool fact_xattr_next(struct rd *r, struct fact_xattr *ret);
/*
 * The attributes of @now, and those of "trusted" that @old has of the same file: what whoever looked could not see is thought to be as
 * it was. 0 or the buffer's error.
 */
int fact_xattrs_keep_trusted(const struct fact *old, const struct fact *now, struct buf *out);
/* Numbers as above; -EBADMSG for another form than the shortest. */
void fact_put_number(struct buf *b, uint64_t v);
int fact_get_number(struct rd *r, uint64_t *ret);

/* Which enum watch_attr an extended attribute belongs to. */
uint32_t fact_xattr_attr(const char *name, size_t len);

/* Beside enum watch_attr in the mask of what differs: */
#define FACT_TYPE_CHANGED     (1u << 16)
#define FACT_UNREADABLE	      (1u << 17) /* was read, and cannot be now */
#define FACT_CHANGED_MASK_MAX (1u << 18)

/*
 * What differs among @attrs, so far as both know it; not attributes of "trusted" where one of them could not see those. Growing:
 * size may be larger; @prefix_same says whether the first old->size bytes of the file still have the old hash.
 */
uint32_t fact_compare(const struct fact *old, const struct fact *new, uint32_t attrs, bool growing, bool prefix_same);
/* Whether size, times, inode, mode and owner are the same, so that --quick does not read the file. */
bool fact_same_metadata(const struct fact *old, const struct fact *new);

const char *fact_type_name(unsigned int type);
const char *fact_unread_name(unsigned int unread);
/* "size content mtime": at most 256 bytes with the NUL. */
const char *fact_mask_names(uint32_t mask, char *ret);

#endif
