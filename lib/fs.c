/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fs.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

ssize_t fs_read(int fd, void *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)to + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fs_make_dirs(const char *path, struct err *e)
{
	_cleanup_free_ char *p = strdup(path);

	if (!p)
		return err_set(e, -ENOMEM, "no memory");
	for (char *slash = p; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (*p && mkdir(p, 0711) < 0 && errno != EEXIST)
			return err_set(e, -errno, "cannot create %s: %s; choose another place with --state DIR", p,
				       strerror(errno));
		if (slash)
			*slash = '/';
	}
	return 0;
}
