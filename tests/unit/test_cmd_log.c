/* SPDX-License-Identifier: Apache-2.0 */

/* tamisctl log, as the manual has it: docs/man/tamisctl-log.1's own command lines are run here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/cmd_log.h"
#include "sensor/record/auditlog.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

static char state_dir[] = "/tmp/tamis-test-cmd-XXXXXX";
static char source_dir[4096];

static int make_log(void **unused)
{
	struct auditlog_options o = { .segment_bytes = 600, .start_details = "{\"version\":\"test\"}" };
	struct auditlog *log;
	struct err e = { "" };
	char dir[64], keys[64];

	if (!getcwd(source_dir, sizeof(source_dir)) || !mkdtemp(state_dir))
		return -1;
	snprintf(dir, sizeof(dir), "%s/log", state_dir);
	snprintf(keys, sizeof(keys), "%s/keys", state_dir);
	if (auditlog_open(dir, keys, &o, &log, &e) < 0)
		return -1;
	for (int i = 0; i < 10; i++)
		if (auditlog_note(log, AUDITLOG_LOSS, "{\"events\":1}", NULL, &e) < 0 || auditlog_flush(log, &e) < 0)
			return -1;
	return auditlog_close(log, &e);
}

static int remove_log(void **unused)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", state_dir);
	return system(command);
}

/* Runs the words of a line after "tamisctl" in the state directory, stdout and stderr to files there; the exit status.
 */
static int tamisctl(const char *line)
{
	char words[512], *argv[20];
	int argc = 0, status;
	pid_t child;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	fflush(NULL);
	child = fork();
	if (!child) {
		if (chdir(state_dir) < 0 || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
			_exit(99);
		status = cmd_log(argc, argv, state_dir);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The text of a file in the state directory; the caller frees. */
static char *slurp(const char *name)
{
	char path[128], *text = calloc(1, 65536);
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, 65535, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void assert_in(const char *file, const char *part)
{
	_cleanup_free_ char *text = slurp(file);

	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static int count_lines(const char *file)
{
	_cleanup_free_ char *text = slurp(file);
	int n = 0;

	for (const char *c = text; *c; c++)
		n += *c == '\n';
	return n;
}

static void a_good_log_verifies(void **state)
{
	_cleanup_free_ char *out = NULL;
	json_t *j;

	assert_int_equal(tamisctl("log verify"), 0);
	assert_in("err", "good: ");
	assert_int_equal(tamisctl("log verify --json"), 0);
	out = slurp("out");
	j = json_loads(out, 0, NULL);
	assert_true(json_is_true(json_object_get(j, "ok")));
	assert_int_equal(json_integer_value(json_object_get(j, "first_seq")), 1);
	json_decref(j);
}

static void a_bad_log_exits_with_1_and_the_place(void **state)
{
	char path[128];
	char was, c = '~';
	int fd;

	snprintf(path, sizeof(path), "%s/log/00000001.jsonl", state_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &was, 1, 20), 1);
	assert_int_equal(pwrite(fd, &c, 1, 20), 1);
	assert_int_equal(tamisctl("log verify"), 1);
	assert_in("err", "00000001.jsonl: byte 0 (record 1): the record was changed");
	assert_int_equal(tamisctl("log verify --json"), 1);
	assert_in("out", "\"ok\":false");
	assert_int_equal(pwrite(fd, &was, 1, 20), 1);
	close(fd);
	assert_int_equal(tamisctl("log verify"), 0);
}

static void wrong_usage_exits_with_2(void **state)
{
	static const char *const lines[] = {
		"log",
		"log bogus",
		"log verify extra",
		"log verify --bogus",
		"log prove",
		"log prove x",
		"log prove 99999",
		"log export --format bogus",
		"log tail -n x",
		"log verify --key /none",
		"log prove --check /none",
		"log checkpoint --segment 99",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_free_ char *err = NULL;

		if (tamisctl(lines[i]) != 2)
			fail_msg("%s does not exit with 2", lines[i]);
		err = slurp("err");
		assert_true(strlen(err) > 10);
	}
}

static void help_goes_to_stdout(void **state)
{
	assert_int_equal(tamisctl("log --help"), 0);
	assert_in("out", "tamisctl log checkpoint");
	assert_true(count_lines("out") <= 24);
	assert_int_equal(tamisctl("log prove --help"), 0);
	assert_in("out", "--check FILE");
}

static void every_record_can_be_proved(void **state)
{
	char line[64], from[128], to[128];
	int seq;

	for (seq = 1; snprintf(line, sizeof(line), "log prove %d", seq), tamisctl(line) == 0; seq++) {
		snprintf(from, sizeof(from), "%s/out", state_dir);
		snprintf(to, sizeof(to), "%s/proof", state_dir);
		assert_int_equal(rename(from, to), 0);
		assert_int_equal(tamisctl("log prove --check proof"), 0);
		snprintf(line, sizeof(line), "\"seq\":%d,", seq);
		assert_in("out", line);
		assert_int_equal(tamisctl("log prove --check proof --json"), 0);
	}
	assert_true(seq > 12);
}

/* Each byte of a proof matters, except where JSON has several spellings. */
static void a_changed_proof_fails(void **state)
{
	char path[128], *text;
	int good = 0, n;
	FILE *f;

	assert_int_equal(tamisctl("log prove 3"), 0);
	text = slurp("out");
	snprintf(path, sizeof(path), "%s/changed", state_dir);
	n = (int)strlen(text);
	for (int i = 0; i < n; i += 3) {
		text[i] ^= 1;
		f = fopen(path, "w");
		fputs(text, f);
		fclose(f);
		good += tamisctl("log prove --check changed") == 0;
		text[i] ^= 1;
	}
	/* the names "kind" and "v" and their values say nothing that is checked */
	assert_true(good <= 12);
	free(text);
}

static void tail_and_export_print_records(void **state)
{
	int all;

	assert_int_equal(tamisctl("log export"), 0);
	all = count_lines("out");
	assert_true(all > 12);
	assert_int_equal(tamisctl("log export --format jsonl --from 3 --to 5"), 0);
	assert_int_equal(count_lines("out"), 3);
	assert_in("out", "\"seq\":3,");
	assert_int_equal(tamisctl("log tail"), 0);
	assert_int_equal(count_lines("out"), 10);
	assert_in("out", "\"kind\":\"stop\"");
	assert_int_equal(tamisctl("log tail -n 1"), 0);
	assert_int_equal(count_lines("out"), 1);
	assert_int_equal(tamisctl("log tail -n 100000"), 0);
	assert_int_equal(count_lines("out"), all);
}

/* The manual's line that begins with this; the caller frees. */
static char *manual_line(const char *beginning)
{
	char path[4200], line[1024];
	char *found = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/man/tamisctl-log.1", source_dir);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	while (!found && fgets(line, sizeof(line), f))
		if (!strncmp(line, beginning, strlen(beginning)))
			found = strndup(line + 2, strcspn(line, "\n") - 2);
	fclose(f);
	return found;
}

/* EVIDENCE-OF: tamisctl-log(1), "Let stock openssl check the newest checkpoint": its two lines, the path apart */
static void the_manuals_openssl_line_says_verified_ok(void **state)
{
	static const char where[] = "/var/lib/tamis";
	_cleanup_free_ char *write = manual_line("$ tamisctl log checkpoint"), *check = manual_line("$ openssl dgst");
	char command[2048], *path;

	if (!write || !check || system("openssl version >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(tamisctl(write + strlen("tamisctl ")), 0);
	path = strstr(check, where);
	assert_non_null(path);
	snprintf(command, sizeof(command), "cd %s && %.*s%s%s >verdict", state_dir, (int)(path - check), check,
		 state_dir, path + strlen(where));
	assert_int_equal(system(command), 0);
	assert_in("verdict", "Verified OK");
	/* and not whatever comes */
	snprintf(command, sizeof(command), "cd %s && echo >>newest.txt && %.*s%s%s >verdict 2>&1", state_dir,
		 (int)(path - check), check, state_dir, path + strlen(where));
	assert_int_not_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_log_verifies),
		cmocka_unit_test(a_bad_log_exits_with_1_and_the_place),
		cmocka_unit_test(wrong_usage_exits_with_2),
		cmocka_unit_test(help_goes_to_stdout),
		cmocka_unit_test(every_record_can_be_proved),
		cmocka_unit_test(a_changed_proof_fails),
		cmocka_unit_test(tail_and_export_print_records),
		cmocka_unit_test(the_manuals_openssl_line_says_verified_ok),
	};

	log_open("tamisctl", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("cmd_log", tests, make_log, remove_log);
}
