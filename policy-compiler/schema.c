/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/schema.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonw.h"
#include "policy-compiler/policy_keys.h"

#define KEYS_MAX 64 /* of one table */

/* "key:" with nothing behind it is as if it were not there. */
#define TYPE_TEXT "[\"string\",\"number\",\"boolean\",\"null\"]"
#define TYPE_ITEM "{\"type\":[\"string\",\"number\",\"boolean\"]}"
#define DURATION  "^([0-9]+(ns|us|ms|s|m|h))+$"

/* What a table of single keys cannot say: canonical JSON, the member behind "additionalProperties". */
static const struct {
	const struct key *keys;
	const char *name, *json;
} extras[] = {
	{ policy_macro_keys, "oneOf", "[{\"required\":[\"expression\"]},{\"required\":[\"values\"]}]" },
	{ policy_rule_keys, "anyOf",
	  "[{\"required\":[\"expression\"]},{\"required\":[\"combine\"]},"
	  "{\"properties\":{\"disabled\":{\"const\":true}},\"required\":[\"disabled\"]}]" },
};

static void put_map(struct jsonw *w, const struct key *keys, const char *doc, const char *title, bool null);

static void put_raw(struct jsonw *w, const char *name, const char *json)
{
	jsonw_key(w, name);
	jsonw_raw(w, json, strlen(json));
}

static void put_doc(struct jsonw *w, const struct key *k)
{
	char text[512];

	if (!k->doc)
		return;
	snprintf(text, sizeof(text), k->not_yet ? "%s. Not acted on yet: %s" : "%s", k->doc, k->not_yet);
	jsonw_member_str(w, "description", text);
}

static void put_words(struct jsonw *w, const struct key *k)
{
	jsonw_key(w, "enum");
	jsonw_arr_begin(w);
	for (const char *const *word = k->words; *word; word++)
		jsonw_cstr(w, *word);
	if (!k->required)
		jsonw_null(w);
	jsonw_arr_end(w);
}

static void put_text(struct jsonw *w, const struct key *k)
{
	if (k->pattern) {
		jsonw_member_str(w, "pattern", k->pattern);
	}
	put_raw(w, "type", k->required ? "[\"string\",\"number\",\"boolean\"]" : TYPE_TEXT);
}

static void put_list(struct jsonw *w, const struct key *keys, bool text)
{
	jsonw_key(w, "items");
	if (keys)
		put_map(w, keys, NULL, NULL, false);
	else
		jsonw_raw(w, text ? TYPE_ITEM : "{}", strlen(text ? TYPE_ITEM : "{}"));
	put_raw(w, "type", "[\"array\",\"null\"]");
}

static void put_shape(struct jsonw *w, const struct key *k)
{
	switch (k->shape) {
	case KEY_BOOL:
		put_raw(w, "type", "[\"boolean\",\"null\"]");
		break;
	case KEY_INT:
		put_raw(w, "type", "[\"integer\",\"null\"]");
		break;
	case KEY_DURATION:
		put_raw(w, "minimum", "0");
		jsonw_member_str(w, "pattern", DURATION);
		put_raw(w, "type", "[\"string\",\"integer\",\"null\"]");
		break;
	case KEY_LIST:
	case KEY_TEXT_LIST:
	case KEY_MAP_LIST:
		put_list(w, k->items ? k->items : k->keys, k->shape == KEY_TEXT_LIST);
		break;
	case KEY_ANY:
		break;
	default:
		put_text(w, k);
	}
}

static void put_key(struct jsonw *w, const struct key *k)
{
	if (k->shape == KEY_MAP && k->keys) {
		put_map(w, k->keys, k->doc, NULL, true);
		return;
	}
	jsonw_obj_begin(w);
	if (k->shape == KEY_TEXT_MAP)
		put_raw(w, "additionalProperties", "{\"type\":" TYPE_TEXT "}");
	put_doc(w, k);
	if (k->words)
		put_words(w, k);
	else if (k->shape == KEY_MAP || k->shape == KEY_TEXT_MAP)
		put_raw(w, "type", k->required ? "\"object\"" : "[\"object\",\"null\"]");
	else
		put_shape(w, k);
	jsonw_obj_end(w);
}

static int key_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct key *const *)a)->name, (*(const struct key *const *)b)->name);
}

static void put_properties(struct jsonw *w, const struct key *keys)
{
	const struct key *sorted[KEYS_MAX];
	size_t n = 0;

	for (const struct key *k = keys; k->name && n < KEYS_MAX; k++)
		sorted[n++] = k;
	qsort(sorted, n, sizeof(sorted[0]), key_cmp);
	jsonw_key(w, "properties");
	jsonw_obj_begin(w);
	for (size_t i = 0; i < n; i++) {
		jsonw_key(w, sorted[i]->name);
		put_key(w, sorted[i]);
	}
	jsonw_obj_end(w);
}

static void put_required(struct jsonw *w, const struct key *keys)
{
	bool any = false;

	for (const struct key *k = keys; k->name; k++)
		any = any || k->required;
	if (!any)
		return;
	jsonw_key(w, "required");
	jsonw_arr_begin(w);
	for (const struct key *k = keys; k->name; k++)
		if (k->required)
			jsonw_cstr(w, k->name);
	jsonw_arr_end(w);
}

/* @title: this is the schema as a whole. @null: an empty value is as good as none. */
static void put_map(struct jsonw *w, const struct key *keys, const char *doc, const char *title, bool null)
{
	jsonw_obj_begin(w);
	if (title)
		put_raw(w, "$schema", "\"https://json-schema.org/draft/2020-12/schema\"");
	put_raw(w, "additionalProperties", "false");
	for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++)
		if (extras[i].keys == keys)
			put_raw(w, extras[i].name, extras[i].json);
	if (doc) {
		jsonw_member_str(w, "description", doc);
	}
	put_properties(w, keys);
	put_required(w, keys);
	if (title) {
		jsonw_member_str(w, "title", title);
	}
	put_raw(w, "type", null ? "[\"object\",\"null\"]" : "\"object\"");
	jsonw_obj_end(w);
}

int schema_put(enum schema_kind kind, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	if (kind == SCHEMA_POLICY)
		put_map(&w, policy_keys, "Macros and rules in SECL; tamisc(1) checks what a schema cannot say",
			"A policy of Tamis", false);
	else
		put_map(&w, test_file_keys, "Which rules must and must not fire on which events",
			"Tests of a policy of Tamis", false);
	return buf_putc(out, '\n');
}
