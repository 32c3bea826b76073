/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sink is: a shared object tamis-sink-NAME.so that brings messages to a collector. It exports one symbol,
 * TAMIS_SINK_SYMBOL, and knows nothing of tamisd but this header.
 *
 * A module runs in a process of its own (one a sink, without privilege): it may block up to its `timeout`, use threads, and
 * crash. It is opened once; then send is called with batches, oldest message first, and again with the rest until all was
 * taken. It must never answer that a message was taken before the collector has it: what is taken is forgotten.
 */
#ifndef TAMIS_SINK_H
#define TAMIS_SINK_H

#include <stddef.h>
#include <stdint.h>

#define TAMIS_SINK_ABI	  1
#define TAMIS_SINK_SYMBOL "tamis_sink_module"

#define TAMIS_SINK_DUPLICATE 1u /* may have been delivered before */
#define TAMIS_SINK_TEST	     2u /* a test: no record of the log */
#define TAMIS_SINK_SUMMARY   4u /* stands for alerts that were folded into one */

struct tamis_sink_field {
	const char *name, *value;
};

/* All borrowed for the call. */
struct tamis_sink_message {
	const char *text; /* in the sink's format, terminated, without a newline at its end */
	size_t len;
	const char *id;	 /* HOST/SEQ, with /PART where a record is several messages: the same at each delivery */
	const char *key; /* HOST */
	uint64_t seq, segment, index; /* of the record; index: its place in the segment's tree */
	uint64_t time_ns;	      /* of the record, since 1970 */
	uint32_t flags;
	const struct tamis_sink_field *fields; /* for templates; ends with a NULL name */
};

struct tamis_sink_error {
	char text[256];
};

struct tamis_sink_env {
	uint32_t abi;
	const char *name, *type; /* of the sink */
	const char *content_type;
	uint32_t timeout_ms; /* no call may take longer, by far */
	/* The value of a setting of this type, "" where it was not given. Valid as long as the sink. */
	const char *(*get)(const struct tamis_sink_env *env, const char *setting);
	const void *priv;
};

/* What send brought about. */
struct tamis_sink_result {
	size_t taken;	/* the first so many messages are the collector's now */
	size_t refused; /* of those, so many it has refused; the reason is in the error, though 0 is returned */
	size_t handed;	/* so many may have reached it: >= taken. What is between is marked when it is sent again */
};

/*
 * 0 or a negative errno with its text. -EBADMSG from send: the collector refuses the first message that was not taken,
 * and would refuse it again.
 */
struct tamis_sink_module {
	uint32_t abi; /* TAMIS_SINK_ABI */
	int (*open)(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e);
	int (*send)(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		    struct tamis_sink_error *e);
	void (*close)(void *sink);
};

#endif
