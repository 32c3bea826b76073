/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/imds.h"

#include <string.h>
#include <strings.h>

/* A cursor over the bytes. */
struct cut {
	const char *p;
	size_t left;
};

static struct val val_of(const char *text)
{
	return (struct val){ .s = text, .len = (uint32_t)strlen(text) };
}

static bool val_is(struct val v, const char *text)
{
	return v.len == strlen(text) && strncasecmp(v.s, text, v.len) == 0;
}

static bool val_begins(struct val v, const char *text)
{
	size_t n = strlen(text);

	return v.len >= n && strncasecmp(v.s, text, n) == 0;
}

/* Up to @end, which is taken off, too; the rest where there is none. */
static struct val take_until(struct cut *c, char end)
{
	const char *at = c->left ? memchr(c->p, end, c->left) : NULL;
	size_t n = at ? (size_t)(at - c->p) : c->left;
	struct val v = { .s = c->p, .len = (uint32_t)n };

	c->p += n + !!at;
	c->left -= n + !!at;
	return v;
}

static struct val trim(struct val v)
{
	while (v.len && (v.s[v.len - 1] == '\r' || v.s[v.len - 1] == ' ' || v.s[v.len - 1] == '\t'))
		v.len--;
	while (v.len && (v.s[0] == ' ' || v.s[0] == '\t')) {
		v.s++;
		v.len--;
	}
	return v;
}

static struct val take_line(struct cut *c)
{
	return trim(take_until(c, '\n'));
}

/* ---- headers ------------------------------------------------------------------------------------------------------- */

static void request_header(struct imds *m, struct val name, struct val value)
{
	if (val_is(name, "host"))
		m->host = value;
	else if (val_is(name, "user-agent"))
		m->agent = value;
	else if (val_begins(name, "x-aws-ec2-metadata-token")) {
		m->aws_v2 = true;
		m->cloud = val_of("aws");
	} else if (val_is(name, "metadata-flavor"))
		m->cloud = val_of(val_is(value, "ibm") ? "ibm" : "gcp");
	else if (val_is(name, "metadata") && val_is(value, "true"))
		m->cloud = val_of("azure");
	else if (val_is(name, "authorization") && val_is(value, "bearer oracle"))
		m->cloud = val_of("oracle");
}

static void response_header(struct imds *m, struct val name, struct val value)
{
	if (val_is(name, "x-aws-ec2-metadata-token-ttl-seconds")) {
		m->aws_v2 = true;
		m->cloud = val_of("aws");
	} else if (val_is(name, "metadata-flavor")) {
		m->cloud = val_of(val_is(value, "ibm") ? "ibm" : "gcp");
	} else if (val_is(name, "server")) {
		m->server = value;
		if (val_begins(value, "ec2ws"))
			m->cloud = val_of("aws");
		else if (val_begins(value, "metadata server"))
			m->cloud = val_of("gcp");
		else if (val_begins(value, "microsoft-iis") || val_begins(value, "imds/"))
			m->cloud = val_of("azure");
	}
}

/* A header that the end of the bytes may have cut is left out. */
static void headers(struct imds *m, struct cut *c)
{
	while (c->left && memchr(c->p, '\n', c->left)) {
		struct val line = take_line(c), name;
		struct cut in = { line.s, line.len };

		if (!line.len)
			return;
		if (!memchr(line.s, ':', line.len))
			continue;
		name = trim(take_until(&in, ':'));
		if (m->response)
			response_header(m, name, trim((struct val){ .s = in.p, .len = (uint32_t)in.left }));
		else
			request_header(m, name, trim((struct val){ .s = in.p, .len = (uint32_t)in.left }));
	}
}

/* ---- what is asked for, and what comes ----------------------------------------------------------------------------- */

/* By the path, where no header has told. */
static struct val cloud_of_path(struct val url)
{
	static const struct {
		const char *begins, *cloud;
	} paths[] = {
		{ "/latest/", "aws" }, { "/computemetadata/", "gcp" },	 { "/metadata/", "azure" },
		{ "/opc/", "oracle" }, { "/instance_identity/", "ibm" },
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (val_begins(url, paths[i].begins))
			return val_of(paths[i].cloud);
	return (struct val){ .s = NULL };
}

/* "GET /path HTTP/1.1": a method in capitals, a path; the version may be cut off. */
static void request(struct imds *m, struct cut *c)
{
	struct val line = take_line(c), method, url;
	struct cut in = { line.s, line.len };

	method = take_until(&in, ' ');
	url = take_until(&in, ' ');
	for (uint32_t i = 0; i < method.len; i++)
		if (method.s[i] < 'A' || method.s[i] > 'Z')
			return;
	if (!method.len || !url.len)
		return;
	m->url = url;
	headers(m, c);
	if (!m->cloud.len)
		m->cloud = cloud_of_path(url);
}

/* The value of "Type" in a body that has keys; ["Type" : "AWS-HMAC"]. */
static struct val credentials_type(struct cut body)
{
	static const char key[] = "\"Type\"";
	const char *at = body.left ? memmem(body.p, body.left, key, sizeof(key) - 1) : NULL;
	struct cut in;

	if (!at)
		return (struct val){ .s = NULL };
	at += sizeof(key) - 1;
	in = (struct cut){ at, body.left - (size_t)(at - body.p) };
	while (in.left && (*in.p == ' ' || *in.p == ':' || *in.p == '\t')) {
		in.p++;
		in.left--;
	}
	if (!in.left || *in.p != '"')
		return (struct val){ .s = NULL };
	in.p++;
	in.left--;
	if (!memchr(in.p, '"', in.left < 64 ? in.left : 64))
		return (struct val){ .s = NULL };
	return take_until(&in, '"');
}

void imds_parse(const void *bytes, size_t len, struct imds *ret)
{
	struct cut c = { bytes, len };

	memset(ret, 0, sizeof(*ret));
	ret->response = len >= 5 && memcmp(bytes, "HTTP/", 5) == 0;
	if (!ret->response)
		return request(ret, &c);
	take_line(&c);
	headers(ret, &c);
	ret->credentials = credentials_type(c);
	if (ret->credentials.len && !ret->cloud.len)
		ret->cloud = val_of("aws");
}
