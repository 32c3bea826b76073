/* SPDX-License-Identifier: Apache-2.0 */
/* Names of addresses: what an answer says, how long it is believed, and that the table stays within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns.h"
#include "sensor/enrich/hostnames.h"

#define SECOND 1000000000ull
#define HOUR   (3600 * SECOND)

struct message {
	uint8_t b[1024];
	size_t len;
};

static void put(struct message *m, const void *bytes, size_t n)
{
	memcpy(m->b + m->len, bytes, n);
	m->len += n;
}
static void put16(struct message *m, unsigned int v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(m, b, 2);
}

/* @name in labels of one byte's length before each, as it goes over the wire: "\3www\7example". */
static struct message answer_to(const char *name)
{
	struct message m = { .len = 0 };

	put16(&m, 0x1234);
	put16(&m, 0x8180);
	put16(&m, 1);
	put16(&m, 0);
	put16(&m, 0);
	put16(&m, 0);
	put(&m, name, strlen(name) + 1);
	put16(&m, 1);
	put16(&m, 1);
	return m;
}

static void add_record(struct message *m, unsigned int type, unsigned int seconds, const void *data, unsigned int size)
{
	put16(m, 0xc00c); /* the question's name */
	put16(m, type);
	put16(m, 1);
	put16(m, seconds >> 16);
	put16(m, seconds & 0xffff);
	put16(m, size);
	put(m, data, size);
	m->b[7]++;
}

static void ip4(uint8_t ip[16], uint32_t v)
{
	const uint8_t b[16] = { [10] = 0xff,	    [11] = 0xff,       (uint8_t)(v >> 24),
				(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	memcpy(ip, b, 16);
}

static void add_ip4(struct message *m, uint32_t v, unsigned int seconds)
{
	uint8_t ip[16];

	ip4(ip, v);
	add_record(m, 1, seconds, ip + 12, 4);
}

/* The names of an address, with spaces between them. */
static const char *names_of(const struct hostnames_table *t, const uint8_t ip[16], uint64_t now)
{
	static char text[4096];
	struct val v[HOSTNAMES_AN_ADDRESS];
	uint32_t n = hostnames_of(t, ip, now, v);
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s", i ? " " : "", (int)v[i].len, v[i].s);
	return text;
}
static const char *names_of4(const struct hostnames_table *t, uint32_t v, uint64_t now)
{
	uint8_t ip[16];

	ip4(ip, v);
	return names_of(t, ip, now);
}

static void both_families_and_a_chain(void **state)
{
	static const uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };
	struct message m = answer_to("\3www\7example");
	struct hostnames_table t = { NULL };

	(void)state;
	assert_string_equal(names_of4(&t, 1, 1), "");
	add_record(&m, 5, 60, "\3cdn\3net", 9); /* CNAME: the name stays the one that was asked for */
	add_ip4(&m, 0x7f000005, 60);
	add_record(&m, 28, 60, six, 16);
	hostnames_learn(&t, m.b, m.len, SECOND);
	assert_string_equal(names_of4(&t, 0x7f000005, 2 * SECOND), "www.example");
	assert_string_equal(names_of(&t, six, 2 * SECOND), "www.example");
	assert_string_equal(names_of4(&t, 0x7f000006, 2 * SECOND), "");
	hostnames_done(&t);
}

static void latest_first_and_not_for_ever(void **state)
{
	struct message a = answer_to("\1a"), b = answer_to("\1b");
	struct hostnames_table t = { NULL };

	(void)state;
	add_ip4(&a, 5, 10);
	add_ip4(&b, 5, 7 * 24 * 3600);
	hostnames_learn(&t, a.b, a.len, SECOND);
	hostnames_learn(&t, b.b, b.len, 2 * SECOND);
	assert_string_equal(names_of4(&t, 5, 3 * SECOND), "b a");
	hostnames_learn(&t, a.b, a.len, 4 * SECOND);
	assert_string_equal(names_of4(&t, 5, 5 * SECOND), "a b");
	assert_string_equal(names_of4(&t, 5, HOUR + 5 * SECOND), "b");
	assert_string_equal(names_of4(&t, 5, 24 * HOUR + 3 * SECOND), "");
	hostnames_done(&t);
}

static void bounded(void **state)
{
	struct hostnames_table t = { NULL };
	char name[] = "\3n00";

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct message m;

		name[2] = (char)('0' + i / 10);
		name[3] = (char)('0' + i % 10);
		m = answer_to(name);
		add_ip4(&m, 5, 60);
		hostnames_learn(&t, m.b, m.len, SECOND + i);
	}
	assert_string_equal(names_of4(&t, 5, 2 * SECOND), "n99 n98 n97 n96 n95 n94 n93 n92");
	for (uint32_t i = 0; i < 100000; i++) {
		struct message m = answer_to("\1x");

		add_ip4(&m, i, 60);
		hostnames_learn(&t, m.b, m.len, 2 * SECOND + i);
	}
	assert_string_equal(names_of4(&t, 99999, 3 * SECOND), "x");
	hostnames_done(&t);
}

static void count(void *ctx, const uint8_t ip[16], uint32_t seconds)
{
	(void)ip;
	*(unsigned int *)ctx += seconds == 60;
}

/* What is no answer, or goes wrong on the way, at every length. */
static void nothing_of_what_is_no_answer(void **state)
{
	struct message m = answer_to("\3www\7example"), bad;
	unsigned int n = 0;

	(void)state;
	add_ip4(&m, 1, 60);
	add_ip4(&m, 2, 60);
	assert_int_equal(dns_answer_addresses(m.b, m.len, count, &n), 2);
	assert_int_equal(n, 2);
	for (size_t len = 0; len < m.len; len++) {
		uint8_t *copy = malloc(len ? len : 1); /* so that a look beyond it is seen */

		memcpy(copy, m.b, len);
		assert_int_equal(dns_answer_addresses(copy, len, count, &n), len < m.len - 16 ? 0 : 1);
		free(copy);
	}
	bad = m;
	bad.b[2] &= 0x7f; /* a question */
	assert_int_equal(dns_answer_addresses(bad.b, bad.len, count, &n), 0);
	bad = m;
	bad.b[3] |= 3; /* no such name */
	assert_int_equal(dns_answer_addresses(bad.b, bad.len, count, &n), 0);
	bad = m;
	bad.b[5] = 2; /* two questions */
	assert_int_equal(dns_answer_addresses(bad.b, bad.len, count, &n), 0);
	bad = m;
	bad.b[7] = 200; /* more records than there are */
	assert_int_equal(dns_answer_addresses(bad.b, bad.len, count, &n), 2);
	bad = answer_to("\3www\7example");
	add_record(&bad, 1, 60, "123", 3);
	assert_int_equal(dns_answer_addresses(bad.b, bad.len, count, &n), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_and_a_chain),
		cmocka_unit_test(latest_first_and_not_for_ever),
		cmocka_unit_test(bounded),
		cmocka_unit_test(nothing_of_what_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
