/* SPDX-License-Identifier: Apache-2.0 */
/* Package databases of any bytes: an rpm header, or (first byte 'm') a list of MD5 sums of dpkg's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/fim/pkg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int see(void *ctx, const struct pkg_file *f)
{
	if (f->path[0] != '/' || strlen(f->path) != f->len || f->len > WATCH_PATH_MAX || f->kind >= HASH_KINDS ||
	    strlen(f->owner) > 1u << 20)
		abort();
	return 0;
}

static int see_info(void *ctx, const struct pkg_info *i)
{
	if (!i->name[0] || strlen(i->version) + strlen(i->release) > 1u << 20 ||
	    strlen(i->source_version) + strlen(i->source_release) > 512)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkg_reader r;
	struct err e;

	if (!size || pkg_reader_init(&r, -1, see, NULL) < 0)
		return 0;
	r.info = see_info;
	if (data[0] == 'm')
		pkg_dpkg_md5sums(&r, "package", (const char *)data + 1, size - 1, "fuzz", &e);
	else
		pkg_rpm_header(&r, data, size, &e);
	pkg_reader_done(&r);
	return 0;
}
