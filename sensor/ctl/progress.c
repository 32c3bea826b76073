/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "sensor/ctl/show.h"

#define TICK_NS	 200000000
#define BAR	 24
#define SHOWN_AT 0.6 /* seconds: what is over sooner needs no bar */

static void put_bar(char *ret, int width, uint64_t files, uint64_t total)
{
	int done = (int)(files * (uint64_t)width / total);

	ret[0] = '[';
	memset(ret + 1, '#', (size_t)done);
	memset(ret + 1 + done, '.', (size_t)(width - done));
	memcpy(ret + 1 + width, "] ", 3);
}

void progress_line(char *buf, size_t size, uint64_t files, uint64_t bytes, uint64_t total, double seconds, int columns)
{
	char n[SHOW_MAX], of[SHOW_MAX], rate[SHOW_MAX], speed[SHOW_MAX], left[SHOW_MAX] = "?", text[192],
									 bar[BAR + 4] = "";
	double per_second = seconds > 0 ? (double)files / seconds : 0;
	int width;

	show_count(files, n);
	show_count((uint64_t)per_second, rate);
	show_bytes(seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0, speed);
	if (!total || files > total) {
		snprintf(text, sizeof(text), "%s files, %s/s, %s/s", n, rate, speed);
	} else {
		if (per_second > 0)
			show_seconds((uint64_t)((double)(total - files) / per_second + 0.5), left);
		snprintf(text, sizeof(text), "%u%% %s of %s files, %s/s, %s/s, %s left",
			 (unsigned int)(files * 100 / total), n, show_count(total, of), rate, speed, left);
		width = columns - 1 - 3 - (int)strlen(text); /* the bar gives way to the text */
		if (width > 3)
			put_bar(bar, width < BAR ? width : BAR, files, total);
	}
	snprintf(buf, size, "%s%s", bar, text);
	if (columns > 1 && strlen(buf) >= (size_t)columns)
		buf[columns - 1] = '\0';
}

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static int columns_of_stderr(void)
{
	struct winsize ws;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
}

static void *show(void *arg)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	struct progress *p = arg;
	struct timespec begin;
	char line[256];

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!atomic_load(&p->end)) {
		double s;

		nanosleep(&tick, NULL);
		s = seconds_since(&begin);
		if (s < SHOWN_AT)
			continue;
		progress_line(line, sizeof(line), atomic_load(&p->scan.files), atomic_load(&p->scan.bytes),
			      atomic_load(&p->scan.total), s, columns_of_stderr());
		fprintf(stderr, "\r%s\033[K", line);
	}
	fprintf(stderr, "\r\033[K");
	return NULL;
}

void progress_begin(struct progress *p)
{
	*p = (struct progress){ 0 };
	if (isatty(STDERR_FILENO))
		p->running = pthread_create(&p->thread, NULL, show, p) == 0;
}

void progress_end(struct progress *p)
{
	atomic_store(&p->end, true);
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
}
