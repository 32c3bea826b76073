/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/catalog.h"

static void test_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < cat_nconstants; i++) {
		assert_in_range(cat_constants[i].group, CG_NONE + 1, CG_GROUPS - 1);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(cat_constants[i].name, cat_constants[k].name);
	}
}

static int64_t value(const char *name)
{
	const struct cat_constant *c = catalog_constant(catalog_tamis(), name, strlen(name));

	if (!c)
		fail_msg("%s is missing", name);
	return c->value;
}

/* The values are amd64's. Those that every architecture shares are the ones of the system's headers. */
static void test_values(void **state)
{
	(void)state;
#define SAME(NAME)  assert_int_equal(value(#NAME), NAME)
#define ERROR(NAME) assert_int_equal(value(#NAME), -NAME)
#define CAP(NAME)   assert_int_equal(value(#NAME), 1LL << NAME)
	ERROR(EPERM), ERROR(EACCES), ERROR(EAGAIN), ERROR(EWOULDBLOCK), ERROR(ENAMETOOLONG), ERROR(ERFKILL),
		ERROR(EINPROGRESS);
	SAME(O_WRONLY), SAME(O_RDWR), SAME(O_CREAT), SAME(O_TRUNC), SAME(O_APPEND), SAME(O_CLOEXEC), SAME(O_EXCL),
		SAME(O_SYNC);
	SAME(S_ISUID), SAME(S_ISGID), SAME(S_ISVTX), SAME(S_IRWXU), SAME(S_IXOTH), SAME(S_IFMT), SAME(S_IFSOCK),
		SAME(S_IFREG);
	SAME(AF_UNIX), SAME(AF_INET), SAME(AF_INET6), SAME(AF_NETLINK), SAME(AF_PACKET), SAME(AF_VSOCK),
		SAME(AT_REMOVEDIR);
	CAP(CAP_CHOWN), CAP(CAP_SYS_ADMIN), CAP(CAP_MAC_OVERRIDE), CAP(CAP_BPF), CAP(CAP_CHECKPOINT_RESTORE);
	assert_int_equal(value("IP_PROTO_TCP"), IPPROTO_TCP);
	assert_int_equal(value("IP_PROTO_UDPLITE"), IPPROTO_UDPLITE);
	assert_int_equal(value("AUDIT_AUID_UNSET"), UINT32_MAX);
	assert_int_equal(value("O_RDONLY"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
