/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/argblock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/derive.h"

/* Strings in a block of NUL-terminated strings; the last NUL may be missing. */
static uint32_t count_strings(const char *p, uint32_t len)
{
	uint32_t n = 0;

	if (!len)
		return 0;
	for (const char *end = p + len; p < end; n++) {
		const char *nul = memchr(p, 0, (size_t)(end - p));

		p = nul ? nul + 1 : end;
	}
	return n;
}

/* At most @max of them as values; where @join is set, the NULs between them become spaces. */
static void split_strings(char *p, uint32_t len, bool join, struct val *v, uint32_t max)
{
	const char *end = p + len;

	for (uint32_t i = 0; p < end; i++) {
		char *nul = memchr(p, 0, (size_t)(end - p));

		if (i < max)
			v[i] = (struct val){ .s = p, .len = (uint32_t)((nul ? nul : end) - p) };
		if (!nul)
			return;
		if (join)
			*nul = ' ';
		p = nul + 1;
	}
}

/* "NAME=value" -> "NAME" */
static struct val variable_name(struct val v)
{
	const char *eq = memchr(v.s, '=', v.len);

	if (eq)
		v.len = (uint32_t)(eq - v.s);
	return v;
}

/* What of the environment is kept: whole variables. */
static uint32_t env_kept(const struct decode_args *a)
{
	uint32_t len = a->envp_len;

	if (len <= ARGBLOCK_ENV_MAX)
		return len;
	for (len = ARGBLOCK_ENV_MAX; len && a->envp[len - 1];)
		len--;
	return len;
}

/* process.args is what lies behind argv0 and its space; @len counts the last argument's NUL where it came. */
static void argblock_join(struct argblock *b, char *text, uint32_t len, bool ended, uint32_t count)
{
	uint32_t skip = b->argv0.len + 1;

	if (ended)
		len--;
	if (count > 1 && skip <= len)
		b->args = (struct val){ .s = text + skip, .len = len - skip };
}

/* Bytes that the options have in @text: those that were put together there. */
static size_t options_text(const struct val *options, uint32_t n, const char *text, size_t size)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		if (options[i].s >= text && options[i].s < text + size)
			bytes += options[i].len;
	return bytes;
}

/* Flags and options, in an allocation of their own, since their number is known only afterwards. */
static int argblock_options(struct argblock *b)
{
	struct val flags[DERIVE_ARGS_MAX], options[DERIVE_ARGS_MAX], *v;
	size_t size = derive_args_text_size(b->argv, b->nargv), bytes;
	_cleanup_free_ char *text = malloc(size);
	char *to;

	if (!text)
		return -ENOMEM;
	b->nflags = derive_args_flags(b->argv, b->nargv, flags, DERIVE_ARGS_MAX);
	b->noptions = derive_args_options(b->argv, b->nargv, options, DERIVE_ARGS_MAX, text);
	if (!b->nflags && !b->noptions)
		return 0;
	bytes = (b->nflags + b->noptions) * sizeof(*v) + options_text(options, b->noptions, text, size);
	v = malloc(bytes);
	if (!v) {
		b->nflags = b->noptions = 0;
		return -ENOMEM;
	}
	memcpy(v, flags, b->nflags * sizeof(*v));
	b->flags = v;
	v += b->nflags;
	to = (char *)(v + b->noptions);
	b->options = v;
	for (uint32_t i = 0; i < b->noptions; i++) {
		v[i] = options[i];
		if (!options_text(&options[i], 1, text, size))
			continue;
		memcpy(to, options[i].s, options[i].len);
		v[i].s = to;
		to += options[i].len;
	}
	b->bytes += bytes;
	return 0;
}

static void argblock_free(struct argblock *b)
{
	free((void *)b->flags);
	free(b);
}

int argblock_new(const struct decode_args *a, struct argblock **ret)
{
	uint32_t env_len = env_kept(a), argc = count_strings(a->argv, a->argv_len),
		 envc = count_strings(a->envp, env_len);
	uint32_t args = argc < ARGBLOCK_ARGS_MAX ? argc : ARGBLOCK_ARGS_MAX;
	uint32_t envs = envc < ARGBLOCK_ARGS_MAX ? envc : ARGBLOCK_ARGS_MAX;
	size_t bytes = sizeof(struct argblock) + (args + 2 * (size_t)envs) * sizeof(struct val) + a->argv_len + env_len;
	struct argblock *b;
	struct val *v;
	char *text;

	if (!a->argv_len && !env_len && !a->argv_cut && !a->envp_cut) {
		*ret = NULL;
		return 0;
	}
	b = malloc(bytes);
	if (!b)
		return -ENOMEM;
	v = (struct val *)(b + 1);
	text = (char *)(v + args + 2 * (size_t)envs);
	*b = (struct argblock){ .refs = 1, .bytes = bytes };
	if (a->argv_len)
		memcpy(text, a->argv, a->argv_len);
	if (env_len)
		memcpy(text + a->argv_len, a->envp, env_len);

	split_strings(text, a->argv_len, true, v, args);
	if (args) {
		b->argv0 = v[0];
		b->argv = v + 1;
		b->nargv = args - 1;
		argblock_join(b, text, a->argv_len, !a->argv[a->argv_len - 1], argc);
	}
	b->envp = v + args;
	b->envs = v + args + envs;
	b->nenv = envs;
	split_strings(text + a->argv_len, env_len, false, v + args, envs);
	for (uint32_t i = 0; i < envs; i++)
		v[args + envs + i] = variable_name(v[args + i]);
	b->argv_cut = a->argv_cut || args < argc;
	b->envp_cut = a->envp_cut || envs < envc || env_len < a->envp_len;
	if (b->nargv && argblock_options(b) < 0) {
		argblock_free(b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

struct argblock *argblock_ref(struct argblock *a)
{
	if (a)
		a->refs++;
	return a;
}

size_t argblock_unref(struct argblock *a)
{
	size_t bytes;

	if (!a || --a->refs)
		return 0;
	bytes = a->bytes;
	argblock_free(a);
	return bytes;
}

void argblock_values(const struct argblock *a, struct val *v)
{
	static const struct argblock none;

	if (!a)
		a = &none;
	v[SLOT_PROC_ARGV0] = a->argv0;
	v[SLOT_PROC_ARGS] = a->args;
	v[SLOT_PROC_ARGV] = (struct val){ .arr = a->argv, .len = a->nargv };
	v[SLOT_PROC_ARGS_FLAGS] = (struct val){ .arr = a->flags, .len = a->nflags };
	v[SLOT_PROC_ARGS_OPTIONS] = (struct val){ .arr = a->options, .len = a->noptions };
	v[SLOT_PROC_ENVP] = (struct val){ .arr = a->envp, .len = a->nenv };
	v[SLOT_PROC_ENVS] = (struct val){ .arr = a->envs, .len = a->nenv };
	v[SLOT_PROC_ARGS_TRUNCATED].num = a->argv_cut;
	v[SLOT_PROC_ENVS_TRUNCATED].num = a->envp_cut;
}
