/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/derive.h"

#include <string.h>

#include "lib/catalog.h"
#include "lib/ipnet.h"

enum derivation { D_NAME, D_EXTENSION, D_RIGHTS, D_IS_PUBLIC, D_NAMESPACE };

struct derived {
	uint8_t how;	  /* enum derivation */
	uint8_t to, from; /* slots */
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The extension comes after the name that it is taken from. */
#define FILE_ROWS(EV, ID)                                                                                              \
	{ D_NAME, SLOT_##EV##_##ID##_NAME, SLOT_##EV##_##ID##_PATH },                                                  \
		{ D_EXTENSION, SLOT_##EV##_##ID##_EXTENSION, SLOT_##EV##_##ID##_NAME },                                \
	{                                                                                                              \
		D_RIGHTS, SLOT_##EV##_##ID##_RIGHTS, SLOT_##EV##_##ID##_MODE                                           \
	}
#define LINK_ROW(ID)                                                                                                   \
	{                                                                                                              \
		D_NAME, SLOT_PROC_##ID##_LINK_NAME, SLOT_PROC_##ID##_LINK_PATH                                         \
	}
#define XATTR_ROW(EV)                                                                                                  \
	{                                                                                                              \
		D_NAMESPACE, SLOT_##EV##_XATTR_NAMESPACE, SLOT_##EV##_XATTR                                            \
	}
#define PUBLIC_ROW(EV, ID)                                                                                             \
	{                                                                                                              \
		D_IS_PUBLIC, SLOT_##EV##_##ID##_PUBLIC, SLOT_##EV##_##ID##_IP                                          \
	}
#define EVENT_ROWS(EV, ...) static const struct derived of_##EV[] = { __VA_ARGS__ }
#define FILE_EVENT(EV, ...) static const struct derived of_##EV[] = { FILE_ROWS(EV, FILE), ##__VA_ARGS__ }

FILE_EVENT(OPEN);
FILE_EVENT(UNLINK);
FILE_EVENT(RENAME, FILE_ROWS(RENAME, DEST));
FILE_EVENT(MKDIR, { D_RIGHTS, SLOT_MKDIR_DEST_RIGHTS, SLOT_MKDIR_MODE });
FILE_EVENT(RMDIR);
FILE_EVENT(LINK, FILE_ROWS(LINK, DEST));
FILE_EVENT(SYMLINK);
FILE_EVENT(CHMOD, { D_RIGHTS, SLOT_CHMOD_DEST_RIGHTS, SLOT_CHMOD_MODE });
FILE_EVENT(CHOWN);
FILE_EVENT(TRUNCATE);
FILE_EVENT(PROC, FILE_ROWS(PROC, INTERPRETER), LINK_ROW(FILE), LINK_ROW(INTERPRETER));
FILE_EVENT(CHDIR);
FILE_EVENT(CHROOT);
FILE_EVENT(UTIMES);
FILE_EVENT(WRITE);
FILE_EVENT(SETXATTR, XATTR_ROW(SETXATTR));
FILE_EVENT(REMOVEXATTR, XATTR_ROW(REMOVEXATTR));
FILE_EVENT(SPLICE);
FILE_EVENT(CGROUP_WRITE);
FILE_EVENT(MMAP);
FILE_EVENT(MPROTECT);
FILE_EVENT(LOAD_MODULE);
FILE_EVENT(KEXEC);
EVENT_ROWS(DNS, PUBLIC_ROW(DNS, SRC), PUBLIC_ROW(DNS, DST));
EVENT_ROWS(IMDS, PUBLIC_ROW(IMDS, SRC), PUBLIC_ROW(IMDS, DST));
EVENT_ROWS(PACKET, PUBLIC_ROW(PACKET, SRC), PUBLIC_ROW(PACKET, DST));
EVENT_ROWS(ACCEPT, { D_IS_PUBLIC, SLOT_ACCEPT_IS_PUBLIC, SLOT_ACCEPT_IP });
EVENT_ROWS(LISTEN, { D_IS_PUBLIC, SLOT_LISTEN_IS_PUBLIC, SLOT_LISTEN_IP });
EVENT_ROWS(CONNECT, { D_IS_PUBLIC, SLOT_CONNECT_IS_PUBLIC, SLOT_CONNECT_IP });
EVENT_ROWS(BIND, { D_IS_PUBLIC, SLOT_BIND_IS_PUBLIC, SLOT_BIND_IP });

static const struct {
	const struct derived *rows;
	size_t n;
} of_event[EV_ALL_TYPES] = {
#define ROWS(EV) [EV_##EV] = { of_##EV, COUNT(of_##EV) }
	ROWS(OPEN),    ROWS(UNLINK),	   ROWS(RENAME), ROWS(MKDIR),	    ROWS(RMDIR),    ROWS(LINK),
	ROWS(SYMLINK), ROWS(CHMOD),	   ROWS(CHOWN),	 ROWS(TRUNCATE),    ROWS(CONNECT),  ROWS(BIND),
	ROWS(CHDIR),   ROWS(CHROOT),	   ROWS(UTIMES), ROWS(WRITE),	    ROWS(SETXATTR), ROWS(REMOVEXATTR),
	ROWS(SPLICE),  ROWS(CGROUP_WRITE), ROWS(MMAP),	 ROWS(LOAD_MODULE), ROWS(KEXEC),    ROWS(DNS),
	ROWS(IMDS),    ROWS(PACKET),	   ROWS(ACCEPT), ROWS(LISTEN),	    ROWS(MPROTECT),
#undef ROWS
};

struct val derive_name(struct val path)
{
	const char *slash = path.len ? memrchr(path.s, '/', path.len) : NULL;
	size_t skip = slash ? (size_t)(slash + 1 - path.s) : 0;

	return (struct val){ .s = path.len ? path.s + skip : NULL, .len = path.len - (uint32_t)skip };
}

struct val derive_extension(struct val name)
{
	const char *dot = name.len ? memrchr(name.s, '.', name.len) : NULL;

	if (!dot)
		return (struct val){ .s = NULL };
	return (struct val){ .s = dot, .len = name.len - (uint32_t)(dot - name.s) };
}

/* Of an extended attribute: "user" of "user.note". */
static struct val derive_namespace(struct val name)
{
	const char *dot = name.len ? memchr(name.s, '.', name.len) : NULL;

	return (struct val){ .s = name.s, .len = dot ? (uint32_t)(dot - name.s) : 0 };
}

static void derive_row(struct val *v, const struct derived *d)
{
	struct val from = v[d->from], *to = &v[d->to];

	switch (d->how) {
	case D_NAME:
		if (!to->len)
			*to = derive_name(from);
		break;
	case D_EXTENSION:
		if (!to->len)
			*to = derive_extension(from);
		break;
	case D_NAMESPACE:
		if (!to->len)
			*to = derive_namespace(from);
		break;
	case D_RIGHTS:
		if (!to->num)
			to->num = from.num & CAT_RIGHTS;
		break;
	case D_IS_PUBLIC:
		if (!to->num)
			to->num = from.len == VAL_IP_BYTES && ipnet_is_public((const uint8_t *)from.s);
		break;
	}
}

void event_derive(struct event *ev)
{
	if (ev->type >= EV_ALL_TYPES)
		return;
	for (size_t i = 0; i < of_event[ev->type].n; i++)
		derive_row(ev->v, &of_event[ev->type].rows[i]);
}

void proc_derive(struct proc *p)
{
	for (size_t i = 0; i < COUNT(of_PROC); i++)
		derive_row(p->v, &of_PROC[i]);
}

uint32_t derive_words(struct val text, struct val *out, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0, from = 0; i <= text.len && n < max; i++) {
		if (i < text.len && text.s[i] != ' ')
			continue;
		if (i > from)
			out[n++] = (struct val){ .s = text.s + from, .len = i - from };
		from = i + 1;
	}
	return n;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------- */

/* What stands behind the dashes; *ret_long where there were two. Empty where the argument is no option. */
static struct val option_of(struct val arg, bool *ret_long)
{
	uint32_t dashes = 0;

	while (dashes < 2 && dashes < arg.len && arg.s[dashes] == '-')
		dashes++;
	*ret_long = dashes == 2;
	if (dashes == 0)
		return (struct val){ .s = NULL };
	return (struct val){ .s = arg.s + dashes, .len = arg.len - dashes };
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_flag(struct val name)
{
	for (uint32_t i = 0; i < name.len; i++)
		if (!is_letter_or_digit(name.s[i]) && name.s[i] != '_' && (name.s[i] != '-' || i == 0))
			return false;
	return name.len > 0;
}

uint32_t derive_args_flags(const struct val *argv, uint32_t n, struct val *ret, uint32_t max)
{
	bool seen[128] = { false };
	uint32_t out = 0;

	for (uint32_t i = 0; i < n && out < max; i++) {
		bool is_long;
		struct val name = option_of(argv[i], &is_long);

		if (!is_flag(name))
			continue;
		if (name.len > 1 || is_long)
			ret[out++] = name;
		for (uint32_t k = 0; !is_long && k < name.len && out < max; k++) {
			unsigned char c = (unsigned char)name.s[k];

			if (!is_letter_or_digit(name.s[k]) || seen[c])
				continue;
			seen[c] = true;
			ret[out++] = (struct val){ .s = name.s + k, .len = 1 };
		}
	}
	return out;
}

size_t derive_args_text_size(const struct val *argv, uint32_t n)
{
	size_t size = 1;

	/* An argument is a value at most once and a key at most once. */
	for (uint32_t i = 0; i < n; i++)
		size += 2 * (size_t)argv[i].len + 1;
	return size;
}

uint32_t derive_args_options(const struct val *argv, uint32_t n, struct val *ret, uint32_t max, char *text)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < n && out < max; i++) {
		bool is_long;
		struct val name = option_of(argv[i], &is_long), value;
		const char *equals = name.len ? memchr(name.s, '=', name.len) : NULL;

		if (!name.len || equals == name.s)
			continue;
		if (equals) {
			ret[out++] = name;
			continue;
		}
		if (i + 1 >= n || !argv[i + 1].len || argv[i + 1].s[0] == '-')
			continue;
		value = argv[i + 1];
		ret[out++] = (struct val){ .s = text, .len = name.len + 1 + value.len };
		memcpy(text, name.s, name.len);
		text[name.len] = '=';
		memcpy(text + name.len + 1, value.s, value.len);
		text += name.len + 1 + value.len;
	}
	return out;
}
