/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/names.h"

#include <stdio.h>
#include <string.h>

/* "process.euser" -> the field "process.euid", or NULL where @f is no such name */
static const struct cat_field *id_field(const struct catalog *c, const struct cat_field *f, bool *ret_group)
{
	static const struct {
		const char *name, *id;
	} ends[] = { { "user", "uid" }, { "group", "gid" } };
	char id[128];

	for (int i = 0; i < 2; i++) {
		size_t len = strlen(f->name), end = strlen(ends[i].name);
		const struct cat_field *found;

		if (len < end || strcmp(f->name + len - end, ends[i].name) != 0)
			continue;
		len = (size_t)snprintf(id, sizeof(id), "%.*s%s", (int)(len - end), f->name, ends[i].id);
		found = len < sizeof(id) ? catalog_field(c, id, len) : NULL;
		*ret_group = i == 1;
		return found && found->home == f->home && found->kind == 'N' ? found : NULL;
	}
	return NULL;
}

void names_plan(const struct catalog *c, enum cat_home home, uint16_t event, struct names *ret)
{
	*ret = (struct names){ 0 };
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i], *id;
		bool group;

		if (f->kind != 'U' || f->type != VAL_STR || f->home != home || f->event != event ||
		    ret->n == NAMES_MAX_PAIRS)
			continue;
		id = id_field(c, f, &group);
		if (!id)
			continue;
		ret->pair[ret->n].id = (uint8_t)id->slot;
		ret->pair[ret->n].name = (uint8_t)f->slot;
		ret->pair[ret->n++].group = group;
	}
}

void names_fill(const struct names *n, const struct users *u, struct val *v)
{
	if (!u)
		return;
	for (int i = 0; i < n->n; i++) {
		struct val *name = &v[n->pair[i].name];
		int64_t id = v[n->pair[i].id].num;

		name->s = n->pair[i].group ? users_group(u, id, &name->len) : users_user(u, id, &name->len);
	}
}
