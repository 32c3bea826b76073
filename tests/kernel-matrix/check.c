/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

/* Where the runner puts this program, below the directory of the scenario: the policy names it. */
#define IMAGE_DEFAULT "%b/bin/scenario"

struct expansion {
	const char *base, *name;
	pid_t actor;
};

/* @value with %b the directory of the scenario, %d that of the row, %p the actor's process id */
static void expand(const struct expansion *x, const char *value, char *out, size_t size)
{
	size_t n = 0;

	for (; *value && n + 1 < size; value++) {
		if (value[0] != '%') {
			out[n++] = *value;
			continue;
		}
		switch (*++value) {
		case 'b':
			n += snprintf(out + n, size - n, "%s", x->base);
			break;
		case 'd':
			n += snprintf(out + n, size - n, "%s/%s", x->base, x->name);
			break;
		case 'p':
			n += snprintf(out + n, size - n, "%d", x->actor);
			break;
		default:
			abort();
		}
	}
	out[n < size ? n : size - 1] = '\0';
}

#define NONE "(none)"

/* The values of an array of strings or numbers, with commas between them. */
static void array_text(const json_t *array, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *v;

	out[0] = '\0';
	json_array_foreach(array, i, v)
	{
		const char *comma = i ? "," : "";

		if (json_is_string(v))
			n += (size_t)snprintf(out + n, size - n, "%s%s", comma, json_string_value(v));
		else
			n += (size_t)snprintf(out + n, size - n, "%s%lld", comma, json_integer_value(v));
		if (n >= size)
			return;
	}
}

/* The value at a dotted name, as text; NONE if there is none. */
static void field_text(const json_t *alert, const char *field, unsigned long mask, char *out, size_t size)
{
	char name[128], *rest = name, *part;
	const json_t *v = alert;

	snprintf(name, sizeof(name), "%s", field);
	while (v && (part = strsep(&rest, ".")))
		v = json_object_get(v, part);
	if (json_is_string(v))
		snprintf(out, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(out, size, "%lld", json_integer_value(v) & (mask ? (json_int_t)mask : -1LL));
	else if (json_is_boolean(v))
		snprintf(out, size, "%s", json_is_true(v) ? "true" : "false");
	else if (json_is_array(v))
		array_text(v, out, size);
	else
		snprintf(out, size, v ? "(an object)" : NONE);
}

/* One "field=value" or "field&mask=value". 1 if it differs, with the difference in @why. */
static int differs(const struct expansion *x, const json_t *alert, const char *expect, char *why, size_t size)
{
	char field[128], want[PATH_MAX], got[PATH_MAX];
	const char *eq = strchr(expect, '=');
	unsigned long mask = 0;
	char *amp;

	snprintf(field, sizeof(field), "%.*s", (int)(eq - expect), expect);
	amp = strchr(field, '&');
	if (amp) {
		*amp = '\0';
		mask = strtoul(amp + 1, NULL, 0);
	}
	expand(x, eq + 1, want, sizeof(want));
	field_text(alert, field, mask, got, sizeof(got));
	if (!strcmp(want, got) || (!strcmp(got, NONE) && (!want[0] || !strcmp(want, "0") || !strcmp(want, "false"))))
		return 0;
	snprintf(why, size, "%s is %.160s, not %.160s", field, got, want);
	return 1;
}

/* process.file.path of a row. */
static const char *image_of(const struct row *row)
{
	const char *variant = strchr(row->name, '.');

	if (row->image)
		return row->image;
#ifdef __aarch64__
	if (variant && (!strncmp(variant, ".compat", 7) || !strcmp(variant, ".other32")))
		return COMPAT32;
#endif
	(void)variant;
	return IMAGE_DEFAULT;
}

/* How many expectations an alert misses; @why gets the first. */
static int misses(const struct row *row, const struct expansion *x, const json_t *alert, char *why, size_t size)
{
	char image[PATH_MAX], other[512];
	int i, n = 0;

	snprintf(image, sizeof(image), "process.file.path=%s", image_of(row));
	n += differs(x, alert, image, why, size);
	for (i = 0; i < 8 && row->expect[i]; i++)
		n += differs(x, alert, row->expect[i], n ? other : why, n ? sizeof(other) : size);
	return n;
}

/* Is this an alert of the row's event and process? Those are compared; the rest is noise of the preparations. */
static int concerns(const struct row *row, pid_t pid, const json_t *alert)
{
	char event[32], rule[40], want[16], got[40];

	if (row->event)
		snprintf(event, sizeof(event), "%s", row->event);
	else
		snprintf(event, sizeof(event), "%.*s", (int)strcspn(row->name, "."), row->name);
	snprintf(want, sizeof(want), "%d", pid);
	field_text(alert, "process.pid", 0, got, sizeof(got));
	if (strcmp(got, want))
		return 0;
	field_text(alert, "event.type", 0, got, sizeof(got));
	if (strcmp(got, event))
		return 0;
	snprintf(rule, sizeof(rule), "m_%s", event);
	field_text(alert, "rule.id", 0, got, sizeof(got));
	return !strcmp(got, rule);
}

int check_row(const struct row *row, const struct acted *acted, const char *dir, const char *alerts, char *ret_why,
	      size_t size)
{
	const struct expansion x = { .base = dir, .name = row->name, .actor = acted->actor };
	int n, best = INT_MAX;
	char *line = NULL, why[512], pid[24];
	size_t room = 0;
	FILE *f;

	snprintf(pid, sizeof(pid), "pid\":%d", acted->pid);
	snprintf(ret_why, size, "no alert");
	f = fopen(alerts, "re");
	if (!f) {
		snprintf(ret_why, size, "no file of alerts");
		return 1;
	}
	while (best && getline(&line, &room, f) > 0) {
		/* taking all lines apart for each row took an emulated machine minutes */
		json_t *alert = strstr(line, pid) ? json_loads(line, 0, NULL) : NULL;

		if (alert && concerns(row, acted->pid, alert) &&
		    (n = misses(row, &x, alert, why, sizeof(why))) < best) {
			best = n;
			if (n)
				snprintf(ret_why, size, "%s", why);
			else
				field_text(alert, "event.rung", 0, ret_why, size);
		}
		json_decref(alert);
	}
	free(line);
	fclose(f);
	return best ? 1 : 0;
}
