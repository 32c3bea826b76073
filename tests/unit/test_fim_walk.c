/* SPDX-License-Identifier: Apache-2.0 */
/* Which watch a path belongs to, and the walk over what is watched: order, where it begins, what it leaves out. */
#include "tests/unit/fim_bench.h"

#include <dirent.h>

#include "sensor/fim/walk.h"

static struct watch watch_of(const char **paths, uint32_t n, const char **exclude, uint32_t m, bool recursive)
{
	return (struct watch){ .id = "w",
			       .description = "",
			       .policy = "",
			       .version = "",
			       .paths = paths,
			       .npaths = n,
			       .exclude = exclude,
			       .nexclude = m,
			       .attrs = WATCH_ALL,
			       .severity = 3,
			       .recursive = recursive };
}

/* The number of the watch that names a path, or -1. */
static int finds(const struct watchset *s, const char *path)
{
	const struct watchset_item *it = watchset_find(s, path, strlen(path));

	return it ? (int)(it - s->v) : -1;
}

static void test_find(void **state)
{
	const char *etc[] = { "/etc" }, *swp[] = { "/etc/**/*.swp", "/etc/no" }, *ssh[] = { "/etc/ssh" };
	const char *flat[] = { "/var/log/*.log" };
	struct watch v[] = { watch_of(etc, 1, swp, 2, true), watch_of(ssh, 1, NULL, 0, true),
			     watch_of(flat, 1, NULL, 0, false) };
	const struct watch_list list = { .v = v, .n = 3 };
	struct watchset *s;

	assert_int_equal(watchset_new(&list, &s, NULL), 0);
	assert_int_equal(finds(s, "/etc"), 0);
	assert_int_equal(finds(s, "/etc/passwd"), 0);
	assert_int_equal(finds(s, "/etcetera"), -1);
	assert_int_equal(finds(s, "/etc/a/b.swp"), -1);
	assert_int_equal(finds(s, "/etc/no"), -1);
	assert_int_equal(finds(s, "/etc/no/x"), -1);
	assert_int_equal(finds(s, "/etc/ssh/sshd_config"), 1); /* the last one counts */
	assert_int_equal(finds(s, "/etc/ssh/x.swp"), 1);
	assert_int_equal(finds(s, "/var/log/a.log"), 2);
	assert_int_equal(finds(s, "/var/log/a.log/x"), -1);
	assert_int_equal(finds(s, "/var/log/d/a.log"), -1);
	assert_true(watchset_secret(s, &s->v[0], "/etc/shadow", 11));
	assert_true(watchset_secret(s, &s->v[0], "/etc/ssh/ssh_host_rsa_key", 25));
	assert_true(watchset_secret(s, &s->v[0], "/etc/ssl/private/a/b", 20));
	assert_false(watchset_secret(s, &s->v[0], "/etc/ssh/sshd_config", 20));
	watchset_free(s);
}

/* Going down directory by directory comes to what looking at the whole path does. */
static int finds_down(const struct watchset *s, const char *path)
{
	struct watchset_live live[2][8];
	size_t n = watchset_enter(s, NULL, 0, "", 0, 1, live[0]);
	const struct watchset_item *it;
	int side = 0;

	for (size_t i = 1; path[i]; i++)
		if (path[i] == '/') {
			n = watchset_enter(s, live[side], n, path, i, 1, live[!side]);
			side = !side;
		}
	it = watchset_entry(s, live[side], n, path, strlen(path));
	return it ? (int)(it - s->v) : -1;
}

static void random_path(char *p, unsigned int *seed, bool glob)
{
	static const char *const names[] = { "a", "b", "ab", "*", "a*", "**" };
	int n = 1 + rand_r(seed) % 4;

	*p = '\0';
	for (int i = 0; i < n; i++) {
		const char *name = names[rand_r(seed) % (glob ? 6 : 3)];

		strcat(strcat(p, "/"), name);
	}
}

static void test_down(void **state)
{
	unsigned int seed = 3;
	int found = 0;

	for (int i = 0; i < 3000; i++) {
		char text[12][64];
		const char *p[12];
		struct watch v[3];
		const struct watch_list list = { .v = v, .n = 3 };
		struct watchset *s;

		for (int k = 0; k < 12; k++) {
			random_path(text[k], &seed, true);
			p[k] = text[k];
		}
		for (uint32_t k = 0; k < 3; k++)
			v[k] = watch_of(&p[4 * k], 2, &p[4 * k + 2], (uint32_t)(rand_r(&seed) % 3), rand_r(&seed) % 2);
		if (watchset_new(&list, &s, NULL) < 0)
			continue; /* two stars where they may not be */
		for (int k = 0; k < 50; k++) {
			char path[64];

			random_path(path, &seed, false);
			found += finds(s, path) >= 0;
			if (finds(s, path) != finds_down(s, path))
				fail_msg("%s: %d, but %d on the way down", path, finds(s, path), finds_down(s, path));
		}
		watchset_free(s);
	}
	assert_true(found > 1000);
}

/* ---- the walk ------------------------------------------------------------------------------------------------------ */

struct list {
	char *v[512];
	size_t n;
};

static void list_done(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	l->n = 0;
}

static void walk(const struct watchset *s, const char *after, struct list *ret)
{
	int root = open("/", O_RDONLY | O_DIRECTORY);
	struct walk_entry en;
	struct err e = { "" };
	struct walk *w;
	int r;

	ret->n = 0;
	assert_int_equal(walk_open(s, root, after, after ? strlen(after) : 0, &w, &e), 0);
	while ((r = walk_next(w, &en)) > 0) {
		assert_int_equal(strlen(en.path), en.len);
		assert_true(ret->n < 512);
		assert_int_equal(en.skip, 0);
		ret->v[ret->n++] = strdup(en.path);
	}
	assert_int_equal(r, 0);
	walk_close(w);
	close(root);
}

static void test_order(void **state)
{
	static const char *const dirs[] = { "a", "a/b", "a/b/c", "a-b", "a.b", "ab", "z", "a/\xff", "none" };
	static const char *const files[] = { "a/x", "a/b/y", "a-b/x", "a.b/x", "ab/x",
					     "a!",  "a0",    "-rf",   "a/\n",  "none/x" };
	struct list all, part;
	struct watch_list list;
	struct watchset *s;
	struct fim_bench b;
	char none[128];
	const char *exclude[] = { none }, *paths[] = { b.tree };
	struct watch w;

	fim_begin(&b);
	snprintf(none, sizeof(none), "%s/none", b.tree);
	w = watch_of(paths, 1, exclude, 1, true);
	list = (struct watch_list){ .v = &w, .n = 1 };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		fim_mkdir(&b, dirs[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fim_write(&b, files[i], "x");
	assert_int_equal(symlink("/etc", fim_path(&b, "link")), 0); /* not followed */
	assert_int_equal(watchset_new(&list, &s, NULL), 0);
	walk(s, NULL, &all);
	assert_int_equal(all.n, 1 + 8 + 9 + 1);
	for (size_t i = 1; i < all.n; i++)
		assert_true(strcmp(all.v[i - 1], all.v[i]) < 0);
	/* behind each of them is the rest of the list */
	for (size_t i = 0; i < all.n; i++) {
		walk(s, all.v[i], &part);
		assert_int_equal(part.n, all.n - i - 1);
		for (size_t k = 0; k < part.n; k++)
			assert_string_equal(part.v[k], all.v[i + 1 + k]);
		list_done(&part);
	}
	list_done(&all);
	watchset_free(s);
	fim_end(&b);
}

/* A directory that cannot be listed is said to be so; kernel file systems are not looked into. */
static void test_skips(void **state)
{
	const char *paths[] = { "/proc/self", "/sys/kernel" };
	struct watch w = watch_of(paths, 2, NULL, 0, true);
	const struct watch_list list = { .v = &w, .n = 1 };
	int root = open("/", O_RDONLY | O_DIRECTORY), kernel = 0;
	struct walk_entry en;
	struct watchset *s;
	struct walk *k;

	assert_int_equal(watchset_new(&list, &s, NULL), 0);
	assert_int_equal(walk_open(s, root, NULL, 0, &k, NULL), 0);
	while (walk_next(k, &en) > 0)
		kernel += en.skip == WALK_KERNEL_FS;
	assert_int_equal(kernel, 2);
	walk_close(k);
	watchset_free(s);
	close(root);
}

/* Many levels: no recursion, no loss, and the path's maximum holds. */
static void test_deep(void **state)
{
	struct fim_bench b;
	struct watch w;
	const char *paths[] = { b.tree };
	struct watch_list list = { .v = &w, .n = 1 };
	struct walk_entry en;
	struct watchset *s;
	struct walk *k;
	size_t n = 0, deep = 0;
	int fd, root = open("/", O_RDONLY | O_DIRECTORY);

	fim_begin(&b);
	w = watch_of(paths, 1, NULL, 0, true);
	fd = open(b.tree, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 60; i++) {
		char name[101];
		int next;

		memset(name, 'd', 100);
		name[100] = '\0';
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(watchset_new(&list, &s, NULL), 0);
	assert_int_equal(walk_open(s, root, NULL, 0, &k, NULL), 0);
	while (walk_next(k, &en) > 0) {
		n += !en.skip;
		deep += en.skip == WALK_TOO_DEEP;
		assert_true(en.len <= WATCH_PATH_MAX + 256);
	}
	assert_int_equal(deep, 1);
	assert_true(n >= 40 && n < 42);
	walk_close(k);
	watchset_free(s);
	close(root);
	/* too long for remove(3) by path */
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", b.tree);
	assert_int_equal(system(cmd), 0);
	fim_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),  cmocka_unit_test(test_down), cmocka_unit_test(test_order),
		cmocka_unit_test(test_skips), cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
