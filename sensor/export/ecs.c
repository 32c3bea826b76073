/* SPDX-License-Identifier: Apache-2.0 */

/* Elastic Common Schema 8.11: https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sensor/export/view.h"

/* The allowed values of event.category and event.type; the last row is for what is not in the table. */
static const struct {
	const char *event, *category, *type;
} kinds[] = {
	{ "exec", "process", "start" },		{ "fork", "process", "start" },
	{ "exit", "process", "end" },		{ "open", "file", "access" },
	{ "mkdir", "file", "creation" },	{ "rmdir", "file", "deletion" },
	{ "unlink", "file", "deletion" },	{ "integrity", "file", "change" },
	{ "rename", "file", "change" },		{ "link", "file", "creation" },
	{ "symlink", "file", "creation" },	{ "chmod", "file", "change" },
	{ "chown", "file", "change" },		{ "utimes", "file", "change" },
	{ "truncate", "file", "change" },	{ "write", "file", "change" },
	{ "setxattr", "file", "change" },	{ "removexattr", "file", "change" },
	{ "splice", "file", "access" },		{ "mmap", "file", "access" },
	{ "memfd_create", "file", "creation" }, { "connect", "network", "connection" },
	{ "accept", "network", "connection" },	{ "bind", "network", "info" },
	{ "listen", "network", "info" },	{ "socket", "network", "info" },
	{ "setsockopt", "network", "info" },	{ "dns", "network", "protocol" },
	{ "imds", "network", "protocol" },	{ "load_module", "driver", "start" },
	{ "unload_module", "driver", "end" },	{ "setuid", "process", "change" },
	{ "setgid", "process", "change" },	{ "capset", "process", "change" },
	{ "ptrace", "process", "access" },	{ "process_vm_writev", "process", "change" },
	{ "signal", "process", "info" },	{ "mount", "host", "change" },
	{ "umount", "host", "change" },		{ "", "host", "info" },
};

static json_t *one(const char *text)
{
	json_t *a = json_array();

	json_array_append_new(a, json_string(text));
	return a;
}

static json_t *event_of(const struct export_view *v)
{
	static const int severities[] = { 0, 10, 21, 47, 73, 99 }; /* as Elastic's own detections have them */
	size_t i = 0, last = sizeof(kinds) / sizeof(kinds[0]) - 1;
	json_t *o = json_object();
	char seq[24];

	while (i < last && strcmp(kinds[i].event, v->type) != 0)
		i++;
	snprintf(seq, sizeof(seq), "%" PRIu64, v->seq);
	export_put_text(o, "action", v->alert ? v->type : v->kind);
	export_put(o, "category", one(kinds[i].category));
	export_put(o, "type", one(kinds[i].type));
	export_put_text(o, "dataset", v->alert ? "tamis.alert" : "tamis.log");
	export_put_text(o, "id", v->uid);
	export_put_text(o, "kind", v->alert ? "alert" : "event");
	export_put_text(o, "module", "tamis");
	if (v->alert)
		export_put_text(o, "outcome", v->retval < 0 ? "failure" : "success");
	json_object_set_new(o, "sequence", json_integer((json_int_t)v->seq));
	if (v->severity)
		json_object_set_new(o, "severity", json_integer(severities[v->severity]));
	return o;
}

static json_t *user_of(const json_t *p)
{
	json_t *o = json_object(), *group = json_object();
	int64_t id;
	char text[24];

	export_put_text(o, "name", export_text(p, "user"));
	export_put_text(group, "name", export_text(p, "group"));
	if (export_int(p, "uid", &id)) {
		snprintf(text, sizeof(text), "%" PRId64, id);
		export_put_text(o, "id", text);
	}
	if (export_int(p, "gid", &id)) {
		snprintf(text, sizeof(text), "%" PRId64, id);
		export_put_text(group, "id", text);
	}
	export_put(o, "group", group);
	return o;
}

static json_t *process_of(const json_t *p, bool parent)
{
	json_t *o = json_object();

	export_put_int(o, "pid", p, "pid");
	export_put_text(o, "executable", export_text(p, "file.path"));
	export_put_text(o, "name", export_text(p, "comm"));
	if (*export_text(p, "args") || *export_text(p, "argv0")) {
		char line[4096];

		snprintf(line, sizeof(line), "%s%s%s", export_text(p, "argv0"), *export_text(p, "args") ? " " : "",
			 export_text(p, "args"));
		if (strlen(line) + 1 < sizeof(line))
			export_put_text(o, "command_line", line);
	}
	export_put(o, "user", user_of(p));
	if (parent && json_object_get(p, "parent"))
		export_put(o, "parent", process_of(json_object_get(p, "parent"), false));
	return o;
}

static json_t *file_of(const struct export_view *v)
{
	json_t *o = json_object();
	int64_t mode, inode;
	char text[24];

	export_put_text(o, "path", v->path);
	export_put_text(o, "name", export_text(v->event, "file.name"));
	export_put_text(o, "target_path", export_text(v->event, "file.destination.path"));
	export_put_text(o, "owner", export_text(v->event, "file.user"));
	export_put_text(o, "group", export_text(v->event, "file.group"));
	if (export_int(v->event, "file.mode", &mode) && mode) {
		snprintf(text, sizeof(text), "%04" PRIo64, (uint64_t)mode & 07777);
		export_put_text(o, "mode", text);
	}
	if (export_int(v->event, "file.inode", &inode) && inode) {
		snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)inode);
		export_put_text(o, "inode", text);
	}
	return o;
}

static json_t *endpoint_of(const json_t *o, const char *prefix)
{
	json_t *e = json_object();
	char path[64];

	snprintf(path, sizeof(path), "%s.ip", prefix);
	export_put_text(e, "ip", export_text(o, path));
	snprintf(path, sizeof(path), "%s.port", prefix);
	if (json_object_size(e))
		export_put_int(e, "port", o, path);
	return e;
}

static void put_network(json_t *o, const struct export_view *v)
{
	const json_t *network = json_object_get(v->o, "network");
	const char *name = export_text(v->event, "question.name");

	export_put(o, strcmp(v->type, "connect") == 0 ? "destination" : "source", endpoint_of(v->event, "addr"));
	if (network) {
		export_put(o, "source", endpoint_of(network, "source"));
		export_put(o, "destination", endpoint_of(network, "destination"));
	}
	if (*name)
		export_put(o, "dns", json_pack("{s:{s:s}}", "question", "name", name));
}

static int render(const struct export_view *v, struct buf *ret)
{
	json_t *o = json_object(), *rule = json_object(), *container = json_object(), *rest;

	export_put_text(o, "@timestamp", v->time);
	export_put(o, "ecs", json_pack("{s:s}", "version", "8.11.0"));
	export_put(o, "event", event_of(v));
	if (*v->host)
		export_put(o, "host", json_pack("{s:s,s:s}", "hostname", v->host, "name", v->host));
	export_put(o, "observer",
		   json_pack("{s:s,s:s,s:s}", "product", "Tamis", "type", "edr", "version", TAMIS_VERSION));
	export_put_text(o, "message", v->message);
	export_put_text(rule, "id", v->rule);
	export_put_text(rule, "name", v->rule);
	export_put_text(rule, "description", export_text(v->o, "rule.description"));
	export_put_text(rule, "ruleset", v->policy);
	export_put(o, "rule", rule);
	if (v->process) {
		export_put(o, "process", process_of(v->process, true));
		export_put(o, "user", user_of(v->process));
	}
	export_put_text(container, "id", export_text(v->process, "container.id"));
	export_put(o, "container", container);
	export_put(o, "file", file_of(v));
	put_network(o, v);
	/* what ECS has no place for, as it is */
	rest = json_deep_copy(v->alert ? v->event : json_object_get(v->o, v->kind));
	if (v->by && !rest)
		rest = json_object();
	if (v->by)
		json_object_set_new(rest, "delivery", export_delivery_json(v));
	export_put(o, "tamis", rest);
	return export_line(o, ret);
}

const struct export_render export_ecs = { render };
