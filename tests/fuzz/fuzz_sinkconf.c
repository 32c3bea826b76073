/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink's settings, and a cursor's text. What is accepted can be asked for everything; what is refused says where, and
 * leaves nothing behind.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/spool/cursor.h"
#include "sensor/spool/sinkconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct sink_conf *c)
{
	assert(c->type && c->format && c->batch && c->timeout_s && c->kinds);
	for (size_t i = 0; i < SINK_SETTINGS_MAX && c->type->settings[i].name; i++)
		assert(!c->type->settings[i].required || *sinkconf_get(c, c->type->settings[i].name));
	for (size_t i = 0; i < c->nfolds; i++)
		assert(*c->folds[i].rule);
	sinkconf_wants(c, "alert");
	sinkconf_fold(c, "rule");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cursor_state state;
	struct sink_conf c;
	struct err e = { "" };

	if (sinkconf_parse("s", "s.conf", (const char *)data, size, &c, &e) == 0) {
		look(&c);
		sink_conf_done(&c);
	} else {
		assert(strncmp(e.msg, "s.conf:", 7) == 0);
	}
	if (cursor_parse((const char *)data, size, &state) == 0)
		assert(state.fold.n <= FOLD_MAX);
	return 0;
}
