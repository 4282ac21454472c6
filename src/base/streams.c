/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/streams.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

void streams_fill(void)
{
	/* The other way round, so that what is lost is told. */
	static const int modes[] = {
		[STDIN_FILENO] = O_WRONLY,
		[STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDONLY,
	};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", modes[fd]);
}

int streams_flush(void)
{
	bool has_failed = ferror(stdout);

	if (fflush(stdout) < 0)
		return log_failure(-errno, "cannot write to standard output");
	return has_failed ? log_failure(-EIO, "cannot write to standard output") : 0;
}
