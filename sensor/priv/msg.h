/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the processes of tamisd, and tamisctl, speak: typed messages over AF_UNIX SOCK_SEQPACKET. msg.c holds the one table
 * of what may be said: type, sender, receiver, size, whether a file descriptor comes along. A message that is not in it
 * is -EPROTO; the receiver then ends the peer. What a message makes a process do is in that process's own list of
 * handlers (see chan_serve), so a type without a handler is -EPROTO too.
 *
 * Never calls upward: knows no process, no policy, no event.
 */
#ifndef TAMIS_PRIV_MSG_H
#define TAMIS_PRIV_MSG_H

#include <stddef.h>
#include <stdint.h>

#define MSG_BYTES_MAX (128u << 10) /* one message, its head included */
#define MSG_BODY_MAX  (MSG_BYTES_MAX - (uint32_t)sizeof(struct msg_head))
#define MSG_TEXT_MAX  512

enum role { ROLE_NONE, ROLE_MONITOR, ROLE_ENGINE, ROLE_RECORD, ROLE_HASH, ROLE_CTL, ROLE_RUNTIME, ROLE_SOCKETS, ROLES };

enum msg_type {
	MSG_NONE,
	MSG_READY,   /* engine, record -> monitor: set up and confined */
	MSG_PROGRAM, /* monitor -> engine: a rule program in a sealed memfd */
	MSG_KIN, /* monitor -> engine: before it, what its sieve asks of the processes above, in another: see kin.h */
	MSG_PROGRAM_OK, /* engine -> monitor: it is loaded, or why not */
	MSG_PEER,	/* monitor -> engine, record: the socket to the other one, which was started anew */
	MSG_PEER_OK,	/* engine, record -> monitor: nothing is under way on the socket before any more */
	MSG_NOTE,	/* monitor -> record: a record about the sensor itself */
	MSG_ALARM,	/* monitor -> record: an alert about the sensor itself */
	MSG_ALERTS,	/* engine -> record: a batch of alerts */
	MSG_PIECE,	/* engine -> record: a piece of an alert that is too long for one message */
	MSG_HELD,	/* record -> monitor: retention waits for a sink, or does not any more */
	MSG_STOP,	/* monitor -> engine, record: finish what is there, then end */
	MSG_STATUS,	/* ctl -> monitor: requests without arguments, each answered by MSG_REPLY */
	MSG_STATS,
	MSG_RELOAD,	  /* ctl -> monitor: a bundle to put in force, as an open file */
	MSG_REPLY,	  /* monitor -> ctl */
	MSG_CAPTURE,	  /* ctl -> monitor: a capture is wanted */
	MSG_CAPTURE_FD,	  /* monitor -> ctl: the end of a socket to the engine that it comes from */
	MSG_CAPTURE_TO,	  /* monitor -> engine: the other end, and what is wanted */
	MSG_CAPTURE_LOST, /* monitor -> engine: while a capture is made, what the kernel side lost */
	MSG_CAPTURE_OVER, /* engine -> monitor: it has ended */
	MSG_CAPTURE_DATA, /* engine -> ctl, record: bytes of the file */
	MSG_SINK_TEST,	  /* ctl -> monitor: a sink, by its name, is to send a test */
	MSG_CAPTURE_STOP, /* ctl -> engine: enough; what is there still comes, then the socket is closed */
	MSG_KILL,	  /* engine -> monitor: a rule wants a process to be killed */
	MSG_DISARMED,	  /* monitor -> engine: that action is not done any more */
	MSG_LINK,	  /* monitor -> engine, hash, runtime: the socket between the two, in place of the one before */
	MSG_WATCHES,	  /* monitor -> hash: the watches in force from now on, in a sealed memfd */
	MSG_INODES,	  /* hash -> monitor: inodes to be watched, as struct msg_inodes has it */
	MSG_TOUCHES,	  /* engine -> hash: what may have changed watched files (sensor/fim/touch.h) */
	MSG_FINDING,	  /* hash -> engine: the alert that one has changed */
	MSG_FINDING_OK,	  /* engine -> hash: it is on its way */
	MSG_FLUSH,	  /* engine -> hash: no more touches will come, look at what waits */
	MSG_FLUSHED,	  /* hash -> engine: nothing waits any more */
	MSG_HASH,	  /* engine -> hash: the SHA-256 of a file is wanted */
	MSG_HASH_OK,	  /* hash -> engine: it, or why not */
	MSG_PACKAGE,	  /* engine -> hash: to which package a path belongs */
	MSG_PACKAGE_OK,	  /* hash -> engine: that */
	MSG_CONTAINER,	  /* engine -> runtime: the names of a container are wanted */
	MSG_CONTAINER_OK, /* runtime -> engine: those, or why not */
	MSG_SNAP,	  /* engine -> record: a rule wants a capture, whose bytes follow as MSG_CAPTURE_DATA */
	MSG_SNAP_END,	  /* engine -> record: that was all of them */
	MSG_TYPES
};

struct msg_head {
	uint32_t size; /* bytes of the whole message; equals the packet's */
	uint16_t type; /* enum msg_type */
	uint16_t pad;  /* zero */
};

struct msg_ready {
	uint64_t value; /* engine: processes found in /proc; record: the number of the last record */
};

struct msg_program {
	uint32_t generation;
	uint32_t pad;
	char sha256[72]; /* of the bundle that it is of; terminated */
};

struct msg_program_ok {
	uint32_t generation;
	int32_t error;		 /* 0 or a negative errno */
	uint64_t flags;		 /* bits of sieve.set: variables that hold what the policy before has set */
	char text[MSG_TEXT_MAX]; /* what is wrong; terminated, whatever the sender did */
};

/* MSG_NOTE's body: this, then kind_len bytes of the record's kind, then canonical JSON up to the end. */
struct msg_note {
	uint32_t kind_len;
};

/* MSG_PIECE's body: this, then bytes of what would be a MSG_ALERTS body of @total bytes. Pieces come in order. */
struct msg_piece {
	uint32_t off, total;
};
#define MSG_PIECES_MAX ((1u << 20) + 4096) /* total of an alert in pieces */

/* MSG_RELOAD's body: the bundle's name for messages, not terminated. */

struct msg_held {
	uint64_t segment; /* the first that was not read; or, lost, the last that goes unread */
	uint32_t lost;	  /* 1: it is pruned all the same */
	uint32_t pad;
};

/* MSG_SINK_TEST's body: the sink's name, not terminated. */

/* MSG_REPLY's body: this, then text: JSON when error is 0, else the reason. */
struct msg_reply {
	int32_t error; /* 0 or a negative errno */
};

/* MSG_CAPTURE, and the beginning of MSG_CAPTURE_TO. */
struct msg_capture {
	uint64_t events, bytes; /* after so many, end; 0: no bound */
	uint32_t all;		/* 1: every event, not only what the policy asks for */
	uint32_t pad;
};

struct msg_capture_to {
	struct msg_capture what;
	char policy[128], sha256[72]; /* in force; terminated */
};

struct msg_capture_lost {
	uint64_t ring, context, hook; /* since the message before */
};

struct msg_capture_over {
	uint64_t events, bytes;
};

/* MSG_SNAP's body: this, then the rule's id and the policy's name, cut to MSG_SNAP_NAME_MAX. They make up the file's name. */
struct msg_snap {
	int64_t time_s; /* of the match, since 1970 */
	uint64_t request;
	uint32_t rule_len, policy_len;
};
#define MSG_SNAP_NAME_MAX 256u

struct msg_snap_end {
	uint64_t records, events, lost, matches;
	uint64_t before_ms; /* so long before the match it begins */
	uint32_t why;	    /* enum capture_why; CAPTURE_WHYS: it is cut, its last bytes were not taken */
	uint32_t pad;
};

/* Names an action of a program; what is to be done is in the monitor's own copy of that. */
struct msg_kill {
	uint32_t generation, rule, action;
	uint32_t pid;	   /* in the initial name space */
	uint64_t start_ns; /* boot time of its start */
	uint64_t request;  /* what the alert and the record of it have in common */
};

struct msg_disarmed {
	uint32_t generation, action;
};

/* MSG_FINDING's body: this, then one alert as of MSG_ALERTS. MSG_FINDING_OK's: this. Ids ascend; one says all up to it. */
struct msg_finding {
	uint64_t id;
};

/* MSG_INODES' body: this, then struct inode_watch (sensor/load/inodes.h) until the end. */
struct msg_inodes {
	uint32_t clear; /* 1: those before are forgotten first */
	uint32_t pad;
};

/*
 * MSG_HASH's body: this, then the file's path in the root file system, not terminated. No symbolic link is followed. With
 * @inode not 0 it has to be that very file, on @device if that is not 0.
 */
struct msg_hash {
	uint64_t id; /* the caller's, for the answer */
	uint64_t size_max;
	uint64_t device, inode;
};

struct msg_hash_ok {
	uint64_t id;
	uint64_t size;
	int32_t error; /* 0, or -ENOENT, -ESTALE (another file), -EFBIG, -EINVAL (no regular file), -EBUSY (it changes), ... */
	uint32_t pad;
	uint8_t sha256[32];
};

/* MSG_PACKAGE's body: this, then the path. No path: nothing is answered, but the database is read ahead. */
struct msg_package {
	uint64_t id;
};

/* MSG_PACKAGE_OK's body: this, then name, version, release, version and release of the source, each terminated. No texts: of none. */
struct msg_package_ok {
	uint64_t id;
	int64_t epoch, source_epoch;
};
#define MSG_PACKAGE_TEXTS 5

struct msg_container {
	char id[64];	  /* hexadecimal digits */
	char runtime[16]; /* as container.runtime has it, filled up with zeros; "": not known */
};

/* MSG_CONTAINER_OK's body: this, then texts in the order of enum container_name, each terminated. */
struct msg_container_ok {
	char id[64];
	int32_t error; /* 0, -ENOENT, -ETIMEDOUT, ... */
	uint32_t pad;
};
#define MSG_CONTAINER_TEXTS (7 * 256)

/* MSG_LINK, to the engine: with whom, and which process opens files because of us. */
struct msg_link {
	uint32_t pid, role;
};

/* A received message. */
struct msg {
	uint16_t type;
	uint32_t len;	  /* bytes of body */
	const void *body; /* borrowed from the receive buffer; 8-byte aligned */
	int fd;		  /* -1, or the descriptor that came along: chan_serve closes it unless the handler takes it */
};

/* One end of a socket. The fd is owned by whoever holds the struct. */
struct chan {
	int fd;
	enum role self, peer;
};

const char *msg_name(uint16_t type);
const char *role_name(enum role r);

/*
 * Is this a message that @peer may send to @self? 0, or -EPROTO. @bytes is a whole packet as received, 8-byte aligned,
 * @fd the descriptor with it or -1. On success *ret borrows from @bytes.
 */
int msg_check(const void *bytes, size_t size, int fd, enum role peer, enum role self, struct msg *ret);

/* A connected pair, close-on-exec and non-blocking; ret[0] is @a's end. */
int chan_pair(enum role a, enum role b, struct chan ret[2]);
void chan_close(struct chan *c);

/*
 * Sends one message, all or nothing: -EAGAIN when the peer has no room, -EPIPE or -ECONNRESET when it is gone, -EPROTO
 * when the table forbids it. @fd -1 for none; it stays the caller's.
 */
int chan_send(const struct chan *c, uint16_t type, const void *body, size_t len, int fd);
/* The same in two pieces, so that a caller need not glue a head to a long text. */
int chan_send2(const struct chan *c, uint16_t type, const void *a, size_t alen, const void *b, size_t blen, int fd);
/* Waits at most @timeout_ms for room, then sends. */
int chan_send_wait(const struct chan *c, uint16_t type, const void *a, size_t alen, const void *b, size_t blen, int fd,
		   int timeout_ms);

/*
 * Receives one message into @buf (MSG_BYTES_MAX bytes, 8-byte aligned). 1 with *ret filled, 0 when there is none now;
 * -ECONNRESET when the peer closed its end, -EPROTO for what the table forbids. The caller owns ret->fd.
 */
int chan_recv(const struct chan *c, void *buf, struct msg *ret);

/* What a process does with a message; a negative errno ends the peer. */
typedef int (*msg_handler)(void *ctx, struct msg *m);

/*
 * Receives and handles at most @most messages. How many were handled, or chan_recv's and the handler's errors; -EPROTO
 * for a type that has no handler.
 */
int chan_serve(const struct chan *c, const msg_handler handlers[MSG_TYPES], void *ctx, void *buf, int most);

/* ---- MSG_ALERTS, MSG_ALARM: { u32 head_len, u32 tail_len, head bytes, tail bytes, zeros up to 4 } repeated ------------------ */

struct alert_text {
	const char *head, *tail; /* the record's JSON before and after "seq"; borrowed */
	uint32_t head_len, tail_len;
};

#define ALERT_TEXT_SIZE(head_len, tail_len) ((8u + (head_len) + (tail_len) + 3u) & ~3u)

/* Writes one alert to @to, which has room for ALERT_TEXT_SIZE of it. */
void alert_text_put(void *to, const struct alert_text *a);
/* Takes the next alert off a body of @len bytes: 1, 0 at its end, -EPROTO for anything malformed. *off starts at 0. */
int alert_text_next(const void *body, uint32_t len, uint32_t *off, struct alert_text *ret);

#endif
