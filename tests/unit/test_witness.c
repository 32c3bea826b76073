/* SPDX-License-Identifier: Apache-2.0 */

/* A log that another machine remembers: sensor/record/witness.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/record/auditlog.h"
#include "sensor/record/verify.h"
#include "sensor/record/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* root/log and root/keys are the host's, root/seen and root/w.pem the witness's. */
static char root[64], path[120];
static struct sig_key *witness, *witness_pub, *log_key;
static struct err err;
static bool other_missing; /* there is no python3 or no openssl */

static const char *at(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* A command in the root. */
static void run(const char *command)
{
	char line[300];

	snprintf(line, sizeof(line), "cd %s && { %s; }", root, command);
	assert_int_equal(system(line), 0);
}

/* A run of the sensor: two segments' worth of records. */
static void sensor_runs(uint64_t keep_bytes)
{
	struct auditlog_options o = { .segment_bytes = 900, .host = "web-1", .keep_bytes = keep_bytes };
	char dir[100], keys[100];
	struct auditlog *log;

	snprintf(dir, sizeof(dir), "%s/log", root);
	snprintf(keys, sizeof(keys), "%s/keys", root);
	if (auditlog_open(dir, keys, &o, &log, &err) < 0)
		fail_msg("%s", err.msg);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(auditlog_note(log, AUDITLOG_LOSS, "{\"events\":1}", NULL, &err), 0);
		assert_int_equal(auditlog_flush(log, &err), 0);
	}
	assert_int_equal(auditlog_close(log, &err), 0);
}

static int set_up(void **state)
{
	char pub[120];

	(void)state;
	strcpy(root, "/tmp/tamis-test-witness-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(pub, sizeof(pub), "%s/w.pub.pem", root);
	if (sig_keygen(at("w.pem"), pub, &err) < 0 || sig_load_private(at("w.pem"), &witness, &err) < 0 ||
	    sig_load_public(pub, &witness_pub, &err) < 0)
		return -1;
	sensor_runs(0);
	return sig_load_public(at("keys/log.pub.pem"), &log_key, &err);
}

static int tear_down(void **state)
{
	(void)state;
	sig_key_free(witness);
	sig_key_free(witness_pub);
	sig_key_free(log_key);
	run("rm -r ./*");
	rmdir(root);
	return 0;
}

static int ask(const struct buf *since, struct buf *ret)
{
	buf_init(ret, WITNESS_TEXT_MAX);
	return witness_request(at("log"), since ? since->data : NULL, since ? since->len : 0, ret, &err);
}

static int answer(const void *text, size_t n, struct buf *ret)
{
	buf_init(ret, WITNESS_NOTE_MAX);
	return witness_sign(text, n, at("seen"), log_key, witness, "w", ret, &err);
}

/* One round; the countersigned note is the caller's. */
static void goes_on(const struct buf *since, struct buf *ret)
{
	struct buf request;

	if (ask(since, &request) < 0 || answer(request.data, request.len, ret) < 0)
		fail_msg("%s", err.msg);
	buf_done(&request);
}

/* tools/log-verify, which shares no code with the verifier here, has the same verdict. */
static void other_agrees(const struct buf *note, bool ok)
{
	char command[512];
	FILE *f = fopen(at("note"), "we");
	int status;

	if (other_missing)
		return;
	assert_non_null(f);
	assert_int_equal(fwrite(note->data, 1, note->len, f), note->len);
	fclose(f);
	snprintf(command, sizeof(command),
		 "tools/log-verify --witness %1$s/note --witness-key %1$s/w.pub.pem %1$s/log %1$s/keys/log.pub.pem "
		 ">/dev/null 2>%1$s/verdict",
		 root);
	status = system(command);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != !ok)
		fail_msg("tools/log-verify has another verdict: status %#x", status);
	if (!ok)
		run("grep -q 'it was put back' verdict");
}

/* The verdict on the log by what the witness has signed. */
static bool verifies(const struct buf *note, struct verify_report *ret)
{
	struct checkpoint_note n;
	const struct verify_options o = { .witness = &n, .wait_ms = 1 };

	if (witness_note(note->data, note->len, witness_pub, &n, &err) < 0 ||
	    verify_log(at("log"), log_key, &o, ret, &err) < 0)
		fail_msg("%s", err.msg);
	other_agrees(note, ret->ok);
	return ret->ok;
}

static void a_log_goes_on(void **state)
{
	struct verify_report rep;
	struct buf one, two, three;

	(void)state;
	goes_on(NULL, &one);
	assert_true(verifies(&one, &rep));
	/* nothing new is no error */
	goes_on(&one, &two);
	assert_int_equal(two.len, one.len);
	sensor_runs(0);
	sensor_runs(0);
	goes_on(&two, &three);
	assert_true(verifies(&one, &rep));
	assert_true(verifies(&three, &rep));
	buf_done(&one);
	buf_done(&two);
	buf_done(&three);
}

static void keep(void)
{
	run("cp -a log log.old; cp -a keys keys.old");
}

static void put_back(void)
{
	run("rm -r log keys; cp -a log.old log; cp -a keys.old keys");
}

/* The whole state, keys and HEAD and all, as it was before: by itself it is a good log. */
static void a_log_that_was_put_back_is_found(void **state)
{
	struct buf one, two, request, note;
	struct verify_report rep;

	(void)state;
	goes_on(NULL, &one);
	keep();
	sensor_runs(0);
	goes_on(&one, &two);
	put_back();
	assert_true(verifies(&one, &rep));
	assert_false(verifies(&two, &rep));
	assert_non_null(strstr(rep.problem, "was put back"));
	/* it cannot even ask, and an old request is not answered again */
	assert_int_equal(ask(&two, &request), -EBADMSG);
	buf_done(&request);
	assert_int_equal(ask(&one, &request), 0);
	assert_int_equal(answer(request.data, request.len, &note), -EBADMSG);
	assert_non_null(strstr(err.msg, "--since"));
	buf_done(&request);
	/* nor when it has gone on from there, further than it was */
	for (int i = 0; i < 3; i++)
		sensor_runs(0);
	assert_false(verifies(&two, &rep));
	assert_non_null(strstr(rep.problem, "went on from there"));
	assert_true(ask(&two, &request) < 0 || answer(request.data, request.len, &note) < 0);
	buf_done(&request);
	buf_done(&one);
	buf_done(&two);
}

/* What the witness remembers is as before where a request is not good. */
static void damaged_requests_are_refused(void **state)
{
	struct buf one, two, request;

	(void)state;
	goes_on(NULL, &one);
	sensor_runs(0);
	assert_int_equal(ask(&one, &request), 0);
	for (size_t i = 0; i < request.len - 1; i += 13) {
		request.data[i] ^= 1;
		assert_int_equal(answer(request.data, request.len, &two), -EBADMSG);
		buf_done(&two);
		request.data[i] ^= 1;
		assert_int_equal(answer(request.data, i, &two), -EBADMSG);
		buf_done(&two);
	}
	goes_on(&one, &two);
	buf_done(&request);
	buf_done(&one);
	buf_done(&two);
}

static void another_log_or_witness(void **state)
{
	struct buf request, note;
	struct checkpoint_note n;

	(void)state;
	assert_int_equal(ask(NULL, &request), 0);
	/* by another log's key; without one */
	buf_init(&note, WITNESS_NOTE_MAX);
	assert_int_equal(witness_sign(request.data, request.len, at("seen"), witness_pub, witness, "w", &note, &err),
			 -EBADMSG);
	assert_int_equal(witness_sign(request.data, request.len, at("seen"), NULL, witness, "w", &note, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.msg, "--log-key"));
	assert_int_equal(note.len, 0);
	assert_int_equal(answer(request.data, request.len, &note), 0);
	/* once it is known, the key is that of its epoch */
	buf_done(&request);
	sensor_runs(0);
	assert_int_equal(ask(&note, &request), 0);
	buf_done(&note);
	assert_int_equal(witness_sign(request.data, request.len, at("seen"), NULL, witness, "w", &note, &err), 0);
	assert_int_equal(witness_note(note.data, note.len, log_key, &n, &err), -EBADMSG);
	assert_int_equal(witness_note(note.data, note.len, witness_pub, &n, &err), 0);
	note.data[note.len - 20] ^= 1;
	assert_int_equal(witness_note(note.data, note.len, witness_pub, &n, &err), -EBADMSG);
	buf_done(&request);
	buf_done(&note);
}

/* The segments between are pruned: what stays of them is enough. That of the note itself has to be there. */
static void pruned_segments(void **state)
{
	struct buf one, two, request;
	struct verify_report rep;

	(void)state;
	goes_on(NULL, &one);
	for (int i = 0; i < 6; i++)
		sensor_runs(1);
	assert_true(verifies(&one, &rep));
	assert_true(rep.pruned > 2);
	assert_int_equal(ask(&one, &request), -ENOENT);
	assert_non_null(strstr(err.msg, "more often"));
	buf_done(&request);
	run("rm -r seen");
	goes_on(NULL, &two);
	assert_true(verifies(&two, &rep));
	buf_done(&one);
	buf_done(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_log_goes_on),
		T(a_log_that_was_put_back_is_found),
		T(damaged_requests_are_refused),
		T(another_log_or_witness),
		T(pruned_segments),
	};

	other_missing = system("python3 -c '' 2>/dev/null && openssl version >/dev/null 2>&1") != 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
