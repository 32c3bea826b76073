/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/hostnames.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dns.h"

#define SETS   (HOSTNAMES_MAX / HOSTNAMES_AN_ADDRESS)
#define SECOND 1000000000ull
#define HOUR_S 3600u
#define DAY_S  (24u * HOUR_S)

struct entry {
	uint64_t learned_ns, until_ns; /* until_ns 0: free */
	uint8_t ip[16];
	uint8_t len;
	char name[HOSTNAME_BYTES];
};

/* An address's names are all in one set, so that no address has more than a set holds. */
struct hostnames {
	struct entry sets[SETS][HOSTNAMES_AN_ADDRESS];
};

static struct entry *set_of(struct hostnames *h, const uint8_t ip[16])
{
	uint64_t a, b;

	memcpy(&a, ip, 8);
	memcpy(&b, ip + 8, 8);
	return h->sets[((a ^ b * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull >> 32) % SETS];
}

static bool is_of(const struct entry *e, const uint8_t ip[16], uint64_t now_ns)
{
	return e->until_ns > now_ns && memcmp(e->ip, ip, 16) == 0;
}

struct lesson {
	struct hostnames *h;
	const char *name;
	size_t len;
	uint64_t now_ns;
};

/* The same name's place; else the one that was answered longest ago, which a free one is. */
static struct entry *place_for(const struct lesson *l, const uint8_t ip[16])
{
	struct entry *set = set_of(l->h, ip), *oldest = set;

	for (struct entry *e = set; e < set + HOSTNAMES_AN_ADDRESS; e++) {
		if (is_of(e, ip, l->now_ns) && e->len == l->len && memcmp(e->name, l->name, l->len) == 0)
			return e;
		if (e->until_ns <= l->now_ns)
			e->learned_ns = 0;
		if (e->learned_ns < oldest->learned_ns)
			oldest = e;
	}
	return oldest;
}

static void learn_address(void *ctx, const uint8_t ip[16], uint32_t seconds)
{
	const struct lesson *l = ctx;
	struct entry *e = place_for(l, ip);

	seconds = seconds < HOUR_S ? HOUR_S : seconds > DAY_S ? DAY_S : seconds;
	e->learned_ns = l->now_ns;
	e->until_ns = l->now_ns + seconds * SECOND;
	memcpy(e->ip, ip, 16);
	e->len = (uint8_t)l->len;
	memcpy(e->name, l->name, l->len);
}

static void count(void *ctx, const uint8_t ip[16], uint32_t seconds)
{
	(void)ctx;
	(void)ip;
	(void)seconds;
}

void hostnames_learn(struct hostnames_table *t, const void *message, size_t len, uint64_t now_ns)
{
	char name[DNS_NAME_TEXT];
	struct lesson l = { .name = name, .now_ns = now_ns };

	if (!dns_answer_addresses(message, len, count, NULL) || dns_question_name(message, len, name, &l.len) < 0 ||
	    l.len > HOSTNAME_BYTES)
		return;
	if (!t->h)
		t->h = calloc(1, sizeof(*t->h));
	l.h = t->h;
	if (t->h)
		dns_answer_addresses(message, len, learn_address, &l);
}

uint32_t hostnames_of(const struct hostnames_table *t, const uint8_t ip[16], uint64_t now_ns,
		      struct val ret[HOSTNAMES_AN_ADDRESS])
{
	const struct entry *found[HOSTNAMES_AN_ADDRESS], *set = t->h ? set_of(t->h, ip) : NULL;
	uint32_t n = 0;

	for (const struct entry *e = set; e && e < set + HOSTNAMES_AN_ADDRESS; e++) {
		uint32_t i = n;

		if (!is_of(e, ip, now_ns))
			continue;
		for (; i && found[i - 1]->learned_ns < e->learned_ns; i--)
			found[i] = found[i - 1];
		found[i] = e;
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (struct val){ .s = found[i]->name, .len = found[i]->len };
	return n;
}

void hostnames_done(struct hostnames_table *t)
{
	free(t->h);
	t->h = NULL;
}
