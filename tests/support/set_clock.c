/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system's clock, as a test sets it for its own daemon alone: FANCAP_CLOCK names a file of
 * eight bytes in the daemon's environment, by how many nanoseconds it is ahead of this machine's.
 * The kernel's stamps of packets are as ever.  Such a clock is one that somebody keeps right,
 * and that is in doubt for four seconds, not an hour, after it was set.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const _Atomic int64_t *ahead_ns;

/* Before main(), since a worker may open no file. */
__attribute__((constructor)) static void map_clock(void)
{
	const char *name = getenv("FANCAP_CLOCK");
	void *bytes;
	int fd;

	if (!name)
		return;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead_ns), PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		exit(71);
	close(fd);
	ahead_ns = bytes;
}

bool clock_as_kept(bool is_kept)
{
	return ahead_ns || is_kept;
}

uint64_t clock_doubt_as_set(uint64_t ns)
{
	return ahead_ns ? 4 * NSEC_PER_SEC : ns;
}

uint64_t clock_as_set(uint64_t utc_ns)
{
	return ahead_ns ? utc_ns + (uint64_t)atomic_load(ahead_ns) : utc_ns;
}
