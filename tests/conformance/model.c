/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conf.h"

static bool has_item(const json_t *list, const char *s)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *item = json_string_value(json_array_get(list, i));

		if (item && strcmp(item, s) == 0)
			return true;
	}
	return false;
}

/* Types are written as "int", "str", "bool", "cidr"; with an "s" where the field has several values. */
static int field_of(const char *name, const char *type, unsigned int flags, struct cat_field *ret)
{
	static const struct {
		const char *name;
		uint8_t type;
	} types[] = { { "int", VAL_INT }, { "str", VAL_STR }, { "bool", VAL_BOOL }, { "cidr", VAL_IP } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t len = strlen(types[i].name);
		bool several = strncmp(type, types[i].name, len) == 0 && strcmp(type + len, "s") == 0;

		if (!several && strcmp(type, types[i].name) != 0)
			continue;
		*ret = (struct cat_field){ .name = name,
					   .type = types[i].type,
					   .flags = (uint8_t)(flags | (several ? CF_ARRAY : 0)),
					   .home = CAT_HOME_EVENT,
					   .kind = 'U',
					   .doc = "" };
		if (strstr(name, "created_at") || strstr(name, "opened_at"))
			ret->flags |= CF_TIME;
		return 0;
	}
	return -EINVAL;
}

static int add_field(struct model *m, const char *name, const char *type, unsigned int flags)
{
	if (!type || m->own.nfields == MODEL_MAX)
		return -EINVAL;
	return field_of(name, type, flags, &m->fields[m->own.nfields++]);
}

static int field_cmp(const void *a, const void *b)
{
	return strcmp(((const struct cat_field *)a)->name, ((const struct cat_field *)b)->name);
}

static void model_finish(struct model *m)
{
	qsort(m->fields, m->own.nfields, sizeof(m->fields[0]), field_cmp);
	for (size_t i = 0; i < m->own.nfields; i++)
		m->fields[i].slot = (uint16_t)i;
	m->events[1] = (struct cat_event){ .name = "any", .type = 1, .doc = "" };
	m->catalog = &m->own;
	m->own.fields = m->fields;
	m->own.events = m->events;
	m->own.nevents = 2;
	m->own.constants = m->constants;
	m->own.aliases = m->aliases;
}

static int add_constants(struct model *m, json_t *constants)
{
	const char *name;
	json_t *v;

	json_object_foreach(constants, name, v)
	{
		if (json_is_string(v))
			json_object_set(m->texts, name, v);
		if (!json_is_integer(v))
			continue;
		if (m->own.nconstants == MODEL_MAX)
			return -EINVAL;
		m->constants[m->own.nconstants++] =
			(struct cat_constant){ .name = name, .value = json_integer_value(v) };
	}
	return 0;
}

static int test_model(struct model *m, const json_t *meta)
{
	const json_t *env = json_object_get(meta, "environment"), *globs = json_object_get(env, "glob_fields");
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(env, "test_model_field_types"), name,
			    v) if (add_field(m, name, json_string_value(v), has_item(globs, name) ? CF_GLOB : 0) <
				   0) return -EINVAL;
	json_object_foreach(json_object_get(env, "legacy_fields"), name, v)
	{
		if (!json_is_string(v) || m->own.naliases == MODEL_MAX)
			return -EINVAL;
		m->aliases[m->own.naliases++] = (struct cat_alias){ name, json_string_value(v) };
	}
	/* the one that is a number is told of in words */
	json_object_foreach(json_object_get(env, "default_variables"), name, v) json_object_set_new(
		m->variables, name, strcmp(name, "pid") == 0 ? json_integer(4242) : json_deep_copy(v));
	return add_constants(m, json_object_get(env, "constants"));
}

int models_init(struct model models[MODELS], const json_t *meta)
{
	int r;

	memset(models, 0, MODELS * sizeof(models[0]));
	for (int i = 0; i < MODELS; i++) {
		models[i].texts = conf_must(json_object());
		models[i].variables = conf_must(json_object());
	}
	r = test_model(&models[MODEL_TEST], meta);
	for (int i = MODEL_GLOB; i <= MODEL_ICASE && r == 0; i++) {
		unsigned int flags = i == MODEL_GLOB ? CF_GLOB : CF_ICASE;

		r = add_field(&models[i], "field", "str", flags);
		if (r == 0)
			r = add_field(&models[i], "array", "strs", flags);
	}
	for (int i = 0; i < MODEL_TAMIS; i++)
		model_finish(&models[i]);
	models[MODEL_TAMIS].catalog = catalog_tamis();
	return r;
}

void models_done(struct model models[MODELS])
{
	for (int i = 0; i < MODELS; i++) {
		json_decref(models[i].texts);
		json_decref(models[i].variables);
	}
}
