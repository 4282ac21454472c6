/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/quarantine.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

void quarantine_name(char *name, size_t size, const struct quarantine_origin *origin)
{
	snprintf(name, size, "quarantine/%s-%s-%" PRIu32 "-%" PRIx64 "-%" PRIu64 ".block",
	    origin->sensor, origin->interface, origin->worker, origin->cookie, origin->number);
}

int quarantine_put(int output, const char *name, const void *bytes, size_t size)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	const uint8_t *from = bytes;
	CLEANUP(close_at) int fd = -1;

	if (mkdirat(output, "quarantine", 0750) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(output, name, flags, 0640);
	if (fd < 0)
		return -errno;
	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}
