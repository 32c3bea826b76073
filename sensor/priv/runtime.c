/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/runtime.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name, *path;
} kinds[RUNTIME_KINDS] = {
	[RUNTIME_DOCKER] = { "docker", "/run/docker.sock" },
	[RUNTIME_PODMAN] = { "podman", "/run/podman/podman.sock" },
	[RUNTIME_CRIO] = { "cri-o", "/run/crio/crio.sock" },
	[RUNTIME_CONTAINERD] = { "containerd", "/run/containerd/io.containerd.runtime.v2.task" },
};

const char *runtime_kind_name(enum runtime_kind kind)
{
	return kinds[kind].name;
}

/* ---- the setting --------------------------------------------------------------------------------------------------- */

static int add_source(const char *word, size_t len, struct runtime_sources *ret, struct err *e)
{
	const char *eq = memchr(word, '=', len);
	size_t name = eq ? (size_t)(eq - word) : len, path = eq ? len - name - 1 : 0;
	struct runtime_source *s = &ret->v[ret->n];

	if (ret->n == RUNTIME_SOURCES)
		return err_set(e, -EINVAL, "runtime-sockets: more than %d runtimes", RUNTIME_SOURCES);
	for (size_t k = 0; k < COUNT(kinds); k++) {
		if (strlen(kinds[k].name) != name || memcmp(kinds[k].name, word, name) != 0)
			continue;
		if (eq && (path < 2 || path >= sizeof(s->path) || eq[1] != '/'))
			return err_set(e, -EINVAL, "runtime-sockets: %.*s wants an absolute path of at most %zu bytes",
				       (int)name, word, sizeof(s->path) - 1);
		s->kind = (enum runtime_kind)k;
		snprintf(s->path, sizeof(s->path), "%.*s", eq ? (int)path : (int)strlen(kinds[k].path),
			 eq ? eq + 1 : kinds[k].path);
		ret->n++;
		return 0;
	}
	return err_set(e, -EINVAL, "runtime-sockets: there are docker, podman, cri-o and containerd, not '%.*s'",
		       (int)name, word);
}

int runtime_parse(const char *text, struct runtime_sources *ret, struct err *e)
{
	int r = 0;

	*ret = (struct runtime_sources){ .n = 0 };
	while (text && *(text += strspn(text, ", \t")) && r == 0) {
		size_t len = strcspn(text, ", \t");

		r = add_source(text, len, ret, e);
		text += len;
	}
	return r;
}

bool runtime_is_id(const char *id, size_t len)
{
	size_t n = 0;

	while (n < len && (isdigit((unsigned char)id[n]) || (id[n] >= 'a' && id[n] <= 'f')))
		n++;
	return n == RUNTIME_ID && len == RUNTIME_ID;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

/* The string at the end of a path of members; "" where there is none, or none that is fit to be shown. */
static const char *text_at(const json_t *o, const char *first, const char *second)
{
	const char *s;

	o = json_object_get(o, first);
	if (second)
		o = json_object_get(o, second);
	s = json_is_string(o) ? json_string_value(o) : "";
	return strlen(s) == json_string_length(o) && container_text_ok(s) ? s : "";
}

static void put(struct container_names *n, enum container_name which, const char *text, size_t len)
{
	snprintf(n->text[which], sizeof(n->text[which]), "%.*s", (int)len, text);
}

static void put_text(struct container_names *n, enum container_name which, const char *text)
{
	put(n, which, text, strlen(text));
}

static bool is_digest(const char *s)
{
	return strncmp(s, "sha256:", 7) == 0 || runtime_is_id(s, strlen(s));
}

/* Of a container that was made of a directory Podman says "sha256:". */
static void put_image_id(struct container_names *n, const char *id)
{
	if (*id && strcmp(id, "sha256:") != 0)
		put_text(n, CONTAINER_IMAGE_ID, id);
}

/* "registry:5000/path/name:tag@sha256:..." */
static void put_image(struct container_names *n, const char *image)
{
	size_t len = strcspn(image, "@");
	const char *slash = memrchr(image, '/', len), *colon = memrchr(image, ':', len);

	if (is_digest(image)) {
		put_image_id(n, image);
		return;
	}
	if (colon && (!slash || colon > slash)) {
		put(n, CONTAINER_IMAGE_TAG, colon + 1, len - (size_t)(colon + 1 - image));
		len = (size_t)(colon - image);
	}
	put(n, CONTAINER_IMAGE_NAME, image, len);
}

/* The labels that a kubelet gives. */
static void put_labels(struct container_names *n, const json_t *labels)
{
	put_text(n, CONTAINER_KUBE_NAME, text_at(labels, "io.kubernetes.container.name", NULL));
	put_text(n, CONTAINER_KUBE_NAMESPACE, text_at(labels, "io.kubernetes.pod.namespace", NULL));
	put_text(n, CONTAINER_POD_NAME, text_at(labels, "io.kubernetes.pod.name", NULL));
}

/* GET /containers/ID/json of the Docker Engine API. */
static int take_docker(const json_t *o, const char *id, struct container_names *n)
{
	const char *name = text_at(o, "Name", NULL);

	if (strcmp(text_at(o, "Id", NULL), id) != 0)
		return -ESTALE;
	put_text(n, CONTAINER_NAME, name + (*name == '/'));
	put_image(n, text_at(o, "Config", "Image"));
	put_image_id(n, text_at(o, "Image", NULL));
	put_labels(n, json_object_get(json_object_get(o, "Config"), "Labels"));
	return 0;
}

/* GET /containers/ID of CRI-O. */
static int take_crio(const json_t *o, const char *id, struct container_names *n)
{
	if (!json_is_string(json_object_get(o, "image")))
		return -EBADMSG;
	put_text(n, CONTAINER_NAME, text_at(o, "name", NULL));
	put_image(n, text_at(o, "image", NULL));
	if (is_digest(text_at(o, "image_ref", NULL)))
		put_text(n, CONTAINER_IMAGE_ID, text_at(o, "image_ref", NULL));
	put_labels(n, json_object_get(o, "labels"));
	return 0;
}

/* The bundle's config.json: what containerd's CRI writes into its annotations. */
static int take_containerd(const json_t *o, const char *id, struct container_names *n)
{
	static const struct {
		enum container_name which;
		const char *name;
	} annotations[] = {
		{ CONTAINER_NAME, "io.kubernetes.cri.container-name" },
		{ CONTAINER_KUBE_NAME, "io.kubernetes.cri.container-name" },
		{ CONTAINER_KUBE_NAMESPACE, "io.kubernetes.cri.sandbox-namespace" },
		{ CONTAINER_POD_NAME, "io.kubernetes.cri.sandbox-name" },
	};
	const json_t *a = json_object_get(o, "annotations");

	if (!json_is_object(o))
		return -EBADMSG;
	put_image(n, text_at(a, "io.kubernetes.cri.image-name", NULL));
	for (size_t i = 0; i < COUNT(annotations); i++)
		put_text(n, annotations[i].which, text_at(a, annotations[i].name, NULL));
	return 0;
}

/* ---- the answer ---------------------------------------------------------------------------------------------------- */

/* HTTP/1.0: a status, headers, an empty line, and the rest is the body. */
static int skip_head(const char **p, size_t *len)
{
	const char *end = memmem(*p, *len, "\r\n\r\n", 4), *status = memchr(*p, ' ', *len);
	size_t head;

	if (!end || !status || *len < 12 || strncmp(*p, "HTTP/1.", 7) != 0 || end - status < 4)
		return -EBADMSG;
	if (strncmp(status, " 404", 4) == 0)
		return -ENOENT;
	if (strncmp(status, " 200", 4) != 0)
		return -EBADMSG;
	head = (size_t)(end + 4 - *p);
	*p += head;
	*len -= head;
	return 0;
}

int runtime_answer(enum runtime_kind kind, const char *id, const char *bytes, size_t len, struct container_names *ret)
{
	static int (*const take[RUNTIME_KINDS])(const json_t *o, const char *id,
						struct container_names *n) = { take_docker, take_docker, take_crio,
									       take_containerd };
	struct container_names n = { 0 };
	json_t *o;
	int r = kind == RUNTIME_CONTAINERD ? 0 : skip_head(&bytes, &len);

	if (r < 0)
		return r;
	o = json_loadb(bytes, len, 0, NULL);
	if (!o)
		return -EBADMSG;
	r = take[kind](o, id, &n);
	json_decref(o);
	if (r == 0)
		*ret = n;
	return r;
}
