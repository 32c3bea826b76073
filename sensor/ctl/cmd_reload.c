/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/client.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/priv/msg.h"

static void print_result(const char *text)
{
	json_t *s = json_loads(text, 0, NULL);
	const json_t *p = json_object_get(s, "policy");

	printf("policy %s (%" PRIu64 " rules) is in force, generation %" PRIu64 "\n", show_str(p, "name"),
	       show_u64(p, "rules"), show_u64(p, "generation"));
	json_decref(s);
}

/* The file goes along open: the sensor need not find it, and reads what we could read. */
int cmd_reload(int argc, char **argv, const char *state_dir)
{
	struct client_question q = { .type = MSG_RELOAD };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct err e = { "" };

	if (argc != 2 || argv[1][0] == '-') {
		log_err("usage: tamisctl reload BUNDLE.tpb");
		return CTL_USAGE;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		log_err("cannot open %s: %s; the policy in force stays", argv[1], strerror(errno));
		return CTL_FAILED;
	}
	q.fd = fd;
	q.body = argv[1];
	q.len = strlen(argv[1]);
	if (client_ask(state_dir, &q, &text, &e) < 0) {
		log_err("%s; the policy in force stays", e.msg);
		return CTL_FAILED;
	}
	print_result(text);
	return CTL_OK;
}
