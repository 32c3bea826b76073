/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ipnet.h"

static void parse(const char *s, uint8_t ip[IPNET_BYTES])
{
	if (ipnet_parse(s, strlen(s), ip) < 0)
		fail_msg("%s is refused", s);
}

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "10.1.2.3/0", "0.0.0.0/0" },
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:db8::1/32", "2001:db8::/32" },
		{ "fe80::/10", "fe80::/10" },
		{ "::/0", "::/0" },
		{ "::1/128", "::1" },
		{ "fd00::1/127", "fd00::/127" },
		{ "::", "::" },
		{ "255.255.255.255", "255.255.255.255" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t ip[IPNET_BYTES], again[IPNET_BYTES];
		char text[IPNET_TEXT_MAX];

		parse(cases[i].in, ip);
		assert_int_equal(ipnet_text(ip, text), strlen(cases[i].out));
		assert_string_equal(text, cases[i].out);
		parse(text, again);
		assert_memory_equal(ip, again, IPNET_BYTES);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "",		 "1",
					   "1.2.3",	 "1.2.3.4.5",
					   "256.1.1.1",	 "1.2.3.4/33",
					   "1.2.3.4/",	 "1.2.3.4/-1",
					   "1.2.3.4/ 8", "1.2.3.4/0x8",
					   "/8",	 "::/129",
					   ":::",	 "1.2.3.4 ",
					   "01.2.3.4x",	 "fe80::1%eth0",
					   "::/0000",	 "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa" };
	uint8_t ip[IPNET_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ipnet_parse(bad[i], strlen(bad[i]), ip) != -EINVAL)
			fail_msg("\"%s\" is accepted", bad[i]);
	assert_int_equal(ipnet_from_bytes("12345", 5, ip), -EINVAL);
}

static void test_match(void **state)
{
	static const struct {
		const char *a, *b;
		bool matches;
	} cases[] = {
		{ "10.1.2.3", "10.0.0.0/8", true },
		{ "11.1.2.3", "10.0.0.0/8", false },
		{ "10.1.0.0/16", "10.0.0.0/8", true },
		{ "10.0.0.0/8", "0.0.0.0/0", true },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "192.0.2.1", "::/0", false },
		{ "2001:db8::1", "::/0", true },
		{ "2001:db8::1", "0.0.0.0/0", false },
		{ "2001:db8:8000::", "2001:db8::/33", false },
		{ "2001:db8:7fff::", "2001:db8::/33", true },
		{ "192.168.1.129", "192.168.1.128/25", true },
		{ "192.168.1.127", "192.168.1.128/25", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t a[IPNET_BYTES], b[IPNET_BYTES];

		parse(cases[i].a, a);
		parse(cases[i].b, b);
		if (ipnet_match(a, b) != cases[i].matches || ipnet_match(b, a) != cases[i].matches)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

static void test_public(void **state)
{
	static const char *const no[] = { "10.1.1.1",	     "172.31.0.1", "192.168.0.1", "127.0.0.1",
					  "169.254.169.254", "100.64.0.1", "0.0.0.0",	  "224.0.0.1",
					  "255.255.255.255", "192.0.2.7",  "::",	  "::1",
					  "fe80::1",	     "fd00::1",	   "ff02::1",	  "2001:db8::1" };
	static const char *const yes[] = { "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2::1" };
	uint8_t ip[IPNET_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		parse(no[i], ip);
		if (ipnet_is_public(ip))
			fail_msg("%s", no[i]);
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		parse(yes[i], ip);
		if (!ipnet_is_public(ip))
			fail_msg("%s", yes[i]);
	}
}

static void test_bytes(void **state)
{
	static const uint8_t v4[] = { 192, 0, 2, 1 };
	uint8_t a[IPNET_BYTES], b[IPNET_BYTES];

	(void)state;
	parse("192.0.2.1", a);
	assert_int_equal(ipnet_from_bytes(v4, sizeof(v4), b), 0);
	assert_memory_equal(a, b, IPNET_BYTES);
	assert_int_equal(ipnet_from_bytes(a, 16, b), 0);
	assert_memory_equal(a, b, IPNET_BYTES);
	assert_true(ipnet_is_v4(a));
	assert_false(ipnet_is_zero(a));
	parse("0.0.0.0", a);
	assert_true(ipnet_is_zero(a));
	parse("::/0", a);
	assert_true(ipnet_is_zero(a));
	assert_false(ipnet_is_v4(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),   cmocka_unit_test(test_refused), cmocka_unit_test(test_match),
		cmocka_unit_test(test_public), cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
