/* SPDX-License-Identifier: Apache-2.0 */
/* What container runtimes say, and the containers that wait for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "sensor/priv/msg.h"
#include "sensor/priv/runtime.h"

#define ID     "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER  "0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define HEAD   "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
#define CUT    HEAD "{\"Id\":\"" ID "\""
#define DIGEST "sha256:605c77e624ddb75e6110f997c58876baa13f8754486b461117934b24a9dc3a85"

_Static_assert(MSG_CONTAINER_TEXTS == CONTAINER_NAMES * CONTAINER_TEXT_MAX, "all names fit into a message");

/* ---- the setting --------------------------------------------------------------------------------------------------- */

static void test_setting(void **state)
{
	struct runtime_sources s;
	struct err e = { "" };

	assert_int_equal(runtime_parse(NULL, &s, &e), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(runtime_parse(" docker,podman=/run/user/7/p.sock\tcri-o , containerd", &s, &e), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.v[0].kind, RUNTIME_DOCKER);
	assert_string_equal(s.v[0].path, "/run/docker.sock");
	assert_int_equal(s.v[1].kind, RUNTIME_PODMAN);
	assert_string_equal(s.v[1].path, "/run/user/7/p.sock");
	assert_string_equal(s.v[2].path, "/run/crio/crio.sock");
	assert_int_equal(s.v[3].kind, RUNTIME_CONTAINERD);
	assert_int_equal(runtime_parse("dock", &s, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'dock'"));
	assert_int_equal(runtime_parse("docker=", &s, &e), -EINVAL);
	assert_int_equal(runtime_parse("docker=run/x", &s, &e), -EINVAL);
	assert_int_equal(runtime_parse("docker docker docker docker docker docker docker docker docker", &s, &e),
			 -EINVAL);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static void assert_answer(enum runtime_kind kind, const char *text, const char *want)
{
	struct container_names n;
	char got[8 * CONTAINER_TEXT_MAX] = "";
	size_t len = 0;
	int r = runtime_answer(kind, ID, text, strlen(text), &n);

	for (size_t i = 0; i < CONTAINER_NAMES && r == 0; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "",
					n.text[i][0] ? n.text[i] : "-");
	if (r < 0)
		snprintf(got, sizeof(got), "%s", r == -ENOENT ? "none" : r == -ESTALE ? "stale" : "bad");
	assert_string_equal(got, want);
}

/* In the order of the names: container, image's id, name and tag, then Kubernetes' container, name space and pod. */
static void test_docker(void **state)
{
	assert_answer(RUNTIME_DOCKER,
		      HEAD "{\"Id\":\"" ID "\",\"Name\":\"/web\",\"Image\":\"" DIGEST
			   "\",\"Config\":{\"Image\":\"registry:5000/a/nginx:1.25\",\"Labels\":{}}}",
		      "web " DIGEST " registry:5000/a/nginx 1.25 - - -");
	assert_answer(RUNTIME_PODMAN,
		      HEAD
		      "{\"Id\":\"" ID "\",\"Name\":\"web\",\"Config\":{\"Image\":\"registry:5000/a/nginx@" DIGEST
		      "\",\"Labels\":{\"io.kubernetes.pod.name\":\"web-1\",\"io.kubernetes.pod.namespace\":\"shop\","
		      "\"io.kubernetes.container.name\":\"nginx\"}}}",
		      "web - registry:5000/a/nginx - nginx shop web-1");
	assert_answer(RUNTIME_DOCKER, HEAD "{\"Id\":\"" ID "\",\"Config\":{\"Image\":\"" DIGEST "\"}}",
		      "- " DIGEST " - - - - -");
	/* Podman, of a container without an image */
	assert_answer(RUNTIME_PODMAN,
		      HEAD "{\"Id\":\"" ID "\",\"Name\":\"/web\",\"Image\":\"sha256:\",\"Config\":{\"Image\":\"\"}}",
		      "web - - - - - -");
	assert_answer(RUNTIME_DOCKER, HEAD "{\"Id\":\"" OTHER "\",\"Name\":\"/web\"}", "stale");
	/* of texts that are no names, or no texts, nothing is shown */
	assert_answer(RUNTIME_DOCKER,
		      HEAD "{\"Id\":\"" ID
			   "\",\"Name\":\"/we\\nb\",\"Image\":[1],\"Config\":{\"Image\":\"a b\",\"Labels\":[]}}",
		      "- - - - - - -");
	assert_answer(RUNTIME_DOCKER, HEAD "{\"Id\":\"" ID "\",\"Name\":\"/we\\u0000b\",\"Config\":7}", "bad");
}

static void test_others(void **state)
{
	assert_answer(RUNTIME_CRIO,
		      HEAD
		      "{\"name\":\"k8s_nginx_web-1_shop_x_0\",\"image\":\"quay.io/nginx:1\",\"image_ref\":\"" DIGEST
		      "\",\"labels\":{\"io.kubernetes.pod.name\":\"web-1\",\"io.kubernetes.pod.namespace\":\"shop\","
		      "\"io.kubernetes.container.name\":\"nginx\"}}",
		      "k8s_nginx_web-1_shop_x_0 " DIGEST " quay.io/nginx 1 nginx shop web-1");
	assert_answer(RUNTIME_CRIO, HEAD "{}", "bad");
	assert_answer(RUNTIME_CONTAINERD,
		      "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"nginx\","
		      "\"io.kubernetes.cri.image-name\":\"docker.io/library/nginx:1\","
		      "\"io.kubernetes.cri.sandbox-name\":\"web-1\",\"io.kubernetes.cri.sandbox-namespace\":\"shop\"}}",
		      "nginx - docker.io/library/nginx 1 nginx shop web-1");
	assert_answer(RUNTIME_CONTAINERD, "{\"ociVersion\":\"1.0.2\"}", "- - - - - - -");
	assert_answer(RUNTIME_CONTAINERD, "[]", "bad");
}

static void test_http(void **state)
{
	static const char *const bad[] = { "",
					   "HTTP/1.0",
					   "HTTP/1.0 200 OK\r\n",
					   "HTTP/1.0 500 Oops\r\n\r\n{}",
					   "HTTP/2 200 OK\r\n\r\n{}",
					   "\r\n\r\n            ",
					   HEAD,
					   "220 mail ready\r\n\r\n" };
	struct buf deep;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_answer(RUNTIME_DOCKER, bad[i], "bad");
	assert_answer(RUNTIME_DOCKER, HEAD "{\"Id\":\"" ID "\"", "bad");
	assert_answer(RUNTIME_DOCKER, HEAD "5\r\n{\"Id\"", "bad");
	assert_answer(RUNTIME_DOCKER, "HTTP/1.1 404 Not Found\r\n\r\n{\"message\":\"No such container\"}", "none");
	buf_init(&deep, RUNTIME_ANSWER_MAX + 1);
	buf_puts(&deep, HEAD);
	while (deep.len < RUNTIME_ANSWER_MAX)
		buf_putc(&deep, '[');
	assert_answer(RUNTIME_DOCKER, buf_cstr(&deep), "bad");
	buf_done(&deep);
}

/* ---- containers that wait ------------------------------------------------------------------------------------------ */

static int asked, may;

static int ask(void *ctx, const struct container *c)
{
	if (asked == may)
		return -EAGAIN;
	asked++;
	return 1;
}

static int nobody(void *ctx, const struct container *c)
{
	return 0;
}

static int ask_at(struct containers *s, uint64_t ms, int most)
{
	asked = 0;
	may = most;
	containers_due(s, ms, ask, NULL);
	return asked;
}

static bool has_tag(const struct container *c, const char *tag)
{
	for (uint32_t i = 0; i < c->ntags; i++)
		if (strlen(tag) == c->tags[i].len && memcmp(c->tags[i].s, tag, c->tags[i].len) == 0)
			return true;
	return false;
}

static void test_waiting(void **state)
{
	const struct container_names names = {
		.text = { [CONTAINER_NAME] = "web", [CONTAINER_IMAGE_NAME] = "nginx", [CONTAINER_POD_NAME] = "no name" }
	};
	static struct containers s;
	struct container *a, *b, *ecs;
	size_t bytes;

	containers_init(&s);
	a = container_get(&s, ID, 64, "docker", "");
	assert_int_equal(ask_at(&s, 1, 9), 0); /* nobody asks */
	containers_ask(&s);
	assert_true(s.fresh);
	b = container_get(&s, OTHER, 64, "", "");
	ecs = container_get(&s, "0123456789abcdef0123456789abcdef-1", 34, "", "");
	assert_int_equal(ask_at(&s, 1, 1), 1);
	assert_int_equal(ask_at(&s, 1, 9), 1); /* the other one; the third is known to no runtime */
	assert_int_equal(ask_at(&s, 1, 9), 0); /* both are under way */
	assert_false(s.fresh);

	container_unnamed(a, 1000);
	assert_int_equal(ask_at(&s, 2999, 9), 0);
	assert_int_equal(ask_at(&s, 3000, 9), 1);
	container_unnamed(a, 3000); /* later and later */
	assert_int_equal(ask_at(&s, 10999, 9), 0);
	assert_int_equal(ask_at(&s, 11000, 9), 1);
	for (int i = 0; i < 300; i++)
		container_unnamed(a, 20000);
	assert_int_equal(ask_at(&s, 319999, 9), 0);
	assert_int_equal(ask_at(&s, 320000, 9), 1);
	containers_unasked(&s); /* who was asked is gone */
	assert_int_equal(ask_at(&s, 320000, 9), 2);
	containers_unasked(&s);
	containers_due(&s, 400000, nobody, NULL);
	assert_int_equal(ask_at(&s, 400001, 9), 0);

	bytes = containers_bytes(&s);
	assert_int_equal(container_named(&s, a, &names), 0);
	assert_true(has_tag(a, "container_name:web") && has_tag(a, "image_name:nginx") &&
		    has_tag(a, "container_id:" ID));
	assert_int_equal(a->ntags, 4);
	assert_true(containers_bytes(&s) > bytes);
	container_runtime(a, "podman"); /* made anew, with what is known */
	assert_true(has_tag(a, "runtime:podman") && has_tag(a, "image_name:nginx"));
	assert_int_equal(container_named(&s, a, &names), 0);
	assert_int_equal(a->ntags, 4);
	container_unref(&s, a);
	assert_true(containers_bytes(&s) < bytes);
	assert_int_equal(ask_at(&s, 1000000, 9), 1);
	container_unref(&s, b); /* with a question under way */
	container_unref(&s, ecs);
	assert_null(container_find(&s, ID, 64));
	assert_int_equal(containers_bytes(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_setting), cmocka_unit_test(test_docker),
					    cmocka_unit_test(test_others), cmocka_unit_test(test_http),
					    cmocka_unit_test(test_waiting) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
