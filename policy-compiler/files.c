/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

bool files_is_test(const char *path)
{
	return has_suffix(path, ".test.yaml") || has_suffix(path, ".test.yml");
}

static bool is_wanted(const char *name, enum files_kind kind)
{
	if (kind == FILES_TEST)
		return files_is_test(name);
	return !files_is_test(name) &&
	       (has_suffix(name, ".yaml") || has_suffix(name, ".yml") || has_suffix(name, ".policy"));
}

static int add_file(struct arena *a, const char *path, struct files *files, struct err *err)
{
	const char **slot, *copy;

	if (files->n >= files->max)
		return err_set(err, -E2BIG, "more than %zu files", files->max);
	copy = arena_strdup(a, path, strlen(path));
	slot = copy ? ARENA_PUSH(a, files->path, files->n) : NULL;
	if (!slot)
		return err_set(err, -ENOMEM, "out of memory");
	*slot = copy;
	return 0;
}

static int add_dir(struct arena *a, const char *path, enum files_kind kind, struct files *files, int depth,
		   struct err *err);

static int add_entry(struct arena *a, const char *dir, const char *name, enum files_kind kind, struct files *files,
		     int depth, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (name[0] == '.')
		return 0;
	if (asprintf(&path, "%s%s%s", dir, has_suffix(dir, "/") ? "" : "/", name) < 0) {
		path = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	if (stat(path, &st) < 0)
		return err_sys(err, -errno, "cannot read", path);
	if (S_ISDIR(st.st_mode))
		return add_dir(a, path, kind, files, depth + 1, err);
	return S_ISREG(st.st_mode) && is_wanted(name, kind) ? add_file(a, path, files, err) : 0;
}

static int add_dir(struct arena *a, const char *path, enum files_kind kind, struct files *files, int depth,
		   struct err *err)
{
	struct dirent **names = NULL;
	int n, r = 0;

	if (depth > FILES_DEPTH_MAX)
		return err_set(err, -ELOOP, "%s: directories are nested deeper than %d levels", path, FILES_DEPTH_MAX);
	n = scandir(path, &names, NULL, NULL);
	if (n < 0)
		return err_sys(err, -errno, "cannot read", path);
	for (int i = 0; i < n && r == 0; i++)
		r = add_entry(a, path, names[i]->d_name, kind, files, depth, err);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

static int path_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int files_find(struct arena *a, const char *path, enum files_kind kind, struct files *files, struct err *err)
{
	size_t first = files->n;
	struct stat st;
	int r;

	if (strcmp(path, "-") == 0)
		return add_file(a, path, files, err);
	if (stat(path, &st) < 0)
		return err_sys(err, -errno, "cannot read", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(a, path, files, err);
	r = add_dir(a, path, kind, files, 0, err);
	/* the order of names in bytes, the same in every locale: equal policies give equal bundles */
	if (r == 0 && files->n > first)
		qsort(files->path + first, files->n - first, sizeof(files->path[0]), path_cmp);
	return r;
}
