/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor's files share; nobody else includes this.
 *
 *	monitor.c	the start, the loop, the end
 *	child.c		a process: its start, its messages, its death
 *	children.c	engine and record: in which order they start, what was lost with them
 *	hash_child.c	the hash process
 *	runtime_child.c	the runtime process
 *	notes.c		records about the sensor itself
 *	alarms.c	alerts about the sensor itself
 *	canary_watch.c	known acts, and whether the hooks see them
 *	requests.c	what tamisctl asks
 *	kills.c		what rules want to have killed
 *	spool_watch.c	the sinks: their start, how they are
 *	heartbeat.c	records that say what was seen, also when that is nothing
 *	captures.c	a capture: who wants it, what was lost meanwhile
 */
#ifndef TAMIS_PRIV_MONITOR_IMPL_H
#define TAMIS_PRIV_MONITOR_IMPL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/jsonw.h"
#include "sensor/load/inodes.h"
#include "sensor/load/load.h"
#include "sensor/priv/canary.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/confine.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/msg.h"
#include "sensor/priv/options.h"
#include "sensor/priv/policy_file.h"
#include "sensor/priv/runtime.h"
#include "sensor/priv/sealer.h"
#include "sensor/respond/permit.h"
#include "sensor/priv/state.h"
#include "sensor/spool/news.h"
#include "sensor/spool/page.h"

#define CHILD_DEATHS_MAX 5 /* so many unexpected deaths within CHILD_DEATHS_MS: stop, loudly */
#define CHILD_DEATHS_MS	 60000
#define CHILD_ANSWER_MS	 10000 /* a child that does not answer for so long is ended */
#define NOTES_WAITING	 256   /* notes kept while there is no record process */
#define CLIENTS_MAX	 8

enum phase {
	PHASE_STARTING, /* children are not up yet: an error ends the start */
	PHASE_RUNNING,
	PHASE_DRAINING, /* hooks are off; the engine works off what is left */
	PHASE_CLOSING,	/* the engine is gone; record closes the log */
	PHASE_OVER
};

enum child_state {
	CHILD_DOWN,	/* not running; to be started when due */
	CHILD_STARTING, /* forked, has not said MSG_READY */
	CHILD_UP,
	CHILD_DONE /* ended as it was told */
};

struct child {
	enum role role;
	enum child_state state;
	pid_t pid;
	struct chan chan;		   /* ours to it */
	bool linked;			   /* has its end of a socket between engine and record */
	bool unsettled;			   /* died, and what was lost is not worked out yet */
	char why[96];			   /* how it died */
	uint64_t due_ns;		   /* not to be started before */
	uint64_t asked_ns;		   /* since when an answer is awaited; 0: none is */
	uint64_t deaths[CHILD_DEATHS_MAX]; /* when; a ring */
	unsigned int ndeaths;
	uint64_t beat;	      /* commits of its page, as they were last */
	unsigned int quiet;   /* so many looks ago it had others */
	unsigned int doubled; /* so often the pause before its next start was */
	bool hung;	      /* killed for that */
	uint64_t stopped_ns;  /* when it was said that it had been stopped */
};

/* What was lost on the way between two counters, as sums: see struct engine_counts. */
struct gaps {
	uint64_t events; /* received, not evaluated */
	uint64_t made;	 /* alerts made, not handed to record */
	uint64_t handed; /* handed to record, not durable */
};

/* Something for record that waits until there is one. */
struct note {
	uint16_t type; /* MSG_NOTE, MSG_ALARM */
	char *body;    /* owned */
	size_t len;
};

struct reload {
	bool active;
	struct policy_file policy;
	int client; /* index of who asked, or -1 */
	uint64_t since_ns;
};

/* At most one capture is made at a time. */
struct capture_job {
	bool active, all;
	uint64_t ring, context, hook; /* losses of the kernel side that the engine knows of */
};

/* The sinks, as the monitor knows them. */
struct spool {
	int fd;		/* the spool's processes have the other end; -1: there are none */
	int reserve_fd; /* its other end is the reserve's; -1: there are none */
	pid_t reserve;	/* 0: it was killed */
	uint64_t started_ns;
	uint64_t together;	 /* times that keeper and spool were gone, both */
	struct sink_confs confs; /* owned */
	struct spool_page *page; /* NULL: there are no sinks */
	struct news *news;	 /* the like; record tells, the sinks listen */
	bool gone;
	uint64_t restarts_told, keepers_told, failing_told[SINKS_MAX];
};

/* What the last heartbeat said, as sums. */
struct heartbeat {
	uint64_t due_ns, last_ns, alerts, lost;
	struct ev_stats told[EV_TYPES];
};

struct monitor {
	const struct options *o;
	enum phase phase;
	enum confine_mode mode;
	bool failed;	   /* the exit status */
	bool hangup_stops; /* started from a terminal: its end is ours */
	char host[72];
	uint64_t start_ns, tick_ns, phase_ns;

	struct state state;
	struct load *load;     /* owned */
	struct inodes *inodes; /* owned; NULL: not asked for yet, or not possible here */
	bool no_inodes;	       /* not possible, and said */
	struct sig_key *trust; /* owned; NULL: any */
	struct policy_file policy;
	uint32_t last_generation;
	struct reload reload;
	struct capture_job capture;
	struct permit permit;
	struct {
		uint64_t asked, killed, failed, disarmed;
	} responses;

	struct {
		bool disarmed;
		uint64_t since_ns; /* when the present minute began */
	} denials;

	struct child engine, record, hash, runtime;
	struct runtime_sources runtimes;
	pid_t runtime_sockets; /* the process that opens what runtimes have */
	struct canary canary;
	struct spool spool;
	struct sealer sealer;
	struct heartbeat heartbeat;
	struct chan spare; /* the engine's end of a socket to a record process that is still starting; fd -1: none */
	struct engine_page *engine_page;
	struct record_page *record_page;
	struct hash_page *hash_page;
	struct gaps gaps;

	struct ev_stats lost_told[EV_TYPES]; /* kernel losses that are in the log */
	uint64_t shed_told[EV_TYPES][SHED_LEVELS];
	struct {
		uint64_t pathless, lost; /* see tell_processes(): when the kernel was asked last */
	} tasks;
	struct {
		uint64_t hook, engine, record;
	} told; /* the like, of other places */
	struct note notes[NOTES_WAITING];
	size_t nnotes;
	uint64_t notes_dropped;

	int signal_fd, alerts_fd, null_fd, listen_fd;
	struct chan client[CLIENTS_MAX]; /* fd -1: free */
	uint64_t client_ns[CLIENTS_MAX];

	void (*on_ready)(void *ctx);
	void *on_ready_ctx;
	sigset_t old_signals;
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

/* ---- child.c ---- */

/* A process from its fork on; does not come back. */
typedef void (*child_main)(struct monitor *m, struct chan to_monitor, const void *arg);

const char *child_state_name(const struct child *c);
bool child_is_alive(const struct child *c);
void child_kill(struct child *c);
/* Forks c->role with @run, and awaits its MSG_READY. */
int child_fork(struct monitor *m, struct child *c, child_main run, const void *arg);
/* Messages from it; one that breaks the protocol is killed. */
void child_serve(struct monitor *m, struct child *c, const msg_handler handlers[MSG_TYPES]);
/* Kills one that does not say what it was asked for. */
void child_check_patience(struct child *c, uint64_t now);
/* SIGCHLD: whether it died or was stopped, and how. */
bool child_waited(const struct child *c, int *ret_status);
/* Says in c->why how it died. */
void child_describe(struct child *c, int status);

/* What a child does first; from here on it must not use what belongs to the monitor alone. */
void child_become(const struct monitor *m, const char *name, int *keep, size_t n);
/* Ctrl-C reaches the whole process group; only the monitor decides when to end. */
void child_ignore_ends(void);
/* In its own log lines and in the list of processes. */
void child_be_named(const char *name);
/* Closes every descriptor from 3 on but those of @keep, which it sorts. */
void child_close_all_but(int *keep, size_t n);

/* One of the processes whose death costs no more than time: hash, runtime. */
struct helper {
	child_main run;
	bool (*wants_again)(int status); /* an exit that is no failure, but the wish to begin anew, */
	unsigned int again_ms;		 /* after so long */
	unsigned int backoff_ms;	 /* the pause after the first failure; then twice that ... */
};

void child_helper_reap(struct monitor *m, struct child *c, const struct helper *h);
/* Each second: it is started where it is @wanted and due, and killed where it does not answer. */
void child_helper_tick(struct monitor *m, struct child *c, const struct helper *h, bool wanted);
/* A socket between it and the engine, when either is new. @opener: the process that opens files for it. */
void child_helper_link(struct monitor *m, struct child *c, pid_t opener);
void child_helper_end(struct child *c);

/* ---- children.c ---- */

/* Starts both for the first time. */
int children_begin(struct monitor *m, struct err *e);
/* SIGCHLD: takes note of who died or was stopped. */
void children_reap(struct monitor *m);
/* Messages from one of them. */
void children_serve(struct monitor *m, struct child *c);
/* Goes on with restarting where that is possible; when to call again, in ms, or -1. */
int children_step(struct monitor *m);
/* Each second: one that does nothing any more is killed, and so started again. */
void children_tick(struct monitor *m);

/* ---- hash_child.c ---- */

struct hash_page;
int hash_child_begin(struct monitor *m, struct err *e);
/* Loads the kernel side for inodes of watched files, where that works. */
void hash_child_inodes(struct monitor *m);
void hash_child_reap(struct monitor *m);
void hash_child_serve(struct monitor *m);
/* Each second: it is started where it is wanted. */
void hash_child_tick(struct monitor *m);
/* A socket between it and the engine, when either is new. */
void hash_child_link(struct monitor *m);
/* Another policy is in force. */
void hash_child_watches(struct monitor *m);
void hash_child_end(struct monitor *m);

/* ---- runtime_child.c: the same of the runtime process ---- */

int runtime_child_begin(struct monitor *m, struct err *e);
void runtime_child_reap(struct monitor *m);
void runtime_child_serve(struct monitor *m);
void runtime_child_tick(struct monitor *m);
void runtime_child_link(struct monitor *m);
void runtime_child_end(struct monitor *m);

/* ---- notes.c ---- */

/* Events that the engine has left out so far. */
uint64_t notes_shed(const struct monitor *m);

/* {"blind":[],"bundle":SHA-256,"generation":1,"name":"...","rules":17,"trusted":true} */
void notes_put_policy(struct jsonw *w, const struct policy_file *p, bool trusted);

/* Appends a record to the log, now or as soon as there is a record process. */
void notes_put(struct monitor *m, const char *kind, struct buf *details);
/* The same for details that are longer than others. */
void notes_put_large(struct monitor *m, const char *kind, struct buf *details);
/* The same for any message to record; takes @body over, whose errors are seen to here. */
void notes_put_msg(struct monitor *m, uint16_t type, const char *name, struct buf *body);
/* What waits goes to record. */
void notes_send(struct monitor *m);
void notes_free(struct monitor *m);
void notes_gap(struct monitor *m, const char *process, const char *reason, uint64_t events, uint64_t alerts);
void notes_policy(struct monitor *m, const struct policy_file *before, const struct policy_file *now);
/* "blind":["bind"]: what notes_blind() found. */
void notes_put_blind(struct jsonw *w, const struct policy_file *p);
/* Says which events of @p nothing here can see, and keeps it for the status. */
void notes_blind(struct monitor *m, struct policy_file *p);
/* What was lost since the last call: in the ring, by hooks, by the engine, by record. */
void notes_losses(struct monitor *m);
/* The details of the log's `start` record. */
int notes_start_details(const struct monitor *m, const char *reason, struct buf *ret);
/* The event types in the order of their names, as canonical JSON wants its keys; ends with 0. */
const int *notes_types_by_name(void);

/* ---- requests.c ---- */

int requests_listen(struct monitor *m, struct err *e);
void requests_accept(struct monitor *m);
void requests_serve(struct monitor *m, int client);
/* Answers the one who asked for a reload. @error 0: @text is JSON. */
void requests_reply(struct monitor *m, int client, int error, const char *text);
/* Hands over a message with a descriptor, and is done with that client. */
void requests_give(struct monitor *m, int client, uint16_t type, int fd);
/* Clients that take too long. */
void requests_tick(struct monitor *m);
/* The engine's word on the policy of a reload. */
void requests_program_ok(struct monitor *m, const struct msg_program_ok *answer);
void requests_reload_failed(struct monitor *m, int error, const char *why);

/* ---- alarms.c ---- */

enum alarm_kind { ALARM_BLIND, ALARM_CANARY, ALARM_PROCESS, ALARM_DISARMED, ALARM_SINK };

/* What there is to say; NULL and 0: nothing. */
struct alarm {
	const char *what; /* of the sensor: an event type, a process */
	const char *rung, *reason;
	uint64_t events, alerts; /* lost */
};

/* An alert among the others: in the log and to --alerts. */
void alarm_raise(struct monitor *m, enum alarm_kind kind, const struct alarm *a);

/* ---- kills.c ---- */

/* A policy comes into force: which of its actions are allowed. */
void responses_policy(struct monitor *m, struct policy_file *p);
/* -EPROTO for what the engine process may not ask for. */
int responses_kill(struct monitor *m, const struct msg_kill *k);
/* "responses":{...} */
void responses_put(const struct monitor *m, struct jsonw *w);

/* ---- denials.c ---- */

/* Before its sieve goes to the kernel: of what it wants refused, what the operator allows is left. */
void denials_prepare(struct monitor *m, struct policy_file *p);
/* It is in force. */
void denials_begin(struct monitor *m);
/* Each second: whether more was refused than may be. */
void denials_tick(struct monitor *m);
/* "denials":{...} */
void denials_put(struct monitor *m, struct jsonw *w);

/* ---- heartbeat.c ---- */

void heartbeat_tick(struct monitor *m);

/* ---- spool_watch.c ---- */

/* Reads the sinks' settings and starts their processes; before the monitor is confined. */
int spool_begin(struct monitor *m, struct err *e);
/* Each second: who died, which sink has not delivered for long. */
void spool_tick(struct monitor *m);
/* Has them deliver what is in the log, for some seconds, and end. */
void spool_end(struct monitor *m);
/* Retention waits for a sink, or has to go on without it. */
void spool_held(struct monitor *m, const struct msg_held *held);
/* "sinks":[...], a member. */
void spool_put(struct monitor *m, struct jsonw *w);
/* "spool":{"keeper":1,"pid":2,"restarts":0,"state":"up"} */
void spool_put_process(struct monitor *m, struct jsonw *w);
/* Has a sink send a test; -ENOENT: there is none of that name. */
int spool_test(struct monitor *m, const char *name, struct err *e);

/* ---- captures.c ---- */

/* Whether rules of some policy may make captures. */
bool captures_allowed(const struct monitor *m);
/* Begins one: an end of a socket to the engine goes to the client. */
int captures_begin(struct monitor *m, int client, const struct msg_capture *what, struct err *e);
/* Tells the engine what the kernel side has lost since it was told last; each second. */
void captures_tick(struct monitor *m);
/* The engine says that it is over, or is gone (@over NULL). */
void captures_over(struct monitor *m, const struct msg_capture_over *over);

#endif
