/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/priv/msg.h"

static void print_policy(const json_t *p)
{
	printf("policy     %s, %" PRIu64 " rules, generation %" PRIu64 ", %s\n", show_str(p, "name"),
	       show_u64(p, "rules"), show_u64(p, "generation"),
	       json_is_true(json_object_get(p, "trusted")) ? "signed by the trusted key" : "signature not checked");
	printf("           bundle %s\n", show_str(p, "bundle"));
	if (show_u64(p, "off"))
		printf("           %" PRIu64 " of the rules are off: their filters do not fit this host\n",
		       show_u64(p, "off"));
}

static void print_events(const json_t *e)
{
	char seen[SHOW_MAX], dropped[SHOW_MAX], sent[SHOW_MAX], lost[SHOW_MAX];
	uint64_t n = show_u64(e, "seen");

	printf("events     %s seen, %s dropped by the sieve (%.1f%%), %s sent, %s lost", show_count(n, seen),
	       show_count(show_u64(e, "dropped"), dropped),
	       n ? 100.0 * (double)show_u64(e, "dropped") / (double)n : 0.0, show_count(show_u64(e, "sent"), sent),
	       show_count(show_u64(e, "lost"), lost));
	if (show_u64(e, "missed"))
		printf("; %s runs of hooks were missed", show_count(show_u64(e, "missed"), lost));
	putchar('\n');
}

/* "BLIND: bind connect" */
static void print_blind(const json_t *blind)
{
	size_t i;
	json_t *name;

	if (!json_array_size(blind))
		return;
	printf("BLIND     ");
	json_array_foreach(blind, i, name) printf(" %s", json_string_value(name));
	printf(": rules on these do not work here, see tamisctl hooks\n");
}

static void print_canary(const json_t *c)
{
	const char *state = show_str(c, "state");
	const json_t *blind = json_object_get(c, "blind");
	char ago[SHOW_MAX];
	size_t i;
	json_t *name;

	printf("canary     ");
	if (strcmp(state, "up") != 0)
		printf("%s\n", strcmp(state, "dead") == 0 ? "DEAD: nothing tells whether the hooks see" : state);
	else if (!json_array_size(blind))
		printf("every kind of act was seen, %s ago\n", show_seconds(show_u64(c, "since"), ago));
	else {
		printf("BLIND: ");
		json_array_foreach(blind, i, name) printf("%s%s", i ? " " : "", json_string_value(name));
		printf(": acts did not arrive, %s ago\n", show_seconds(show_u64(c, "since"), ago));
	}
}

static void print_alerts(const json_t *a)
{
	char made[SHOW_MAX], durable[SHOW_MAX], lost[SHOW_MAX], skipped[SHOW_MAX];
	char suppressed[SHOW_MAX], silent[SHOW_MAX];

	printf("alerts     %s made, %s in the log, %s lost", show_count(show_u64(a, "made"), made),
	       show_count(show_u64(a, "durable"), durable), show_count(show_u64(a, "lost"), lost));
	if (show_u64(a, "suppressed") || show_u64(a, "silent"))
		printf("; %s held back by their rules' limits, %s of silent rules",
		       show_count(show_u64(a, "suppressed"), suppressed), show_count(show_u64(a, "silent"), silent));
	if (show_u64(a, "skipped"))
		printf("; %s not printed, because nobody read them", show_count(show_u64(a, "skipped"), skipped));
	putchar('\n');
}

static void print_log(const json_t *l)
{
	printf("log        last record %" PRIu64 ", %" PRIu64 " waiting", show_u64(l, "seq"), show_u64(l, "pending"));
	if (*show_str(l, "error"))
		printf("; CANNOT BE WRITTEN: %s", show_str(l, "error"));
	putchar('\n');
	if (*show_str(l, "epoch_error"))
		printf("log key    CANNOT BE REPLACED, and stays in use: %s (tamisd's messages say more)\n",
		       show_str(l, "epoch_error"));
	if (*show_str(l, "prune_error"))
		printf("retention  old segments CANNOT BE PRUNED: %s (tamisd's messages say more)\n",
		       show_str(l, "prune_error"));
}

static void print_queue(const json_t *q, uint64_t processes)
{
	char bytes[SHOW_MAX], peak[SHOW_MAX], n[SHOW_MAX], p[SHOW_MAX];

	printf("engine     %s records wait (%s, at most %s), %s processes known\n",
	       show_count(show_u64(q, "records"), n), show_bytes(show_u64(q, "bytes"), bytes),
	       show_bytes(show_u64(q, "peak"), peak), show_count(processes, p));
}

static void print_shed(const json_t *shed)
{
	char n[SHOW_MAX];
	const char *name, *level;
	json_t *of, *count;

	if (!show_u64(shed, "total"))
		return;
	printf("SHED       %s events of less important rules, because there was too much:",
	       show_count(show_u64(shed, "total"), n));
	json_object_foreach(json_object_get(shed, "events"), name, of)
	{
		printf(" %s", name);
		json_object_foreach(of, level, count)
			printf(" %s %s", level, show_count((uint64_t)json_integer_value(count), n));
	}
	putchar('\n');
}

static void print_variables(const json_t *v)
{
	char held[SHOW_MAX], lost[SHOW_MAX];

	if (!show_u64(v, "held") && !show_u64(v, "lost"))
		return;
	printf("variables  %s held", show_count(show_u64(v, "held"), held));
	if (show_u64(v, "lost"))
		printf("; %s gave way to others", show_count(show_u64(v, "lost"), lost));
	putchar('\n');
}

static void print_lookups(const json_t *v)
{
	char asked[SHOW_MAX], kept[SHOW_MAX], up[SHOW_MAX], spared[SHOW_MAX], learned[SHOW_MAX];

	if (!show_u64(v, "asked") && !show_u64(v, "given_up"))
		return;
	printf("look-ups   %s of hashes and packages, %s were remembered", show_count(show_u64(v, "asked"), asked),
	       show_count(show_u64(v, "kept"), kept));
	if (show_u64(v, "given_up"))
		printf("; %s given up, because they take too long", show_count(show_u64(v, "given_up"), up));
	if (show_u64(v, "spared"))
		printf("; %s opens were not even sent, for what %s of them have told",
		       show_count(show_u64(v, "spared"), spared), show_count(show_u64(v, "learned"), learned));
	putchar('\n');
}

static void print_containers(const json_t *v)
{
	char asked[SHOW_MAX], failed[SHOW_MAX], up[SHOW_MAX];

	if (strcmp(show_str(v, "state"), "off") == 0)
		return;
	printf("containers %s names known, of %s asked for", show_count(show_u64(v, "known"), up),
	       show_count(show_u64(v, "asked"), asked));
	if (show_u64(v, "failed"))
		printf("; %s not to be had", show_count(show_u64(v, "failed"), failed));
	if (show_u64(v, "given_up"))
		printf("; %s given up, because the runtime takes too long", show_count(show_u64(v, "given_up"), up));
	putchar('\n');
}

/* "integrity  200,041 files in the baseline; 3 differ (tamisctl fim diff), 2 changes accepted, 0 wait" */
static void print_fim(const json_t *f)
{
	char files[SHOW_MAX], changed[SHOW_MAX], accepted[SHOW_MAX], waiting[SHOW_MAX], lost[SHOW_MAX];
	const char *state = show_str(f, "state");

	if (!*state || strcmp(state, "off") == 0)
		return;
	if (strcmp(state, "up") != 0) {
		printf("integrity  no baseline yet: tamisctl fim init\n");
		return;
	}
	printf("integrity  %s files in the baseline, %s differ%s, %s accepted from packages, %s wait",
	       show_count(show_u64(f, "files"), files), show_count(show_u64(f, "changed"), changed),
	       show_u64(f, "changed") ? " (tamisctl fim check)" : "", show_count(show_u64(f, "accepted"), accepted),
	       show_count(show_u64(f, "queue"), waiting));
	if (show_u64(f, "lost"))
		printf(", %s events lost", show_count(show_u64(f, "lost"), lost));
	if (strcmp(show_str(f, "inodes_rung"), "none") == 0)
		printf("; by names only");
	else if (show_u64(f, "inodes_full"))
		printf("; %s by names only", show_count(show_u64(f, "inodes_full"), lost));
	putchar('\n');
}

static void print_responses(const json_t *v)
{
	char asked[SHOW_MAX], killed[SHOW_MAX], failed[SHOW_MAX];

	if (!show_u64(v, "asked"))
		return;
	printf("responses  %s asked for, %s processes hit", show_count(show_u64(v, "asked"), asked),
	       show_count(show_u64(v, "killed"), killed));
	if (show_u64(v, "failed"))
		printf(", %s in vain", show_count(show_u64(v, "failed"), failed));
	if (show_u64(v, "disarmed"))
		printf("; %" PRIu64 " rules disarmed until the next reload", show_u64(v, "disarmed"));
	putchar('\n');
}

/* "denials    4 refused, 1 let through in doubt, by 2 rules" */
static void print_denials(const json_t *v)
{
	char denied[SHOW_MAX], unsure[SHOW_MAX];
	const char *state = show_str(v, "state");

	if (!*state || strcmp(state, "off") == 0)
		return;
	if (strcmp(state, "on") != 0)
		printf("DENIALS    %s: ",
		       strcmp(state, "disarmed") == 0 ? "DISARMED until the next reload" : "NOT POSSIBLE here");
	else
		printf("denials    ");
	printf("%s refused, %s let through in doubt, by %" PRIu64 " rules", show_count(show_u64(v, "denied"), denied),
	       show_count(show_u64(v, "unsure"), unsure), show_u64(v, "rules"));
	if (*show_str(v, "why"))
		printf("; %s", show_str(v, "why"));
	putchar('\n');
}

static void print_captures(const json_t *v)
{
	char kept[SHOW_MAX], bytes[SHOW_MAX];

	if (!show_u64(v, "asked") && !show_u64(v, "files"))
		return;
	printf("captures   %s made for rules, %" PRIu64 " there (%s)", show_count(show_u64(v, "kept"), kept),
	       show_u64(v, "files"), show_bytes(show_u64(v, "bytes"), bytes));
	if (show_u64(v, "shared"))
		printf(", %" PRIu64 " matches shared one", show_u64(v, "shared"));
	if (show_u64(v, "limited"))
		printf(", %" PRIu64 " too many", show_u64(v, "limited"));
	if (show_u64(v, "failed"))
		printf(", %" PRIu64 " failed", show_u64(v, "failed"));
	if (show_u64(v, "removed"))
		printf(", %" PRIu64 " gave way", show_u64(v, "removed"));
	putchar('\n');
}

static void print_processes(const json_t *all)
{
	char rss[SHOW_MAX];
	uint64_t sum = 0;
	size_t i;
	json_t *p;

	printf("processes ");
	json_array_foreach(all, i, p)
	{
		printf(" %s %" PRIu64 " (%s%s%s", show_str(p, "name"), show_u64(p, "pid"),
		       show_bytes(show_u64(p, "rss"), rss), strcmp(show_str(p, "state"), "up") ? ", " : "",
		       strcmp(show_str(p, "state"), "up") ? show_str(p, "state") : "");
		if (show_u64(p, "restarts"))
			printf(", restarted %" PRIu64 " times", show_u64(p, "restarts"));
		putchar(')');
		sum += show_u64(p, "pss");
	}
	printf(", together %s\n", show_bytes(sum, rss));
}

/* "tracepoint: chmod chown ...", a line a rung */
static void print_rungs(json_t *rungs)
{
	static const char *const names[] = { "fentry", "kprobe", "tracepoint" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *event;
		bool any = false;
		json_t *rung;

		json_object_foreach(rungs, event, rung)
		{
			if (strcmp(json_string_value(rung), names[i]) != 0)
				continue;
			printf("%s %s", any ? "" : "hooks     ", any ? "" : names[i]);
			any = true;
			break;
		}
		if (!any)
			continue;
		putchar(':');
		json_object_foreach(rungs, event, rung) if (strcmp(json_string_value(rung), names[i]) == 0)
			printf(" %s", event);
		putchar('\n');
	}
}

/* One line a sink; tamisctl sinks has more. */
static void print_sinks(const json_t *sinks, const json_t *spool)
{
	char n[SHOW_MAX], ago[SHOW_MAX];
	size_t i;
	json_t *s;

	json_array_foreach(sinks, i, s)
	{
		printf("%s %s: %s sent", i ? "          " : "sinks     ", show_str(s, "name"),
		       show_count(show_u64(s, "sent"), n));
		if (show_u64(s, "lag_records"))
			printf(", %s behind", show_count(show_u64(s, "lag_records"), n));
		if (show_u64(s, "failing"))
			printf(", FAILING for %s: %s", show_seconds(show_u64(s, "failing"), ago), show_str(s, "error"));
		putchar('\n');
	}
	if (strcmp(show_str(spool, "state"), "gone") == 0)
		puts("           GONE: the spool was killed with its keeper; restart the sensor");
}

int cmd_status(int argc, char **argv, const char *state_dir)
{
	_cleanup_free_ char *text = NULL;
	char up[SHOW_MAX];
	bool as_json;
	json_t *s;
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	s = show_ask(state_dir, MSG_STATUS, &text);
	if (!s)
		return CTL_FAILED;
	if (as_json) {
		puts(text);
	} else {
		printf("tamis      %s on %s, up %s\n", show_str(s, "version"), show_str(s, "host"),
		       show_seconds(show_u64(s, "uptime"), up));
		print_policy(json_object_get(s, "policy"));
		print_events(json_object_get(s, "events"));
		print_alerts(json_object_get(s, "alerts"));
		print_log(json_object_get(s, "log"));
		print_queue(json_object_get(s, "queue"), show_u64(s, "process_table"));
		print_shed(json_object_get(s, "shed"));
		print_variables(json_object_get(s, "variables"));
		print_lookups(json_object_get(s, "lookups"));
		print_containers(json_object_get(s, "containers"));
		print_fim(json_object_get(s, "fim"));
		print_responses(json_object_get(s, "responses"));
		print_denials(json_object_get(s, "denials"));
		print_captures(json_object_get(s, "captures"));
		print_processes(json_object_get(s, "processes"));
		print_sinks(json_object_get(s, "sinks"), json_object_get(s, "spool"));
		print_rungs(json_object_get(s, "rungs"));
		print_canary(json_object_get(s, "canary"));
		print_blind(json_object_get(s, "blind"));
	}
	json_decref(s);
	return CTL_OK;
}
