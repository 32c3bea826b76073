/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/watch.h"

#include <string.h>

const struct watch_attr_name watch_attr_names[] = {
	{ "permissions", WATCH_PERMISSIONS, "mode bits, set-user-ID and the like included" },
	{ "owner", WATCH_OWNER, "user" },
	{ "group", WATCH_GROUP, "group" },
	{ "size", WATCH_SIZE, "bytes of a regular file" },
	{ "mtime", WATCH_MTIME, "time of the last write" },
	{ "ctime", WATCH_CTIME, "time of the last change to content or inode" },
	{ "inode", WATCH_INODE, "inode number: another file took the name" },
	{ "links", WATCH_LINKS, "number of hard links" },
	{ "content", WATCH_CONTENT, "SHA-256 of a regular file" },
	{ "xattrs", WATCH_XATTRS, "extended attributes without a name of their own here" },
	{ "acl", WATCH_ACL, "POSIX access control lists" },
	{ "capabilities", WATCH_CAPABILITIES, "file capabilities" },
	{ "selinux", WATCH_SELINUX, "SELinux label" },
	{ "chattr", WATCH_CHATTR, "flags of chattr(1), such as immutable" },
	{ "target", WATCH_TARGET, "where a symbolic link points, numbers of a device" },
	{ "all", WATCH_ALL, "all of the above" },
	{ "standard", WATCH_STANDARD, "all but times, inode and links; what a watch has that names none" },
	{ "binary", WATCH_ALL & ~WATCH_CTIME, "all but ctime: for programs and libraries" },
	{ "log", WATCH_LOG, "standard without size and content: for files that are written to" },
	{ "metadata", WATCH_ALL & ~WATCH_CONTENT, "all but content: nothing is read" },
	{ "times", WATCH_TIMES, "mtime and ctime" },
	{ 0 },
};

static bool is_dots(const char *s, size_t len)
{
	return (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.');
}

const char *watch_path_problem(const char *path, size_t len)
{
	if (!len || path[0] != '/')
		return "a path begins with '/': write \"/etc/**/*.conf\", not \"*.conf\"";
	if (len > WATCH_PATH_MAX)
		return "a path has at most 4095 bytes";
	if (memchr(path, '\0', len))
		return "a path has no byte 0";
	if (len > 1 && path[len - 1] == '/')
		return "leave out the '/' at its end";
	for (size_t i = 1, n; i < len; i += n + 1) {
		const char *slash = memchr(path + i, '/', len - i);

		n = slash ? (size_t)(slash - path) - i : len - i;
		if (!n)
			return "write one '/' between names";
		if (is_dots(path + i, n))
			return "write the path without \".\" and \"..\"";
	}
	return NULL;
}
