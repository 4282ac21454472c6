/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/retry.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/report.h"
#include "supervisor/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* As long as it is: a byte for each that failed. */
static const char tally_name[] = "failed-starts";
/* Half of what a ring of the default size can wait. */
static const uint64_t longest_ns = 3 * NSEC_PER_SEC;
enum { TALLY_MOST = 16 };

/* How many have failed, this one among them: where that cannot be said, as many as matter. */
static unsigned int count_failed(const char *directory)
{
	CLEANUP(close_at) int runtime = open(directory, O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_at) int fd = -1;
	struct stat status;

	if (runtime < 0)
		return TALLY_MOST;
	fd = openat(
	    runtime, tally_name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return TALLY_MOST;
	if (status.st_size >= TALLY_MOST || write(fd, "\n", 1) != 1)
		return TALLY_MOST;
	return (unsigned int)status.st_size + 1;
}

static uint64_t delay_after(unsigned int failed)
{
	struct restart restart = { .most_ns = longest_ns };

	while (failed-- > 0)
		(void)restart_next(&restart, false);
	return restart.delay_ns;
}

/* Who is told to end meanwhile does. */
static void wait_for(uint64_t delay_ns)
{
	const uint64_t deadline_ns = clock_monotonic_ns() + delay_ns;
	sigset_t ends;
	int r = -1;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return;
	for (uint64_t now_ns; r < 0 && (now_ns = clock_monotonic_ns()) < deadline_ns;) {
		const uint64_t left_ns = deadline_ns - now_ns;
		const struct timespec left = { (time_t)(left_ns / NSEC_PER_SEC),
			(long)(left_ns % NSEC_PER_SEC) };

		r = sigtimedwait(&ends, NULL, &left);
	}
}

int retry_end(int status, bool has_rings, const char *runtime_directory)
{
	uint64_t delay_ns;

	if (!has_rings || status == 0)
		return status;
	delay_ns = delay_after(count_failed(runtime_directory));
	log_line(LOG_ERR,
	    "the start failed; the rings of before go on filling, and it is tried again in %" PRIu64
	    " ms",
	    delay_ns / NSEC_PER_MSEC);
	report_notify("STATUS=the start failed, and is tried again; the rings go on filling");
	wait_for(delay_ns);
	return status == EX_NOPERM || status == EX_CONFIG ? EX_OSERR : status;
}

void retry_forget(int runtime)
{
	(void)unlinkat(runtime, tally_name, 0);
}
