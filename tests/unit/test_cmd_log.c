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
#include "sensor/record/checkpoint.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char state_dir[64] = "/tmp/tamis-test-cmd-XXXXXX";
static char source_dir[4096];

/* In the state directory. */
static int open_log(const struct auditlog_options *o, struct auditlog **ret)
{
	struct err e = { "" };
	char dir[80], keys[80];

	snprintf(dir, sizeof(dir), "%s/log", state_dir);
	snprintf(keys, sizeof(keys), "%s/keys", state_dir);
	return auditlog_open(dir, keys, o, ret, &e);
}

static int make_log(void **unused)
{
	struct auditlog_options o = { .segment_bytes = 300, .start_details = "{\"version\":\"test\"}" };
	struct auditlog *log;
	struct err e = { "" };

	if (!getcwd(source_dir, sizeof(source_dir)) || !mkdtemp(state_dir) || open_log(&o, &log) < 0)
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

/* Gives the file of stdout another name. */
static int rename_out(const char *name)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/out", state_dir);
	snprintf(to, sizeof(to), "%s/%s", state_dir, name);
	return rename(from, to);
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
	assert_int_equal(json_integer_value(json_object_get(j, "epochs")),
			 json_integer_value(json_object_get(j, "segments")));
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
	char line[64];
	int seq;

	for (seq = 1; snprintf(line, sizeof(line), "log prove %d", seq), tamisctl(line) == 0; seq++) {
		assert_int_equal(rename_out("proof"), 0);
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

/* ---- proofs over epochs ---- */

static json_t *proof_of(int seq)
{
	_cleanup_free_ char *text = NULL;
	char line[64];

	snprintf(line, sizeof(line), "log prove %d", seq);
	assert_int_equal(tamisctl(line), 0);
	text = slurp("out");
	return json_loads(text, 0, NULL);
}

/* The exit status of checking this proof, which is freed. */
static int check_proof(json_t *proof)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proof", state_dir);
	assert_int_equal(json_dump_file(proof, path, 0), 0);
	json_decref(proof);
	return tamisctl("log prove --check proof");
}

static void a_proof_needs_its_links_whole_and_in_order(void **state)
{
	json_t *proof = proof_of(14), *links = json_object_get(proof, "epochs"), *other, *copy;
	size_t n = json_array_size(links);

	assert_true(n >= 3);
	assert_int_equal(check_proof(json_deep_copy(proof)), 0);
	for (size_t i = 0; i < n; i++) {
		copy = json_deep_copy(proof);
		json_array_remove(json_object_get(copy, "epochs"), i);
		assert_int_equal(check_proof(copy), 1);
	}
	copy = json_deep_copy(proof);
	json_object_del(copy, "epochs");
	assert_int_equal(check_proof(copy), 1);
	copy = json_deep_copy(proof);
	json_array_append(json_object_get(copy, "epochs"), json_array_get(json_object_get(copy, "epochs"), n - 1));
	assert_int_equal(check_proof(copy), 1);
	/* a record that is signed and proved, but names no key */
	other = proof_of(3);
	copy = json_deep_copy(proof);
	json_array_set_new(json_object_get(copy, "epochs"), 0, other);
	assert_int_equal(check_proof(copy), 1);
	assert_in("err", "is no `epoch` record");
	json_decref(proof);
}

/* Who has the present key signs a record of his own as one of the first segment. */
static void todays_key_proves_nothing_of_yesterday(void **state)
{
	static const struct {
		const char *record;
		uint64_t segment;
		int status;
	} cases[] = {
		{ "{\"host\":\"h\",\"kind\":\"loss\",\"loss\":{},\"seq\":3,\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}",
		  1, 1 },
		{ "{\"host\":\"h\",\"kind\":\"loss\",\"loss\":{},\"seq\":3,\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}",
		  99, 1 },
		{ "{\"host\":\"h\",\"kind\":\"loss\",\"loss\":{},\"seq\":99,\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}",
		  1, 1 },
		/* as of now he can */
		{ "{\"host\":\"h\",\"kind\":\"loss\",\"loss\":{},\"seq\":99,\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}",
		  99, 0 },
	};
	struct sig_key *key = NULL;
	char path[128];
	json_t *last;
	int seq = 3;

	snprintf(path, sizeof(path), "%s/keys/log.key.pem", state_dir);
	assert_int_equal(sig_load_private(path, &key, NULL), 0);
	for (char line[64]; snprintf(line, sizeof(line), "log prove %d", seq), tamisctl(line) == 0;)
		seq++;
	last = proof_of(seq - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct checkpoint c = { .name = "tamis/h",
					.segment = cases[i].segment,
					.size = 1,
					.seq = 3,
					.time = "2026-11-20T12:00:00.000000000Z" };
		json_t *proof = json_deep_copy(last);
		struct buf note;

		buf_init(&note, 4096);
		merkle_leaf(cases[i].record, strlen(cases[i].record), c.root);
		assert_int_equal(checkpoint_sign(&c, key, &note), 0);
		json_object_set_new(proof, "checkpoint", json_stringn((char *)note.data, note.len));
		json_object_set_new(proof, "record", json_string(cases[i].record));
		json_object_set_new(proof, "index", json_integer(0));
		json_object_set_new(proof, "hashes", json_array());
		assert_int_equal(check_proof(proof), cases[i].status);
		if (cases[i].status)
			assert_in("err", "signed by the key of a later epoch");
		buf_done(&note);
	}
	json_decref(last);
	sig_key_free(key);
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

/* EVIDENCE-OF: tamisctl-log(1), "Let stock openssl check the newest checkpoint": its two lines */
static void the_manuals_openssl_line_says_verified_ok(void **state)
{
	_cleanup_free_ char *write = manual_line("$ tamisctl log checkpoint"), *check = manual_line("$ openssl dgst");
	char command[2048];

	if (!write || !check || system("openssl version >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(tamisctl(write + strlen("tamisctl ")), 0);
	snprintf(command, sizeof(command), "cd %s && %s >verdict", state_dir, check);
	assert_int_equal(system(command), 0);
	assert_in("verdict", "Verified OK");
	/* and not whatever comes */
	snprintf(command, sizeof(command), "cd %s && echo >>newest.txt && %s >verdict 2>&1", state_dir, check);
	assert_int_not_equal(system(command), 0);
}

static void every_segments_checkpoint_has_its_key(void **state)
{
	_cleanup_free_ char *first = NULL, *pub = slurp("keys/log.pub.pem"), *second = NULL;
	char line[300];
	int number = 1;

	for (;
	     snprintf(line, sizeof(line), "log checkpoint --segment %d -o part%d", number, number), tamisctl(line) == 0;
	     number++) {
		if (system("openssl version >/dev/null 2>&1") != 0)
			continue;
		snprintf(line, sizeof(line),
			 "cd %s && openssl dgst -sha256 -verify part%d.pem -signature part%d.sig part%d.txt >verdict",
			 state_dir, number, number, number);
		assert_int_equal(system(line), 0);
	}
	assert_true(number > 4);
	first = slurp("part1.pem");
	second = slurp("part2.pem");
	assert_string_equal(first, pub);
	assert_string_not_equal(first, second);
	/* a key from which it does not follow */
	assert_int_equal(tamisctl("log checkpoint --segment 1 --key part2.pem -o bad"), 1);
	assert_in("err", "signed by another key");
}

/* Segments 1 and 2 are removed on purpose: what is left needs the key of segment 3. */
static void a_part_of_the_log_verifies_with_its_own_key(void **state)
{
	char line[300];

	snprintf(line, sizeof(line),
		 "cd %s && mkdir -p part/away && cp -r log keys part && mv part/log/0000000[12].* part/away",
		 state_dir);
	assert_int_equal(system(line), 0);
	strcat(state_dir, "/part");
	assert_int_equal(tamisctl("log verify"), 1);
	assert_int_equal(tamisctl("log verify --from-segment 3"), 1);
	assert_int_equal(tamisctl("log verify --from-segment 3 --key ../part3.pem"), 0);
	assert_int_equal(tamisctl("log prove 14"), 0);
	assert_int_equal(rename_out("proof"), 0);
	assert_int_equal(tamisctl("log prove --check proof"), 1);
	assert_int_equal(tamisctl("log prove --check proof --key ../part3.pem"), 0);
	*strrchr(state_dir, '/') = '\0';
}

/* A command of the shell in the state directory. */
static void shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && { %s; } >shell.out 2>&1", state_dir, command);
	if (system(line) != 0) {
		_cleanup_free_ char *said = slurp("shell.out");

		fail_msg("%s: %s", command, said);
	}
}

/* The other verifier, as the one in C: 0, or 1. */
static int log_verify(const char *args)
{
	char line[4500];

	snprintf(line, sizeof(line), "cd %s && %s/tools/log-verify %s >other 2>&1", state_dir, source_dir, args);
	return WEXITSTATUS(system(line));
}

static void host_of_the_log(char *ret, size_t size)
{
	char *slash;

	assert_int_equal(tamisctl("log checkpoint"), 0);
	_cleanup_free_ char *text = slurp("out");

	slash = strchr(text + 6, '/');
	snprintf(ret, size, "%.*s", (int)(slash - text - 6), text + 6);
}

#define CA(name)                                                                                                       \
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=" name                \
	"' -keyout " name ".key -out " name ".pem"

/* The log's first key is certified by a CA: its certificate is all that an auditor has to have. */
static void a_ca_certifies_the_root(void **state)
{
	char host[80], line[600];

	host_of_the_log(host, sizeof(host));
	assert_int_equal(tamisctl("log verify --root-ca ca.pem"), 2);
	/* the first epochs are over: the private key is no more, and the CA certifies the public one */
	assert_int_equal(tamisctl("log root request"), 2);
	assert_in("err", "-force_pubkey");
	shell(CA("ca"));
	shell(CA("other"));
	snprintf(
		line, sizeof(line),
		"openssl x509 -new -force_pubkey keys/log.pub.pem -subj /CN=%s -days 2 -CA ca.pem -CAkey ca.key -out cert.pem",
		host);
	shell(line);
	assert_int_equal(tamisctl("log root install keys/log.pub.pem"), 2);
	assert_int_equal(tamisctl("log root install ca.pem"), 2);
	assert_in("err", "of another key");
	assert_int_equal(tamisctl("log root install cert.pem"), 0);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem"), 0);
	assert_in("err", "its root is certified: the log of ");
	assert_int_equal(log_verify("--root-ca ca.pem log keys/log.root"), 0);
	assert_int_equal(tamisctl("log verify --root-ca other.pem"), 1);
	assert_in("err", "not one of this CA's");
	assert_int_equal(log_verify("--root-ca other.pem log keys/log.root"), 1);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root ca.pem"), 1);
	assert_int_equal(tamisctl("log verify --root-key keys/log.pub.pem"), 1);
	assert_in("err", "but has a certificate");
	/* the root's own key is not asked any more */
	shell("mv keys/log.pub.pem away");
	assert_int_equal(tamisctl("log verify --root-ca ca.pem"), 0);
	assert_int_equal(tamisctl("log prove 14"), 0);
	assert_int_equal(rename_out("proof"), 0);
	shell("mv away keys/log.pub.pem");
	/* a proof has it with it */
	shell("mv keys/log.root root.away");
	assert_int_equal(tamisctl("log prove --check proof --root-ca ca.pem"), 0);
	assert_int_equal(tamisctl("log prove --check proof --root-ca other.pem"), 1);
	assert_int_equal(tamisctl("log prove --check proof --root-ca other.pem --root ca.pem"), 1);
	assert_int_equal(tamisctl("log prove 14"), 0);
	assert_int_equal(rename_out("proof"), 0);
	assert_int_equal(tamisctl("log prove --check proof --root-ca ca.pem"), 1);
	assert_in("err", "carries no root");
	/* one that has expired; one of another host; one for other uses; one in between */
	snprintf(
		line, sizeof(line),
		"openssl x509 -new -force_pubkey keys/log.pub.pem -subj /CN=%s -days -1 -CA ca.pem -CAkey ca.key -out old.pem",
		host);
	shell(line);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root old.pem"), 1);
	assert_in("err", "expired");
	shell("openssl x509 -new -force_pubkey keys/log.pub.pem -subj /CN=db-7 -days 2 -CA ca.pem -CAkey ca.key -out db.pem");
	assert_int_equal(tamisctl("log root install db.pem"), 2);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root db.pem"), 1);
	assert_in("err", "another host than the root is certified for");
	assert_int_equal(log_verify("--root-ca ca.pem log db.pem"), 1);
	shell("printf 'keyUsage=keyAgreement\n' >ku && openssl x509 -new -force_pubkey keys/log.pub.pem -subj /CN=x -days 2 "
	      "-CA ca.pem -CAkey ca.key -extfile ku -out ku.pem");
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root ku.pem"), 1);
	assert_in("err", "digitalSignature");
	shell("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=between -keyout mid.key -out mid.csr && "
	      "printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >ext && "
	      "openssl x509 -req -in mid.csr -days 2 -CA ca.pem -CAkey ca.key -extfile ext -out mid.pem");
	snprintf(
		line, sizeof(line),
		"openssl x509 -new -force_pubkey keys/log.pub.pem -subj /CN=%s -days 2 -CA mid.pem -CAkey mid.key -out low.pem && "
		"cat low.pem mid.pem >chain.pem",
		host);
	shell(line);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root low.pem"), 1);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem --root chain.pem"), 0);
	assert_int_equal(log_verify("--root-ca ca.pem log chain.pem"), 0);
}

/* In its first epoch a log can ask for a certificate. */
static void the_first_key_signs_a_request(void **state)
{
	char host[80], line[600];
	struct auditlog *log;
	struct err e;

	host_of_the_log(host, sizeof(host));
	strcat(state_dir, "/first");
	assert_int_equal(mkdir(state_dir, 0700), 0);
	assert_int_equal(open_log(NULL, &log), 0);
	assert_int_equal(tamisctl("log root request"), 0);
	assert_int_equal(rename_out("csr"), 0);
	shell("openssl req -in csr -noout -verify && openssl req -in csr -noout -text | grep 'Digital Signature'");
	snprintf(line, sizeof(line), "openssl req -in csr -noout -subject | grep %s", host);
	shell(line);
	shell("openssl x509 -req -in csr -days 2 -CA ../ca.pem -CAkey ../ca.key -copy_extensions copy -out cert.pem");
	assert_int_equal(tamisctl("log root install cert.pem"), 0);
	assert_int_equal(tamisctl("log verify --root-ca ../ca.pem"), 0);
	auditlog_close(log, &e);
	assert_int_equal(log_verify("--root-ca ../ca.pem log keys/log.root"), 0);
	*strrchr(state_dir, '/') = '\0';
}

/* Or by a key that is kept offline. */
static void an_offline_key_certifies_the_root(void **state)
{
	char host[80], line[600];

	host_of_the_log(host, sizeof(host));
	shell("openssl ecparam -name prime256v1 -genkey -noout -out offline.pem && "
	      "openssl ec -in offline.pem -pubout -out offline.pub.pem && cp keys/log.pub.pem their.pem");
	assert_int_equal(tamisctl("log root sign --key offline.pem their.pem"), 2);
	snprintf(line, sizeof(line), "log root sign --key offline.pem --host %s --name fleet their.pem", host);
	assert_int_equal(tamisctl(line), 0);
	assert_int_equal(rename_out("note"), 0);
	assert_in("note", "/root\n");
	assert_int_equal(tamisctl("log root install note"), 0);
	assert_int_equal(tamisctl("log verify --root-key offline.pub.pem"), 0);
	assert_int_equal(log_verify("--root-key offline.pub.pem log keys/log.root"), 0);
	assert_int_equal(tamisctl("log verify --root-key their.pem"), 1);
	assert_in("err", "not signed by the key");
	assert_int_equal(log_verify("--root-key their.pem log keys/log.root"), 1);
	assert_int_equal(tamisctl("log verify --root-ca ca.pem"), 1);
	assert_int_equal(tamisctl("log prove 3"), 0);
	assert_int_equal(rename_out("proof"), 0);
	assert_int_equal(tamisctl("log prove --check proof --root-key offline.pub.pem"), 0);
	assert_int_equal(tamisctl("log prove --check proof --root-key their.pem"), 1);
	/* as the manual has it for openssl */
	shell("head -n 2 note >t && tail -n 1 note | cut -d' ' -f3 | base64 -d | tail -c +5 >s && "
	      "openssl dgst -sha256 -verify offline.pub.pem -signature s t");
	/* any byte that is changed */
	for (int i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "sed '%ds/[a-z]/x/2' note >changed", i == 2 ? 4 : i + 1);
		shell(line);
		assert_int_equal(tamisctl("log verify --root-key offline.pub.pem --root changed"), i == 2 ? 0 : 1);
	}
	assert_int_equal(tamisctl("log root sign --key offline.pem --host other their.pem"), 0);
	assert_int_equal(rename_out("theirs"), 0);
	assert_int_equal(tamisctl("log root install theirs"), 2);
	assert_int_equal(tamisctl("log verify --root-key offline.pub.pem --root theirs"), 1);
	assert_int_equal(log_verify("--root-key offline.pub.pem log theirs"), 1);
	shell("rm keys/log.root");
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
		cmocka_unit_test(a_proof_needs_its_links_whole_and_in_order),
		cmocka_unit_test(todays_key_proves_nothing_of_yesterday),
		cmocka_unit_test(every_segments_checkpoint_has_its_key),
		cmocka_unit_test(a_part_of_the_log_verifies_with_its_own_key),
		cmocka_unit_test(tail_and_export_print_records),
		cmocka_unit_test(the_manuals_openssl_line_says_verified_ok),
		cmocka_unit_test(a_ca_certifies_the_root),
		cmocka_unit_test(the_first_key_signs_a_request),
		cmocka_unit_test(an_offline_key_certifies_the_root),
	};

	log_open("tamisctl", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("cmd_log", tests, make_log, remove_log);
}
