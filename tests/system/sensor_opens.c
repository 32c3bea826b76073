/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_opens N FILE: opens and closes FILE, N times, as fast as it goes. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc == 3 ? atol(argv[1]) : 0;

	for (long i = 0; i < n; i++) {
		int fd = open(argv[2], O_RDONLY);

		if (fd < 0)
			return 1;
		close(fd);
	}
	return n ? 0 : 2;
}
