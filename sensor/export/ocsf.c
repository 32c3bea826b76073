/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Open Cybersecurity Schema Framework 1.9: https://schema.ocsf.io/1.9.0
 *
 * An alert becomes two events: the activity that was seen, in the class that is right for it, and a Detection Finding that
 * names it as a related event. The log's other records become Base Events. Each carries, by the profile record_integrity, the hash
 * by which its record is in the log's tree.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/merkle.h"
#include "sensor/export/view.h"

#define VERSION "1.9.0"

enum class {
	BASE = 0,
	FILES = 1001,
	EXTENSION = 1002,
	KERNEL = 1003,
	MEMORY = 1004,
	PROCESS = 1007,
	NETWORK = 4001,
	DNS = 4003,
	FINDING = 2004
};

enum { OTHER = 99 };

/* What activity an event is; those of the kernel are system calls that no class is for. */
static const struct activity {
	const char *event;
	enum class class;
	int activity;
	const char *name;
} activities[] = {
	{ "exec", PROCESS, 1, "Launch" },
	{ "fork", PROCESS, 1, "Launch" },
	{ "exit", PROCESS, 2, "Terminate" },
	{ "ptrace", PROCESS, 3, "Open" },
	{ "setuid", PROCESS, 5, "Set User ID" },
	{ "setgid", PROCESS, OTHER, "Set Group ID" },
	{ "capset", PROCESS, OTHER, "Set Capabilities" },
	{ "capabilities", PROCESS, OTHER, "Use Capabilities" },
	{ "signal", PROCESS, OTHER, "Signal" },
	{ "setrlimit", PROCESS, OTHER, "Set Limit" },
	{ "setns", PROCESS, OTHER, "Enter Namespace" },
	{ "unshare", PROCESS, OTHER, "Leave Namespace" },
	{ "cgroup_write", PROCESS, OTHER, "Move to cgroup" },
	{ "process_vm_writev", MEMORY, 8, "Write" },
	{ "mmap", MEMORY, 9, "Map View" },
	{ "mprotect", MEMORY, 2, "Modify Page" },
	{ "open", FILES, 14, "Open" },
	{ "mkdir", FILES, 1, "Create" },
	{ "link", FILES, 1, "Create" },
	{ "symlink", FILES, 1, "Create" },
	{ "memfd_create", FILES, 1, "Create" },
	{ "unlink", FILES, 4, "Delete" },
	{ "rmdir", FILES, 4, "Delete" },
	{ "rename", FILES, 5, "Rename" },
	{ "truncate", FILES, 3, "Update" },
	{ "write", FILES, 3, "Update" },
	{ "integrity", FILES, 3, "Update" },
	{ "utimes", FILES, 6, "Set Attributes" },
	{ "chmod", FILES, 7, "Set Security" },
	{ "chown", FILES, 7, "Set Security" },
	{ "setxattr", FILES, 7, "Set Security" },
	{ "removexattr", FILES, 7, "Set Security" },
	{ "splice", FILES, 2, "Read" },
	{ "chdir", FILES, OTHER, "Change Directory" },
	{ "chroot", FILES, OTHER, "Change Root" },
	{ "mount", FILES, 12, "Mount" },
	{ "pivot_root", FILES, 12, "Mount" },
	{ "umount", FILES, 13, "Unmount" },
	{ "load_module", EXTENSION, 1, "Load" },
	{ "unload_module", EXTENSION, 2, "Unload" },
	{ "connect", NETWORK, 1, "Open" },
	{ "accept", NETWORK, 1, "Open" },
	{ "listen", NETWORK, 7, "Listen" },
	{ "bind", NETWORK, OTHER, "Bind" },
	{ "imds", NETWORK, 6, "Traffic" },
	{ "packet", NETWORK, 6, "Traffic" },
	{ "network_flow_monitor", NETWORK, 6, "Traffic" },
	{ "dns", DNS, 1, "Query" },
	{ "sensor", BASE, OTHER, "Sensor" },
	{ "", KERNEL, 4, "Invoke" },
};

static const struct {
	enum class class;
	int category;
	const char *name, *category_name;
} classes[] = {
	{ BASE, 0, "Base Event", "Uncategorized" },
	{ FILES, 1, "File System Activity", "System Activity" },
	{ EXTENSION, 1, "Kernel Extension Activity", "System Activity" },
	{ KERNEL, 1, "Kernel Activity", "System Activity" },
	{ MEMORY, 1, "Memory Activity", "System Activity" },
	{ PROCESS, 1, "Process Activity", "System Activity" },
	{ NETWORK, 4, "Network Activity", "Network Activity" },
	{ DNS, 4, "DNS Activity", "Network Activity" },
	{ FINDING, 2, "Detection Finding", "Findings" },
};

static const struct activity *activity_of(const char *type)
{
	const struct activity *a = activities;

	while (*a->event && strcmp(a->event, type) != 0)
		a++;
	return a;
}

/* ---- objects ------------------------------------------------------------------------------------------------------- */

static json_t *named(const char *name)
{
	return json_pack("{s:s}", "name", name);
}

static json_t *user_of(const json_t *p)
{
	json_t *o = json_object();
	int64_t uid;
	char text[24];

	export_put_text(o, "name", export_text(p, "user"));
	if (export_int(p, "uid", &uid)) {
		snprintf(text, sizeof(text), "%" PRId64, uid);
		export_put_text(o, "uid", text);
	}
	return o;
}

/* @o: what has path, name and so on; @path: where it has no path. */
static json_t *file_of(const json_t *from, const char *path)
{
	static const int types[16] = { [1] = 6, [2] = 3, [4] = 2, [6] = 4, [8] = 1, [10] = 7, [12] = 5 };
	const char *name = export_text(from, "name"), *slash;
	json_t *o = json_object();
	int64_t mode = 0, ns;

	if (*export_text(from, "path"))
		path = export_text(from, "path");
	slash = strrchr(path, '/');
	if (!*name)
		name = slash && slash[1] ? slash + 1 : path;
	export_int(from, "mode", &mode);
	json_object_set_new(o, "name", json_string(*name ? name : "unknown"));
	json_object_set_new(o, "type_id", json_integer(types[((uint64_t)mode >> 12) & 15]));
	export_put_text(o, "path", path);
	if (*export_text(from, "user"))
		export_put(o, "owner", named(export_text(from, "user")));
	if (export_int(from, "modification_time", &ns) && ns > 0)
		json_object_set_new(o, "modified_time", json_integer(ns / 1000000));
	if (export_int(from, "inode", &ns) && ns) {
		char text[24];

		snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)ns);
		export_put_text(o, "uid", text);
	}
	return o;
}

static json_t *process_of(const json_t *p, bool parent)
{
	const char *argv0 = export_text(p, "argv0"), *args = export_text(p, "args");
	json_t *o = json_object();
	char line[4096];
	int64_t ns;

	if (!p) {
		/* a process has a pid or a uid */
		json_object_set_new(o, "uid", json_string("unknown"));
		return o;
	}
	export_put_int(o, "pid", p, "pid");
	if (!json_object_size(o))
		json_object_set_new(o, "pid", json_integer(0));
	export_put_int(o, "tid", p, "tid");
	export_put_text(o, "name", export_text(p, "comm"));
	if (*export_text(p, "file.path"))
		export_put(o, "file", file_of(json_object_get(p, "file"), ""));
	snprintf(line, sizeof(line), "%s%s%s", argv0, *args ? " " : "", args);
	if (strlen(line) + 1 < sizeof(line))
		export_put_text(o, "cmd_line", line);
	if (export_int(p, "created_at", &ns) && ns > 0)
		json_object_set_new(o, "created_time", json_integer(ns / 1000000));
	export_put(o, "user", user_of(p));
	if (parent && json_object_get(p, "parent"))
		export_put(o, "parent_process", process_of(json_object_get(p, "parent"), false));
	return o;
}

static json_t *device_of(const struct export_view *v)
{
	return json_pack("{s:s,s:i}", "hostname", *v->host ? v->host : "unknown", "type_id", 0);
}

static json_t *actor_of(const struct export_view *v)
{
	json_t *o = json_object();

	export_put(o, "process", process_of(v->process, true));
	export_put(o, "user", user_of(v->process));
	return o;
}

/* An endpoint has an address or a name. */
static json_t *endpoint_of(const struct export_view *v, const json_t *from, const char *prefix)
{
	json_t *o = json_object();
	char path[64];

	snprintf(path, sizeof(path), "%s.ip", prefix);
	export_put_text(o, "ip", export_text(from, path));
	if (!json_object_size(o))
		export_put_text(o, "hostname", *v->host ? v->host : "unknown");
	snprintf(path, sizeof(path), "%s.port", prefix);
	export_put_int(o, "port", from, path);
	return o;
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

static json_t *metadata_of(const struct export_view *v, const char *suffix)
{
	json_t *o = json_pack("{s:s,s:{s:s,s:s,s:s},s:s}", "version", VERSION, "product", "name", "Tamis",
			      "vendor_name", "Tamis", "version", TAMIS_VERSION, "log_name", "tamis");
	char uid[160];

	json_object_set_new(o, "profiles", json_pack("[s]", "record_integrity"));
	snprintf(uid, sizeof(uid), "%s%s", v->uid, suffix);
	export_put_text(o, "uid", uid);
	json_object_set_new(o, "sequence", json_integer((json_int_t)v->seq));
	json_object_set_new(o, "original_time", json_string(v->time));
	return o;
}

/*
 * What is signed is the log's tree, in which the record is a leaf: its hash leads to a checkpoint's signature by a proof. So the
 * serialization is not one of the schema's, and an event as it stands here has no hash of its own.
 */
static json_t *attestation_of(const struct export_view *v)
{
	char chain[300], before[160], text[HASH_HEX_SIZE];
	merkle_hash leaf;
	json_t *o;

	merkle_leaf(v->raw, v->raw_len, leaf);
	hash_hex(leaf, sizeof(leaf), text);
	snprintf(chain, sizeof(chain), "tamis/%s", v->host);
	o = json_pack("{s:s,s:s,s:{s:i,s:s,s:s,s:i,s:s}}", "uid", v->uid, "chain_uid", chain, "fingerprint",
		      "algorithm_id", 3, "algorithm", "SHA-256", "serialization", "Tamis log record, RFC 9162 leaf",
		      "serialization_id", OTHER, "value", text);
	if (v->seq > 1) {
		snprintf(before, sizeof(before), "%s/%" PRIu64, v->host, v->seq - 1);
		export_put(o, "prev_event", json_pack("{s:s}", "uid", before));
	}
	return json_pack("[o]", o);
}

/* What every event has. */
static json_t *event_of(const struct export_view *v, enum class class, int activity, const char *name,
			const char *suffix)
{
	static const char *const words[] = { "Unknown", "Informational", "Low", "Medium", "High", "Critical" };
	json_t *o = json_object();
	size_t c = 0;

	while (classes[c].class != class)
		c++;
	json_object_set_new(o, "activity_id", json_integer(activity));
	json_object_set_new(o, "activity_name", json_string(name));
	json_object_set_new(o, "category_uid", json_integer(classes[c].category));
	json_object_set_new(o, "category_name", json_string(classes[c].category_name));
	json_object_set_new(o, "class_uid", json_integer(class));
	json_object_set_new(o, "class_name", json_string(classes[c].name));
	json_object_set_new(o, "type_uid", json_integer(class * 100 + activity));
	json_object_set_new(o, "severity_id", json_integer(v->severity));
	json_object_set_new(o, "severity", json_string(words[v->severity]));
	json_object_set_new(o, "time", json_integer((json_int_t)(v->time_ns / 1000000)));
	json_object_set_new(o, "metadata", metadata_of(v, suffix));
	json_object_set_new(o, "attestation_list", attestation_of(v));
	export_put_text(o, "message", v->message);
	return o;
}

static void put_network(json_t *o, const struct export_view *v, enum class class)
{
	const json_t *network = json_object_get(v->o, "network");
	const char *name = export_text(v->event, "question.name");

	if (network) {
		export_put(o, "src_endpoint", endpoint_of(v, network, "source"));
		export_put(o, "dst_endpoint", endpoint_of(v, network, "destination"));
	} else {
		export_put(o, strcmp(v->type, "connect") == 0 ? "dst_endpoint" : "src_endpoint",
			   endpoint_of(v, v->event, "addr"));
	}
	if (class == DNS && *name)
		export_put(o, "query", json_pack("{s:s}", "hostname", name));
}

/* What a class asks for. */
static void put_class(json_t *o, const struct export_view *v, enum class class)
{
	const json_t *tracee = json_object_get(v->event, "tracee"), *target = json_object_get(v->event, "target");
	const json_t *file = json_object_get(v->event, "file");

	if (class == FILES)
		export_put(o, "file", file_of(file, v->path));
	if (class == FILES && *export_text(file, "destination.path"))
		export_put(o, "file_result", file_of(json_object_get(file, "destination"), ""));
	if (class == EXTENSION)
		export_put(o, "driver", json_pack("{s:o}", "file", file_of(file, export_text(v->event, "name"))));
	if (class == KERNEL)
		export_put(o, "kernel", json_pack("{s:s,s:i}", "name", v->type, "type_id", 2));
	if (class == MEMORY || class == PROCESS)
		export_put(o, "process", process_of(tracee ? tracee : target ? target : v->process, true));
	if (class == NETWORK || class == DNS)
		put_network(o, v, class);
	if (strcmp(v->type, "exit") == 0)
		export_put_int(o, "exit_code", v->event, "code");
}

static json_t *activity_event(const struct export_view *v, const struct activity *a)
{
	int activity = a->activity;
	const char *name = a->name;
	json_t *o;

	if (a->class == NETWORK && activity == 1 && v->retval < 0 && v->retval != -115) {
		activity = v->retval == -111 ? 5 : 4;
		name = activity == 5 ? "Refuse" : "Fail";
	}
	if (a->class == DNS && json_object_get(v->event, "response")) {
		activity = 2;
		name = "Response";
	}
	o = event_of(v, a->class, activity, name, "/activity");
	json_object_set_new(o, "status_id", json_integer(v->retval < 0 ? 2 : 1));
	json_object_set_new(o, "device", device_of(v));
	if (a->class != BASE)
		json_object_set_new(o, "actor", actor_of(v));
	put_class(o, v, a->class);
	return o;
}

static json_t *finding(const struct export_view *v, const struct activity *a)
{
	json_t *o = event_of(v, FINDING, 1, "Create", ""), *info, *evidence = json_object();
	char uid[160];

	snprintf(uid, sizeof(uid), "%s/activity", v->uid);
	info = json_pack("{s:s,s:s,s:{s:s,s:s,s:i},s:[{s:s,s:i}]}", "uid", v->uid, "title",
			 *v->rule ? v->rule : v->kind, "analytic", "name", *v->rule ? v->rule : v->kind, "uid",
			 *v->rule ? v->rule : v->kind, "type_id", 1, "related_events", "uid", uid, "type_uid",
			 a->class * 100 + a->activity);
	export_put_text(info, "desc", export_text(v->o, "rule.description"));
	export_put_text(json_object_get(info, "analytic"), "version", v->policy);
	export_put(o, "finding_info", info);
	json_object_set_new(o, "is_alert", json_true());
	json_object_set_new(o, "status_id", json_integer(1));
	json_object_set_new(o, "device", device_of(v));
	export_put(evidence, "actor", actor_of(v));
	if (a->class == FILES)
		export_put(evidence, "file", file_of(json_object_get(v->event, "file"), v->path));
	if (a->class == NETWORK || a->class == DNS)
		put_network(evidence, v, a->class);
	json_object_set_new(o, "evidences", json_pack("[o]", evidence));
	/* all of the event, for what the classes have no place for */
	if (v->event)
		export_put(o, "unmapped", json_pack("{s:O}", v->type, v->event));
	return o;
}

static json_t *with_delivery(json_t *o, const struct export_view *v)
{
	json_t *rest;

	if (!v->by)
		return o;
	if (!json_object_get(o, "unmapped"))
		json_object_set_new(o, "unmapped", json_object());
	rest = json_object_get(o, "unmapped");
	json_object_set_new(rest, "delivery", export_delivery_json(v));
	if (v->by->count) {
		json_object_set_new(o, "count", json_integer((json_int_t)v->by->count));
		json_object_set_new(o, "start_time", json_integer((json_int_t)(v->by->first_ns / 1000000)));
		json_object_set_new(o, "end_time", json_integer((json_int_t)(v->by->last_ns / 1000000)));
	}
	return o;
}

static int render(const struct export_view *v, struct buf *ret)
{
	const struct activity *a = activity_of(v->type);
	json_t *o;
	int r;

	if (!v->alert) {
		o = event_of(v, BASE, OTHER, v->kind, "");
		export_put(o, "unmapped", json_pack("{s:O*}", v->kind, json_object_get(v->o, v->kind)));
		return export_line(with_delivery(o, v), ret);
	}
	r = export_line(with_delivery(activity_event(v, a), v), ret);
	return r < 0 ? r : export_line(with_delivery(finding(v, a), v), ret);
}

const struct export_render export_ocsf = { render };
