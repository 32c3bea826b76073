/* SPDX-License-Identifier: Apache-2.0 */
/* What records bring as bytes: packet filters, DNS messages, HTTP of metadata services. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cbpf.h"
#include "lib/dns.h"
#include "lib/hash.h"
#include "lib/imds.h"
#include "sensor/enrich/bytes.h"

#define S(code, k)	   BPF_STMT(code, k)
#define J(code, k, jt, jf) BPF_JUMP(BPF_JMP | (code), k, jt, jf)

static void insn_texts(void **state)
{
	static const struct {
		struct sock_filter f;
		const char *text;
	} cases[] = {
		{ S(BPF_LD | BPF_W | BPF_ABS, 26), "ld [26]" },
		{ S(BPF_LD | BPF_H | BPF_ABS, 12), "ldh [12]" },
		{ S(BPF_LD | BPF_B | BPF_IND, 4), "ldb [x + 4]" },
		{ S(BPF_LD | BPF_IMM, 7), "ld #7" },
		{ S(BPF_LDX | BPF_IMM, 7), "ldx #7" },
		{ S(BPF_LD | BPF_W | BPF_LEN, 0), "ld #len" },
		{ S(BPF_LDX | BPF_W | BPF_LEN, 0), "ldx #len" },
		{ S(BPF_LD | BPF_MEM, 3), "ld M[3]" },
		{ S(BPF_LDX | BPF_MEM, 3), "ldx M[3]" },
		{ S(BPF_LDX | BPF_B | BPF_MSH, 14), "ldxb 4*([14]&0xf)" },
		{ S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), "ld #proto" },
		{ S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 1), "ld [4294963201]" },
		{ S(BPF_ST, 1), "st M[1]" },
		{ S(BPF_STX, 1), "stx M[1]" },
		{ S(BPF_ALU | BPF_AND | BPF_K, 0x1fff), "and #8191" },
		{ S(BPF_ALU | BPF_ADD | BPF_X, 0), "add x" },
		{ S(BPF_ALU | BPF_NEG, 0), "neg" },
		{ J(BPF_JA, 5, 0, 0), "ja 5" },
		{ J(BPF_JEQ | BPF_K, 6, 2, 3), "jeq #6,2,3" },
		{ J(BPF_JEQ | BPF_K, 6, 2, 0), "jeq #6,2" },
		{ J(BPF_JEQ | BPF_K, 6, 0, 3), "jneq #6,3" },
		{ J(BPF_JGT | BPF_X, 0, 0, 3), "jle x,3" },
		{ J(BPF_JGE | BPF_K, 9, 0, 3), "jlt #9,3" },
		{ J(BPF_JSET | BPF_K, 1, 0, 3), "jset #1,0,3" },
		{ S(BPF_RET | BPF_K, 65535), "ret #65535" },
		{ S(BPF_RET | BPF_A, 0), "ret a" },
		{ S(BPF_MISC | BPF_TAX, 0), "tax" },
		{ S(BPF_MISC | BPF_TXA, 0), "txa" },
		{ S(BPF_ALU | 0xb0, 1), ".word 180,0,0,1" },
		{ { 0xffff, 255, 255, 0xffffffff }, "txa" },
		{ { 0xffe0, 255, 255, 0xffffffff }, ".word 65504,255,255,4294967295" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[CBPF_TEXT_INSN + 1];
		size_t n = cbpf_text(&cases[i].f, CBPF_INSN, out, CBPF_TEXT_INSN);

		out[n] = '\0';
		assert_string_equal(out, cases[i].text);
	}
}

static void every_instruction_has_a_text_that_fits(void **state)
{
	char out[CBPF_TEXT_INSN];

	for (uint32_t code = 0; code < 0x10000; code++) {
		struct sock_filter f = { (uint16_t)code, 255, 255, 0xffffffff };

		assert_true(cbpf_text(&f, sizeof(f), out, sizeof(out)) > 0);
	}
}

static void text_that_does_not_fit_is_cut_between_lines(void **state)
{
	struct sock_filter f[3] = { S(BPF_RET | BPF_K, 1), S(BPF_RET | BPF_K, 2), S(BPF_RET | BPF_K, 3) };
	char out[16];

	assert_int_equal(cbpf_text(f, sizeof(f), out, 14), 13);
	assert_memory_equal(out, "ret #1\nret #2", 13);
	/* a part of an instruction is none */
	assert_int_equal(cbpf_text(f, 2 * CBPF_INSN - 1, out, sizeof(out)), 6);
	assert_int_equal(cbpf_text(f, 0, out, sizeof(out)), 0);
}

static struct sock_filter door[] = {
	S(BPF_LD | BPF_H | BPF_ABS, 12),
	J(BPF_JEQ | BPF_K, 0x5293, 0, 1),
	S(BPF_RET | BPF_K, 0xffff),
	S(BPF_RET | BPF_K, 0),
};

static void a_filter_becomes_its_values(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };
	struct val *v = ev.v;

	v[SLOT_SETSOCKOPT_FILTER_TEXT] = (struct val){ .s = (const char *)door, .len = sizeof(door) };
	bytes_expand(&b, &ev);
	assert_int_equal(v[SLOT_SETSOCKOPT_FILTER_TEXT].len, strlen("ldh [12]\njneq #21139,1\nret #65535\nret #0"));
	assert_memory_equal(v[SLOT_SETSOCKOPT_FILTER_TEXT].s, "ldh [12]\njneq #21139,1\nret #65535\nret #0",
			    v[SLOT_SETSOCKOPT_FILTER_TEXT].len);
	assert_int_equal(v[SLOT_SETSOCKOPT_IMMEDIATES].len, 1);
	assert_int_equal(v[SLOT_SETSOCKOPT_IMMEDIATES].arr[0].num, 0x5293);
	/* sha256sum of the 32 bytes */
	assert_int_equal(v[SLOT_SETSOCKOPT_FILTER_HASH].len, 64);
	assert_memory_equal(v[SLOT_SETSOCKOPT_FILTER_HASH].s,
			    "6ab98d20823645e177169b98276d6fbc36406eb7a0b502be18b90bb5e9a3ecea", 64);
}

static void a_part_of_a_filter_has_no_hash(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };

	ev.v[SLOT_SETSOCKOPT_FILTER_TEXT] = (struct val){ .s = (const char *)door, .len = sizeof(door) };
	ev.v[SLOT_SETSOCKOPT_FILTER_TRUNCATED].num = 1;
	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_HASH].len, 0);
	assert_int_not_equal(ev.v[SLOT_SETSOCKOPT_FILTER_TEXT].len, 0);
}

static void an_option_without_a_filter_stays_without(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };

	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_HASH].len, 0);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_TEXT].len, 0);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_IMMEDIATES].len, 0);
}

/* ---- DNS ---- */

#define HEAD "\x12\x34\x01\0\0\1\0\0\0\0\0\0"
#define L62  "01234567890123456789012345678901234567890123456789012345678901"
#define L63  L62 "x"
#define L61  "0123456789012345678901234567890123456789012345678901234567890"

/* The name of a message of literal bytes, or "-" where there is none. */
static void name_is(const char *m, size_t len, const char *want)
{
	char out[DNS_NAME_TEXT + 1];
	/* of its very size, so that a byte too far is found */
	char *copy = malloc(len ? len : 1);
	size_t n = 0;

	assert_non_null(copy);
	memcpy(copy, m, len);
	if (dns_question_name(copy, len, out, &n) < 0)
		out[n++] = '-';
	out[n] = '\0';
	assert_string_equal(out, want);
	free(copy);
}
#define NAME_IS(m, want) name_is(m, sizeof(m) - 1, want)

static void names_of_questions(void **state)
{
	NAME_IS(HEAD "\1Q\7example\0\0\1\0\1", "Q.example");
	NAME_IS(HEAD "\0\0\2\0\1", ".");
	NAME_IS(HEAD "\3a.b\1c\0", "a\\.b.c");
	NAME_IS(HEAD "\5\\ \0\xff_\0", "\\\\\\032\\000\\255_");
	NAME_IS(HEAD "\x3f" L63 "\0", L63);
	NAME_IS(HEAD "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0", L63 "." L63 "." L63 "." L61);
}

static void names_that_are_none(void **state)
{
	NAME_IS("", "-");
	NAME_IS("\x12\x34\x01\0\0\1\0\0\0\0\0", "-");
	NAME_IS(HEAD, "-");
	NAME_IS(HEAD "\1", "-");
	NAME_IS(HEAD "\1a", "-");
	NAME_IS(HEAD "\5abc\0", "-");
	NAME_IS(HEAD "\xc0\x0c\0\1\0\1", "-"); /* points at itself */
	NAME_IS(HEAD "\1a\xc0\x0c", "-");
	NAME_IS(HEAD "\x40" L63 "y\0", "-");
	/* 256 bytes */
	NAME_IS(HEAD "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e" L62 "\0", "-");
	/* no question at all */
	NAME_IS("\x12\x34\x81\x85\0\0\0\0\0\0\0\0\1a\0", "-");
}

static void the_longest_name_fits(void **state)
{
	char m[12 + 255] = HEAD, out[DNS_NAME_TEXT];
	size_t n = 12, text;

	m[5] = 1;
	for (int i = 0; i < 127; i++, n += 2)
		m[n] = 1; /* labels of one zero byte: \000 */
	assert_int_equal(dns_question_name(m, sizeof(m), out, &text), 0);
	assert_int_equal(text, 127 * 4 + 126);
}

static struct val bytes_of(const char *s, size_t n)
{
	return (struct val){ .s = s, .len = (uint32_t)n };
}

static void a_message_becomes_its_name(void **state)
{
	static struct bytes b;
	static const char m[] = HEAD "\1Q\7example\0\0\1\0\1", bad[] = HEAD "\xc0\x0c";
	struct event ev = { .type = EV_DNS };

	ev.v[SLOT_DNS_NAME] = bytes_of(m, sizeof(m) - 1);
	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_DNS_NAME].len, 9);
	assert_memory_equal(ev.v[SLOT_DNS_NAME].s, "Q.example", 9);
	ev.v[SLOT_DNS_NAME] = bytes_of(bad, sizeof(bad) - 1);
	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_DNS_NAME].len, 0);
}

/* ---- metadata services ---- */

static void is(struct val v, const char *want)
{
	if (v.len != strlen(want) || (v.len && memcmp(v.s, want, v.len) != 0))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)v.len, v.s, want);
}

static struct imds parse(const char *text)
{
	struct imds m;

	imds_parse(text, strlen(text), &m);
	return m;
}

static void requests(void **state)
{
	static const struct {
		const char *text, *url, *host, *agent, *cloud;
		bool v2;
	} cases[] = {
		{ "GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: curl/8.1\r\n\r\n",
		  "/latest/meta-data/", "169.254.169.254", "curl/8.1", "aws", false },
		{ "GET /x HTTP/1.0\nX-AWS-EC2-Metadata-Token: secret\n\n", "/x", "", "", "aws", true },
		{ "PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 9\r\n\r\n",
		  "/latest/api/token", "", "", "aws", true },
		{ "GET /computeMetadata/v1/ HTTP/1.1\r\nMetadata-Flavor: Google\r\n\r\n", "/computeMetadata/v1/", "",
		  "", "gcp", false },
		{ "GET /instance_identity/v1/token HTTP/1.1\r\nMetadata-Flavor: ibm\r\n\r\n",
		  "/instance_identity/v1/token", "", "", "ibm", false },
		{ "GET /metadata/instance?api-version=1 HTTP/1.1\r\nMetadata:true\r\n\r\n",
		  "/metadata/instance?api-version=1", "", "", "azure", false },
		{ "GET /opc/v2/ HTTP/1.1\r\nAuthorization: Bearer Oracle\r\n\r\n", "/opc/v2/", "", "", "oracle",
		  false },
		{ "GET /anything HTTP/1.1\r\n\r\n", "/anything", "", "", "", false },
		/* cut */
		{ "GET /latest/me", "/latest/me", "", "", "aws", false },
		{ "GET /a HTTP/1.1\r\nHost: 1", "/a", "", "", "", false },
		/* none */
		{ "", "", "", "", "", false },
		{ "hello there", "", "", "", "", false },
		{ "GET", "", "", "", "", false },
		{ "\r\n\r\n", "", "", "", "", false },
		{ "GET  HTTP/1.1\r\nHost: a\r\n\r\n", "", "", "", "", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imds m = parse(cases[i].text);

		assert_false(m.response);
		is(m.url, cases[i].url);
		is(m.host, cases[i].host);
		is(m.agent, cases[i].agent);
		is(m.cloud, cases[i].cloud);
		assert_int_equal(m.aws_v2, cases[i].v2);
	}
}

static void responses(void **state)
{
	static const struct {
		const char *text, *server, *cloud, *credentials;
		bool v2;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\n{\"Code\" : \"Success\", \"Type\" : \"AWS-HMAC\", \"AccessKeyId\" : \"A\"}",
		  "EC2ws", "aws", "AWS-HMAC", false },
		{ "HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n\r\ntoken", "", "aws", "", true },
		{ "HTTP/1.1 200 OK\r\nServer: Metadata Server for VM\r\n\r\n", "Metadata Server for VM", "gcp", "",
		  false },
		{ "HTTP/1.1 404 Not Found\r\nServer: Microsoft-IIS/10.0\r\n\r\n", "Microsoft-IIS/10.0", "azure", "",
		  false },
		{ "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{\"Type\":\"", "x", "", "", false },
		{ "HTTP/1.1 200 OK\r\n\r\n{\"Type\":", "", "", "", false },
		{ "HTTP/1.1 200 OK\r\n\r\n{\"Type\": 5, \"a\": \"b\"}", "", "", "", false },
		{ "HTTP/", "", "", "", false },
		{ "HTTP/1.1 200 OK\r\nServer", "", "", "", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct imds m = parse(cases[i].text);

		assert_true(m.response);
		is(m.server, cases[i].server);
		is(m.cloud, cases[i].cloud);
		is(m.credentials, cases[i].credentials);
		assert_int_equal(m.aws_v2, cases[i].v2);
	}
}

/* Keys and tokens are in the bytes, and in no value of the event. */
static void secrets_stay_out_of_the_event(void **state)
{
	static const char *const texts[] = {
		"GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token: hunter2\r\nCookie: hunter2\r\n\r\nhunter2",
		"HTTP/1.1 200 OK\r\nSet-Cookie: hunter2\r\n\r\n{\"Type\" : \"AWS-HMAC\", \"SecretAccessKey\" : \"hunter2\"}",
	};
	static struct bytes b;

	for (size_t i = 0; i < 2; i++) {
		struct event ev = { .type = EV_IMDS };

		ev.v[SLOT_IMDS_URL] = bytes_of(texts[i], strlen(texts[i]));
		bytes_expand(&b, &ev);
		is(ev.v[SLOT_IMDS_TYPE], i ? "response" : "request");
		for (unsigned k = SLOT_IMDS_AWS_V2; k < SLOT_IMDS_COUNT; k++)
			if (k != SLOT_IMDS_AWS_V2 && ev.v[k].len)
				assert_null(memmem(ev.v[k].s, ev.v[k].len, "hunter2", 7));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(insn_texts),
		cmocka_unit_test(every_instruction_has_a_text_that_fits),
		cmocka_unit_test(text_that_does_not_fit_is_cut_between_lines),
		cmocka_unit_test(a_filter_becomes_its_values),
		cmocka_unit_test(a_part_of_a_filter_has_no_hash),
		cmocka_unit_test(an_option_without_a_filter_stays_without),
		cmocka_unit_test(names_of_questions),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(a_message_becomes_its_name),
		cmocka_unit_test(requests),
		cmocka_unit_test(responses),
		cmocka_unit_test(secrets_stay_out_of_the_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
