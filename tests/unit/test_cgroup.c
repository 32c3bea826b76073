/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/enrich/cgroup.h"

#define ID   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define ID2  "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
#define POD  "8f1c6a5e-1f2d-4c3b-9a77-5d0e5a3c9d11"
#define POD_ "8f1c6a5e_1f2d_4c3b_9a77_5d0e5a3c9d11"
#define ECS  "0a1b2c3d4e5f60718293a4b5c6d7e8f9"

/* Paths as they are found on real machines; the second column is the id, "" where there is none. */
static const struct {
	const char *path, *id;
} cases[] = {
	/* docker: cgroupfs and systemd drivers, v1 and v2, in docker, started by compose */
	{ "/docker/" ID, ID },
	{ "/system.slice/docker-" ID ".scope", ID },
	{ "/docker/" ID2 "/docker/" ID, ID },
	{ "/docker/" ID "/system.slice/nginx.service", ID },
	{ "/docker/" ID "/init.scope", ID },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", ID },
	{ "/../docker/" ID, ID },
	/* containerd */
	{ "/default/" ID, ID },
	{ "/system.slice/nerdctl-" ID ".scope", ID },
	{ "/system.slice/containerd.service/kubepods-besteffort-pod" POD_ ".slice:cri-containerd:" ID, ID },
	/* kubernetes */
	{ "/kubepods/besteffort/pod" POD "/" ID, ID },
	{ "/kubepods/burstable/pod" POD "/" ID, ID },
	{ "/kubepods/pod" POD "/" ID, ID },
	{ "/kubepods/burstable/pod31dd3274a553c4d8d4d7e1a2fd7b5e5c/" ID, ID },
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" ID ".scope", ID },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/crio-" ID ".scope", ID },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/crio-" ID ".scope/container",
	  ID },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice/docker-" ID ".scope", ID },
	{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" POD_
	  ".slice/cri-containerd-" ID ".scope",
	  ID },
	{ "/docker/" ID2 "/kubelet/kubepods/besteffort/pod" POD "/" ID, ID },
	/* CRI-O */
	{ "/system.slice/crio-" ID ".scope", ID },
	{ "/machine.slice/crio-conmon-" ID ".scope", "" },
	/* podman */
	{ "/machine.slice/libpod-" ID ".scope", ID },
	{ "/machine.slice/libpod-" ID ".scope/container", ID },
	{ "/machine.slice/libpod-conmon-" ID ".scope", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", ID },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_" ID2 ".slice/libpod-" ID
	  ".scope/container",
	  ID },
	{ "/libpod_parent/libpod-" ID, ID },
	/* ECS, Fargate */
	{ "/ecs/" ECS "/" ECS "-1234567890", ECS "-1234567890" },
	{ "/ecs/task-arn/" ID, ID },
	{ "/ecs/" POD "/" ID, ID },
	/* garden (Cloud Foundry) */
	{ "/garden/6f265890-5165-7fab-6b52-18d1", "6f265890-5165-7fab-6b52-18d1" },
	{ "/system.slice/garden.service/garden/good/6f265890-5165-7fab-6b52-18d1", "6f265890-5165-7fab-6b52-18d1" },
	/* the last directory alone, as a kernel record may have it */
	{ ID, ID },
	{ "docker-" ID ".scope", ID },
	{ "cri-containerd-" ID ".scope", ID },
	{ ECS "-42", ECS "-42" },
	/* no container */
	{ "", "" },
	{ "/", "" },
	{ "/init.scope", "" },
	{ "/user.slice/user-1000.slice/session-3.scope", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-" POD
	  ".scope",
	  "" },
	{ "/system.slice/ssh.service", "" },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice", "" },
	{ "/kubepods/besteffort/pod" POD, "" },
	{ "/lxc.payload.web/init.scope", "" },
	{ "/docker/" ECS, "" },
	/* one digit too many or too few, capitals, another separator */
	{ "/docker/" ID "0", "" },
	{ "/docker/0" ID, "" },
	{ "/docker/9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08", "" },
	{ "/docker/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0", "" },
	{ "/system.slice/" ID "-5a3f2b.service", "" },
	{ "/ecs/" ECS "-", "" },
	{ "/ecs/" ECS "-12a", "" },
	{ "/garden/6f265890-5165-7fab-6b52-18d12", "" },
	{ "/garden/6f265890-5165-7fab-6b52_18d1", "" },
};

static void real_life_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[512], got[128];
		size_t len = strlen(cases[i].path), n;
		const char *id;
		bool found;

		memcpy(copy, cases[i].path, len); /* without its NUL */
		memset(copy + len, 'a', sizeof(copy) - len);
		found = cgroup_container_id(copy, len, &id, &n);
		snprintf(got, sizeof(got), "%.*s", (int)n, id);
		if (strcmp(got, cases[i].id) != 0)
			print_error("path %s\n", cases[i].path);
		assert_string_equal(got, cases[i].id);
		assert_int_equal(found, n != 0);
	}
}

/* path: runtime, manager, unit, pod */
static const struct {
	const char *path, *runtime, *manager, *unit, *pod;
} facts[] = {
	{ "/docker/" ID, "docker", "docker", "", "" },
	{ "/system.slice/docker-" ID ".scope", "docker", "docker", "docker-" ID ".scope", "" },
	{ "/docker/" ID "/system.slice/nginx.service", "docker", "docker", "", "" },
	{ "/docker/" ID2 "/docker/" ID, "docker", "docker", "", "" },
	{ "/default/" ID, "containerd", "containerd", "", "" },
	{ "/system.slice/nerdctl-" ID ".scope", "containerd", "containerd", "nerdctl-" ID ".scope", "" },
	{ "/system.slice/containerd.service/kubepods-besteffort-pod" POD_ ".slice:cri-containerd:" ID, "containerd",
	  "containerd", "containerd.service", POD },
	{ "/kubepods/besteffort/pod" POD "/" ID, "", "", "", POD },
	{ "/kubepods/burstable/pod31dd3274a553c4d8d4d7e1a2fd7b5e5c/" ID, "", "", "",
	  "31dd3274a553c4d8d4d7e1a2fd7b5e5c" },
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" ID ".scope", "containerd", "containerd",
	  "cri-containerd-" ID ".scope", POD },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/crio-" ID ".scope/container",
	  "cri-o", "cri-o", "crio-" ID ".scope", POD },
	{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" POD_
	  ".slice/cri-containerd-" ID ".scope",
	  "containerd", "containerd", "cri-containerd-" ID ".scope", POD },
	{ "/docker/" ID2 "/kubelet/kubepods/besteffort/pod" POD "/" ID, "", "", "", POD },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice", "", "", "", POD },
	{ "/machine.slice/libpod-" ID ".scope/container", "podman", "podman", "libpod-" ID ".scope", "" },
	{ "/machine.slice/libpod-conmon-" ID ".scope", "", "systemd", "libpod-conmon-" ID ".scope", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_" ID2 ".slice/libpod-" ID
	  ".scope/container",
	  "podman", "podman", "user@1000.service", "" },
	{ "/libpod_parent/libpod-" ID, "podman", "podman", "", "" },
	{ "/ecs/" ECS "/" ECS "-1234567890", "", "", "", "" },
	{ "/garden/6f265890-5165-7fab-6b52-18d1", "garden", "garden", "", "" },
	/* no container */
	{ "", "", "", "", "" },
	{ "/", "", "", "", "" },
	{ "/init.scope", "", "systemd", "init.scope", "" },
	{ "/system.slice/ssh.service", "", "systemd", "ssh.service", "" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "", "systemd", "getty@tty1.service", "" },
	{ "/system.slice/_cpu.service", "", "systemd", "cpu.service", "" },
	{ "/user.slice/user-1000.slice/session-3.scope", "", "systemd", "session-3.scope", "" },
	{ "/user.slice", "", "", "", "" },
	{ "/jobs/a.service", "", "", "", "" },
	{ "/.service", "", "", "", "" },
	/* not quite a pod */
	{ "/pod" POD "/" ID, "", "", "", "" },
	{ "/kubepods/xpod" POD "/" ID, "", "", "", "" },
	{ "/kubepods/pod" POD "a/" ID, "", "", "", "" },
	{ "/kubepods/pod", "", "", "", "" },
};

static void what_else_they_tell(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		size_t len = strlen(facts[i].path);
		char *copy = malloc(len ? len : 1), unit[512]; /* so that a byte too far is noticed */
		struct cgroup_facts f;

		assert_non_null(copy);
		memcpy(copy, facts[i].path, len);
		cgroup_describe(copy, len, &f);
		snprintf(unit, sizeof(unit), "%.*s", (int)f.unit_len, f.unit ? f.unit : "");
		if (strcmp(f.runtime, facts[i].runtime) != 0 || strcmp(unit, facts[i].unit) != 0)
			print_error("path %s\n", facts[i].path);
		assert_string_equal(f.runtime, facts[i].runtime);
		assert_string_equal(f.manager, facts[i].manager);
		assert_string_equal(unit, facts[i].unit);
		assert_string_equal(f.pod, facts[i].pod);
		free(copy);
	}
}

static const struct {
	const char *text, *path;
} procs[] = {
	{ "0::/user.slice/user-1000.slice/session-3.scope\n", "/user.slice/user-1000.slice/session-3.scope" },
	{ "0::/", "/" },
	{ "12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n1:name=systemd:/docker/" ID
	  "\n0::/system.slice/containerd.service\n",
	  "/docker/" ID },
	{ "9:name=systemd:/init.scope\n4:memory:/x\n", "/init.scope" },
	{ "9:name=systemd:/init.scope\n0::/y\n", "/y" },
	{ "4:memory:/jobs/a:b\n", "/jobs/a:b" },
	{ "4:memory:/first\n3:cpu,cpuacct:/second\n", "/first" },
	{ "", NULL },
	{ "\n\n", NULL },
	{ "0:\n", NULL },
	{ "0::\n", NULL },
	{ "garbage", NULL },
	{ "0::relative\n", NULL },
};

static void proc_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(procs) / sizeof(procs[0]); i++) {
		const char *path;
		unsigned version;
		size_t len;
		bool found = cgroup_of_proc(procs[i].text, strlen(procs[i].text), &path, &len, &version);

		assert_int_equal(found, procs[i].path != NULL);
		if (!found)
			continue;
		assert_int_equal(len, strlen(procs[i].path));
		assert_memory_equal(path, procs[i].path, len);
		assert_int_equal(version, strncmp(path - 3, "0::", 3) == 0 ? 2 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_life_paths),
		cmocka_unit_test(what_else_they_tell),
		cmocka_unit_test(proc_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
