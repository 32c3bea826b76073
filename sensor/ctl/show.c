/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "sensor/ctl/client.h"
#include "sensor/ctl/commands.h"

int show_args(int argc, char **argv, bool *ret_json)
{
	*ret_json = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0) {
			log_err("%s takes --json and nothing else, not '%s'", argv[0], argv[i]);
			return CTL_USAGE;
		}
		*ret_json = true;
	}
	return 0;
}

json_t *show_ask(const char *state_dir, uint16_t type, char **ret_text)
{
	const struct client_question q = { .type = type, .fd = -1 };
	_cleanup_free_ char *text = NULL;
	struct err e = { "" };
	json_t *root;

	if (client_ask(state_dir, &q, &text, &e) < 0) {
		log_err("%s", e.msg);
		return NULL;
	}
	root = json_loads(text, 0, NULL);
	if (!root)
		log_err("the sensor's answer is not JSON");
	else if (ret_text)
		*ret_text = TAKE_PTR(text);
	return root;
}

uint64_t show_u64(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? strtoull(json_string_value(v), NULL, 10) : (uint64_t)json_integer_value(v);
}

const char *show_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

const char *show_count(uint64_t n, char *buf)
{
	char digits[SHOW_MAX];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

const char *show_bytes(uint64_t n, char *buf)
{
	if (n < 1024)
		snprintf(buf, SHOW_MAX, "%" PRIu64 " B", n);
	else if (n < 1024 * 1024)
		snprintf(buf, SHOW_MAX, "%.1f KiB", (double)n / 1024);
	else
		snprintf(buf, SHOW_MAX, "%.1f MiB", (double)n / (1024 * 1024));
	return buf;
}

const char *show_seconds(uint64_t s, char *buf)
{
	if (s < 120)
		snprintf(buf, SHOW_MAX, "%" PRIu64 " s", s);
	else if (s < 2 * 3600)
		snprintf(buf, SHOW_MAX, "%" PRIu64 " min", s / 60);
	else if (s < 2 * 86400)
		snprintf(buf, SHOW_MAX, "%" PRIu64 " h", s / 3600);
	else
		snprintf(buf, SHOW_MAX, "%" PRIu64 " days", s / 86400);
	return buf;
}
