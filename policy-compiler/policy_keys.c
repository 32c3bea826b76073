/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/policy_keys.h"

#include "lib/severity.h"

#define ID_MACRO "^[A-Za-z0-9_]+$"
#define ID_RULE	 "^[A-Za-z0-9_.-]+$"

static const char *const combine_macro_words[] = { "merge", "override", NULL };
static const char *const combine_rule_words[] = { "override", NULL };
static const char *const type_words[] = { "policy", "content_pack", NULL };
static const char *const scope_words[] = { "process", "container", "cgroup", NULL };

static const struct key set_keys[] = {
	{ .name = "name", .shape = KEY_TEXT, .doc = "The variable's name, without ${}", .required = true },
	{ .name = "value", .shape = KEY_ANY, .doc = "The value; or give field or expression" },
	{ .name = "field", .shape = KEY_TEXT, .doc = "The field whose value it takes" },
	{ .name = "expression", .shape = KEY_SECL, .doc = "SECL that gives the value" },
	{ .name = "default_value", .shape = KEY_ANY, .doc = "The value before the first set" },
	{ .name = "append", .shape = KEY_BOOL, .doc = "The variable is a list, to which the value is added" },
	{ .name = "scope",
	  .shape = KEY_TEXT,
	  .words = scope_words,
	  .doc = "One variable for each process, container or cgroup; without, one for all" },
	{ .name = "scope_field", .shape = KEY_TEXT, .doc = "The field that names whose variable is set" },
	{ .name = "size", .shape = KEY_INT, .doc = "Values that a list keeps at most" },
	{ .name = "ttl", .shape = KEY_DURATION, .doc = "How long a value is kept" },
	{ .name = "private", .shape = KEY_BOOL, .doc = "Alerts do not show it" },
	{ .name = "inherited", .shape = KEY_BOOL, .doc = "Children of a process take it over" },
	{ 0 },
};

static const struct key kill_keys[] = {
	{ .name = "signal", .shape = KEY_TEXT, .doc = "SIGKILL, SIGTERM, ..." },
	{ .name = "scope", .shape = KEY_TEXT, .words = scope_words, .doc = "What is killed" },
	{ .name = "disable_container_disarmer",
	  .shape = KEY_BOOL,
	  .doc = "Goes on however many containers it was used in" },
	{ .name = "disable_executable_disarmer",
	  .shape = KEY_BOOL,
	  .doc = "Goes on however many programs it was used on" },
	{ 0 },
};

static const struct key coredump_keys[] = {
	{ .name = "process", .shape = KEY_BOOL, .doc = "Dump what is known of the process" },
	{ .name = "mount", .shape = KEY_BOOL, .doc = "Dump the table of mounts" },
	{ .name = "dentry", .shape = KEY_BOOL, .doc = "Dump the names of files that are known" },
	{ .name = "no_compression", .shape = KEY_BOOL, .doc = "Do not compress the dump" },
	{ 0 },
};

static const struct key hash_keys[] = {
	{ .name = "field", .shape = KEY_TEXT, .doc = "The file that is hashed: open.file, exec.file, ..." },
	{ .name = "max_file_size", .shape = KEY_INT, .doc = "Larger files are not hashed" },
	{ 0 },
};

static const struct key log_keys[] = {
	{ .name = "level", .shape = KEY_TEXT, .doc = "debug, info, warning or error" },
	{ .name = "message", .shape = KEY_TEXT, .doc = "What is logged" },
	{ 0 },
};

static const struct key network_filter_keys[] = {
	{ .name = "filter", .shape = KEY_TEXT, .doc = "Which packets, in the syntax of pcap-filter(7)" },
	{ .name = "policy", .shape = KEY_TEXT, .doc = "What becomes of them" },
	{ .name = "scope", .shape = KEY_TEXT, .words = scope_words, .doc = "Whose packets" },
	{ 0 },
};

static const struct key deny_keys[] = {
	{ 0 },
};

static const struct key capture_keys[] = {
	{ .name = "before", .shape = KEY_DURATION, .doc = "How much of the time before the match is kept; 5s" },
	{ .name = "after", .shape = KEY_DURATION, .doc = "How long it goes on after the match; 10s" },
	{ 0 },
};

static const struct key action_keys[] = {
	{ .name = "filter", .shape = KEY_SECL, .doc = "The action runs only where this holds" },
	{ .name = "set", .shape = KEY_MAP, .keys = set_keys, .doc = "Sets a variable" },
	{ .name = "kill", .shape = KEY_MAP, .keys = kill_keys, .doc = "Kills the process, container or cgroup" },
	{ .name = "deny", .shape = KEY_MAP, .keys = deny_keys, .doc = "The kernel refuses the operation" },
	{ .name = "coredump", .shape = KEY_MAP, .keys = coredump_keys, .doc = "Writes down what is known" },
	{ .name = "hash", .shape = KEY_MAP, .keys = hash_keys, .doc = "Adds hashes of a file to the alert" },
	{ .name = "log", .shape = KEY_MAP, .keys = log_keys, .doc = "Logs a message" },
	{ .name = "network_filter", .shape = KEY_MAP, .keys = network_filter_keys, .doc = "Drops packets" },
	{ .name = "capture",
	  .shape = KEY_MAP,
	  .keys = capture_keys,
	  .doc = "Writes the events around the match to a file" },
	{ 0 },
};

static const struct key override_keys[] = {
	{ .name = "fields",
	  .shape = KEY_TEXT_LIST,
	  .doc = "Parts that are replaced: all, expression, actions, every, tags, product_tags" },
	{ 0 },
};

const struct key policy_rule_keys[] = {
	{ .name = "id",
	  .shape = KEY_TEXT,
	  .doc = "The rule's name in alerts: letters, digits, _ . -",
	  .pattern = ID_RULE,
	  .required = true },
	{ .name = "version", .shape = KEY_TEXT, .doc = "Of the rule; alerts carry it instead of the policy's" },
	{ .name = "description", .shape = KEY_TEXT, .doc = "What happened when the rule fires" },
	{ .name = "expression", .shape = KEY_SECL, .doc = "When the rule fires, in SECL; one event type a rule" },
	{ .name = "agent_version", .shape = KEY_TEXT, .doc = "A range of versions, as in \">= 7.65, < 7.70\"" },
	{ .name = "filters", .shape = KEY_TEXT_LIST, .doc = "Conditions on the host, all of which have to hold" },
	{ .name = "disabled", .shape = KEY_BOOL, .doc = "The rule is not in the bundle" },
	{ .name = "combine",
	  .shape = KEY_TEXT,
	  .words = combine_rule_words,
	  .doc = "override: replaces parts of the rule of that id" },
	{ .name = "override_options", .shape = KEY_MAP, .keys = override_keys, .doc = "Which parts are replaced" },
	{ .name = "actions",
	  .shape = KEY_MAP_LIST,
	  .keys = action_keys,
	  .doc = "What is done when the rule fires, one kind each" },
	{ .name = "every", .shape = KEY_DURATION, .doc = "One alert in this time at most" },
	{ .name = "limiter_token",
	  .shape = KEY_TEXT_LIST,
	  .doc = "Fields: with every, one alert in that time for each tuple of their values" },
	{ .name = "silent", .shape = KEY_BOOL, .doc = "The rule's actions run, but it raises no alert" },
	{ .name = "group_id", .shape = KEY_TEXT, .doc = "Rules of one group belong together; alerts carry it" },
	{ .name = "priority", .shape = KEY_INT, .doc = "Rules of higher priority go first" },
	{ .name = "tags", .shape = KEY_TEXT_MAP, .doc = "For alerts; severity is info, low, medium, high or critical" },
	{ .name = "product_tags", .shape = KEY_TEXT_LIST, .doc = "Becomes the tag product_tags, joined by commas" },
	{ 0 },
};

const struct key policy_macro_keys[] = {
	{ .name = "id",
	  .shape = KEY_TEXT,
	  .doc = "The name that expressions use: letters, digits, _",
	  .pattern = ID_MACRO,
	  .required = true },
	{ .name = "description", .shape = KEY_TEXT, .doc = "What it stands for" },
	{ .name = "expression", .shape = KEY_SECL, .doc = "SECL: an expression, a list or one value", .list = true },
	{ .name = "values", .shape = KEY_TEXT_LIST, .doc = "A list of strings, instead of expression" },
	{ .name = "agent_version", .shape = KEY_TEXT, .doc = "A range of versions, as in \">= 7.65, < 7.70\"" },
	{ .name = "filters", .shape = KEY_TEXT_LIST, .doc = "Conditions on the host, all of which have to hold" },
	{ .name = "combine",
	  .shape = KEY_TEXT,
	  .words = combine_macro_words,
	  .doc = "merge: adds values to the macro of that id; override: replaces it" },
	{ 0 },
};

const struct key policy_watch_keys[] = {
	{ .name = "id",
	  .shape = KEY_TEXT,
	  .doc = "The watch's name in reports: letters, digits, _ . -",
	  .pattern = ID_RULE,
	  .required = true },
	{ .name = "version", .shape = KEY_TEXT, .doc = "Of the watch; reports carry it instead of the policy's" },
	{ .name = "description", .shape = KEY_TEXT, .doc = "What is watched" },
	{ .name = "paths", .shape = KEY_TEXT_LIST, .doc = "Absolute path globs of what is watched" },
	{ .name = "exclude", .shape = KEY_TEXT_LIST, .doc = "Absolute path globs of what is not, nor what is below" },
	{ .name = "recursive", .shape = KEY_BOOL, .doc = "What is below a path is watched, too; true" },
	{ .name = "one_filesystem", .shape = KEY_BOOL, .doc = "What is mounted below a path is not watched; false" },
	{ .name = "attributes", .shape = KEY_TEXT_LIST, .doc = "What is compared, as in [all, -ctime]; [standard]" },
	{ .name = "growing", .shape = KEY_BOOL, .doc = "A log: it may become longer, what was there has to stay" },
	{ .name = "diff", .shape = KEY_BOOL, .doc = "Keeps the content of text files, to show what changed" },
	{ .name = "diff_max_size", .shape = KEY_INT, .doc = "Bytes of a file that is kept for that; 65536" },
	{ .name = "never_store", .shape = KEY_TEXT_LIST, .doc = "Absolute path globs whose content is not kept" },
	{ .name = "debounce",
	  .shape = KEY_DURATION,
	  .doc = "How long a file has to be left alone before tamisd looks at it; 200ms, 0s: at once" },
	{ .name = "severity", .shape = KEY_TEXT, .words = severity_words, .doc = "Of a change; medium" },
	{ .name = "tags", .shape = KEY_TEXT_MAP, .doc = "Names and values that reports carry" },
	{ .name = "disabled", .shape = KEY_BOOL, .doc = "The watch is not in the bundle" },
	{ .name = "combine",
	  .shape = KEY_TEXT,
	  .words = combine_rule_words,
	  .doc = "override: replaces the watch of that id" },
	{ .name = "agent_version", .shape = KEY_TEXT, .doc = "A range of versions, as in \">= 7.65, < 7.70\"" },
	{ .name = "filters", .shape = KEY_TEXT_LIST, .doc = "Conditions on the host, all of which have to hold" },
	{ 0 },
};

const struct key policy_keys[] = {
	{ .name = "version", .shape = KEY_TEXT, .doc = "Of the policy; alerts carry it" },
	{ .name = "type", .shape = KEY_TEXT, .words = type_words, .doc = "Both mean the same here" },
	{ .name = "replace_policy_id",
	  .shape = KEY_TEXT,
	  .doc = "The policy that this one takes the place of, by the name of its file" },
	{ .name = "macros", .shape = KEY_LIST, .items = policy_macro_keys, .doc = "Names for parts of expressions" },
	{ .name = "rules", .shape = KEY_LIST, .items = policy_rule_keys, .doc = "When alerts are raised" },
	{ .name = "watches", .shape = KEY_LIST, .items = policy_watch_keys, .doc = "Files that should not change" },
	{ .name = "hooks", .shape = KEY_LIST, .not_yet = "no probe is made on demand", .doc = "Probes on demand" },
	{ .name = "tests", .shape = KEY_LIST, .items = test_keys, .doc = "Tests of the rules; tamisc test runs them" },
	{ 0 },
};
