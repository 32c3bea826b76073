/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog beside the list of what the published language has: every event, field, older name and constant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "lib/catalog.h"

#define FIELDS "../shared/secl/fields.json"

#ifdef __x86_64__
#define AMD64 1 /* whose values the list has */
#else
#define AMD64 0
#endif

static json_t *published;

static const char *text(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

/* A pseudo event that rules are rewritten from. */
static bool is_rewritten(const char *event)
{
	return strcmp(event, "fim") == 0;
}

static const json_t *list(const char *key)
{
	json_t *j = json_object_get(published, key);

	if (!published)
		skip();
	assert_non_null(j);
	return j;
}

static void every_event(void **state)
{
	const json_t *events = list("events"), *e;
	size_t i;

	assert_true(json_array_size(events) > 40);
	json_array_foreach((json_t *)events, i, e)
	{
		const char *name = text(e, "event");

		if (strcmp(name, "*") != 0 && !is_rewritten(name) &&
		    !catalog_event(catalog_tamis(), name, strlen(name)))
			fail_msg("no event %s", name);
	}
}

static uint8_t type_of(const char *name)
{
	return strcmp(name, "int") == 0	   ? VAL_INT
	       : strcmp(name, "bool") == 0 ? VAL_BOOL
	       : strcmp(name, "ip") == 0   ? VAL_IP
					   : VAL_STR;
}

/* NAME.length is no row: the checker makes it, of texts and lists. */
static bool is_length(const char *name)
{
	static const char suffix[] = ".length";
	size_t len = strlen(name), end = strlen(suffix), n = 0;
	const struct catalog *c = catalog_tamis();
	const struct cat_field *f;

	if (len <= end || strcmp(name + len - end, suffix) != 0)
		return false;
	f = catalog_field(c, name, len - end);
	for (size_t i = 0; !f && i < c->nfields; i++)
		n += strncmp(c->fields[i].name, name, len - end) == 0 && c->fields[i].name[len - end] == '.' &&
		     (c->fields[i].flags & CF_ARRAY);
	return n || (f && (f->type == VAL_STR || (f->flags & CF_ARRAY)));
}

static void check_field(const json_t *j)
{
	const char *name = text(j, "field"), *event = text(j, "event");
	const struct catalog *c = catalog_tamis();
	const struct cat_field *f = catalog_field(c, name, strlen(name));
	const struct cat_event *e = catalog_event(c, event, strlen(event));

	if (!f && is_length(name))
		return;
	if (!f)
		fail_msg("no field %s", name);
	if (f->type != type_of(text(j, "type")) ||
	    (f->flags & CF_ARRAY) != (json_is_true(json_object_get(j, "array")) ? CF_ARRAY : 0))
		fail_msg("%s: of another type", name);
	if (!catalog_covers(c, f->event, e ? e->type : EV_NONE))
		fail_msg("%s: not a field of %s", name, event);
	if (!e && f->event != EV_NONE)
		fail_msg("%s: not a field of every event", name);
	if (text(j, "match") && strcmp(text(j, "match"), "path_glob") == 0 && !(f->flags & CF_GLOB))
		fail_msg("%s: patterns are no path globs", name);
}

static void every_field(void **state)
{
	const json_t *fields = list("fields"), *f;
	size_t i;

	assert_true(json_array_size(fields) > 2000);
	json_array_foreach((json_t *)fields, i, f)
	{
		if (!is_rewritten(text(f, "event")))
			check_field(f);
	}
}

static void every_alias(void **state)
{
	const char *name;
	json_t *field;

	list("legacy_field_aliases");
	json_object_foreach(json_object_get(published, "legacy_field_aliases"), name, field)
	{
		const struct cat_field *f = catalog_field(catalog_tamis(), name, strlen(name));

		if (!f || strcmp(f->name, json_string_value(field)) != 0)
			fail_msg("%s: does not lead to %s", name, json_string_value(field));
	}
}

static void check_constant(const char *group, const json_t *j)
{
	const char *name = text(j, "name"), *arch = text(j, "arch");
	const struct cat_constant *k = catalog_constant(catalog_tamis(), name, strlen(name));
	const json_t *value = json_object_get(j, "value");

	if (json_is_boolean(value) || (strcmp(arch, "all") != 0 && !(AMD64 && strstr(arch, "amd64"))))
		return; /* true and false are the checker's */
	if (!k)
		fail_msg("%s: no constant %s", group, name);
	if (AMD64 && json_is_integer(value) && k->value != json_integer_value(value))
		fail_msg("%s is %lld", name, (long long)k->value);
}

static void every_constant(void **state)
{
	const json_t *groups = list("constants"), *constant;
	const char *group;
	json_t *all;
	size_t i;

	assert_true(json_object_size(groups) > 30);
	json_object_foreach((json_t *)groups, group, all)
	{
		json_array_foreach(all, i, constant)
		{
			check_constant(group, constant);
		}
	}
}

static int load(void **state)
{
	published = json_load_file(FIELDS, 0, NULL);
	if (!published)
		print_message("skipped: %s is not here\n", FIELDS);
	return 0;
}

static int unload(void **state)
{
	json_decref(published);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event),
		cmocka_unit_test(every_field),
		cmocka_unit_test(every_alias),
		cmocka_unit_test(every_constant),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
