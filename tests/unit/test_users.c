/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor/enrich/users.h"

static char dir[] = "/tmp/tamis-users-XXXXXX";

/* A new file in place of the old one, as the tools of passwd(5) write it. */
static void put(const char *name, const char *text)
{
	char path[64], fresh[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s/%s.new", dir, name);
	f = fopen(fresh, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(fresh, path), 0);
}

static void drop(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	drop("passwd");
	drop("group");
	return rmdir(dir);
}

static const char *user(const struct users *u, int64_t id)
{
	uint32_t len;
	const char *name = users_user(u, id, &len);

	assert_int_equal(len, strlen(name));
	return name;
}

static const char *group(const struct users *u, int64_t id)
{
	uint32_t len;
	const char *name = users_group(u, id, &len);

	assert_int_equal(len, strlen(name));
	return name;
}

static void names_of_ids(void **state)
{
	struct users_stats s;
	struct users *u;

	(void)state;
	put("passwd", "root:x:0:0:root:/root:/bin/sh\n"
		      "toor:x:0:0:second line of the same id:/root:/bin/sh\n"
		      "# a comment\n"
		      "+@netgroup::::::\n"
		      "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
		      "broken\n"
		      ":x:5:5:::\n"
		      "noid:x::5:::\n"
		      "big:x:4294967296:5:::\n"
		      "word:x:12a:5:::\n"
		      "max:x:4294967295:5:::\n"
		      "last:x:7");
	put("group", "root:x:0:\nadm:x:4:syslog,user\n");
	assert_int_equal(users_new(dir, &u), 0);
	assert_string_equal(user(u, 0), "root");
	assert_string_equal(user(u, 33), "www-data");
	assert_string_equal(user(u, 7), "last");
	assert_string_equal(user(u, 4294967295), "max");
	assert_string_equal(user(u, 5), "");
	assert_string_equal(user(u, -1), "");
	assert_string_equal(user(u, 1ll << 40), "");
	assert_string_equal(group(u, 4), "adm");
	assert_string_equal(group(u, 33), "");
	users_stats(u, &s);
	assert_int_equal(s.users, 4);
	assert_int_equal(s.groups, 2);
	assert_int_equal(s.dropped, 5);
	assert_int_equal(s.reloads, 0);
	users_free(u);
}

static void a_changed_file(void **state)
{
	const char *root, *bob;
	struct users_stats s;
	struct users *u;

	(void)state;
	put("passwd", "root:x:0:0:::\nbob:x:1000:1000:::\n");
	drop("group");
	assert_int_equal(users_new(dir, &u), 0);
	root = user(u, 0);
	bob = user(u, 1000);
	assert_int_equal(users_refresh(u), 0);

	put("passwd", "root:x:0:0:::\nrobert:x:1000:1000:::\neve:x:1001:1001:::\n");
	put("group", "eve:x:1001:\n");
	assert_int_equal(users_refresh(u), 1);
	assert_ptr_equal(user(u, 0), root);
	assert_string_equal(user(u, 1000), "robert");
	assert_string_equal(user(u, 1001), "eve");
	assert_string_equal(group(u, 1001), "eve");
	assert_string_equal(bob, "bob"); /* still there for whoever has it */
	assert_int_equal(users_refresh(u), 0);

	drop("passwd"); /* what was known stays */
	assert_int_equal(users_refresh(u), 0);
	assert_string_equal(user(u, 1001), "eve");
	users_stats(u, &s);
	assert_int_equal(s.reloads, 2);
	assert_int_equal(s.failures, 1);
	users_free(u);
}

static void bounds(void **state)
{
	struct users_stats s;
	struct users *u;
	char *text = malloc(32 * 100000), *p = text;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 100000; i++)
		p += sprintf(p, "user%d:x:%d:0:::\n", i, i);
	put("passwd", text);
	assert_int_equal(users_new(dir, &u), 0);
	users_stats(u, &s);
	assert_int_equal(s.users, USERS_MAX);
	assert_int_equal(s.dropped, 100000 - USERS_MAX);
	assert_string_equal(user(u, 65535), "user65535");
	users_free(u);

	/* names that change for ever come to an end, the table goes on */
	assert_int_equal(users_new(dir, &u), 0);
	for (int round = 0; round < 40; round++) {
		p = text;
		for (int i = 0; i < 50000; i++)
			p += sprintf(p, "r%d_%d:x:%d:0:::\n", round, i, i);
		put("passwd", text);
		assert_int_equal(users_refresh(u), 1);
	}
	users_stats(u, &s);
	assert_true(s.dropped > 50000);
	users_free(u);
	free(text);
}

static void no_directory(void **state)
{
	struct users *u;

	(void)state;
	assert_int_equal(users_new("/nonexistent", &u), -ENOENT);
	users_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_ids),
		cmocka_unit_test(a_changed_file),
		cmocka_unit_test(bounds),
		cmocka_unit_test(no_directory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
