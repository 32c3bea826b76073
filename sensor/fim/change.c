/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/change.h"

#include "lib/severity.h"

#define MAGIC	 0xc1
#define TEXT_MAX 256

static void put_text(struct buf *b, const char *s, uint32_t n)
{
	fact_put_number(b, n);
	buf_put(b, s, n);
}

int change_put(const struct change *c, struct buf *out)
{
	buf_putc(out, MAGIC);
	buf_putc(out, c->kind);
	buf_putc(out, c->severity);
	buf_putc(out, c->package);
	fact_put_number(out, c->mask);
	put_text(out, c->watch, c->watch_len < TEXT_MAX ? c->watch_len : TEXT_MAX);
	put_text(out, c->owner, c->owner_len < TEXT_MAX ? c->owner_len : TEXT_MAX);
	fact_put_number(out, c->fact_len);
	buf_put(out, c->fact, c->fact_len);
	return buf_error(out);
}

static int get_text(struct rd *r, const char **ret, uint32_t *ret_len)
{
	const uint8_t *p;
	uint64_t n;

	if (fact_get_number(r, &n) < 0 || n > TEXT_MAX || rd_bytes(r, (size_t)n, &p) < 0)
		return -EBADMSG;
	*ret = (const char *)p;
	*ret_len = (uint32_t)n;
	return 0;
}

int change_read(const void *p, size_t n, struct change *ret)
{
	struct rd r = rd_of(p, n);
	struct change c = { 0 };
	struct fact f;
	uint64_t mask, len;
	uint8_t magic;

	if (rd_u8(&r, &magic) < 0 || magic != MAGIC || rd_u8(&r, &c.kind) < 0 || !c.kind || c.kind >= CHANGE_KINDS ||
	    rd_u8(&r, &c.severity) < 0 || c.severity > SEVERITY_CRITICAL || rd_u8(&r, &c.package) < 0 ||
	    c.package >= PACKAGES || fact_get_number(&r, &mask) < 0 || mask >= FACT_CHANGED_MASK_MAX ||
	    get_text(&r, &c.watch, &c.watch_len) < 0 || get_text(&r, &c.owner, &c.owner_len) < 0 ||
	    fact_get_number(&r, &len) < 0 || len > FACT_SIZE_MAX || rd_bytes(&r, (size_t)len, &c.fact) < 0 ||
	    rd_end(&r) < 0)
		return -EBADMSG;
	if ((c.kind == CHANGE_REMOVED) != (len == 0) || (len && fact_read(c.fact, (size_t)len, &f) < 0))
		return -EBADMSG;
	c.mask = (uint32_t)mask;
	c.fact_len = (uint32_t)len;
	*ret = c;
	return 0;
}

const char *change_kind_name(unsigned int kind)
{
	static const char *const names[] = { "?", "added", "removed", "changed" };

	return kind < CHANGE_KINDS ? names[kind] : "?";
}

const char *change_package_name(unsigned int package)
{
	static const char *const names[] = { "", "none", "matches", "content", "conffile", "differs", "unknown" };

	return package < PACKAGES ? names[package] : "?";
}

uint8_t change_severity(uint8_t of_watch, unsigned int package)
{
	if (package == PACKAGE_MATCHES)
		return of_watch < SEVERITY_LOW ? of_watch : SEVERITY_LOW;
	if (package == PACKAGE_DIFFERS && of_watch < SEVERITY_CRITICAL)
		return (uint8_t)(of_watch + 1);
	return of_watch;
}
