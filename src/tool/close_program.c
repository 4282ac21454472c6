/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/close_program.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_EXECUTED = 127 };

static int set_number(const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return setenv(name, text, 1);
}

static int set_time(const char *name, uint64_t time_ns)
{
	char text[CLOCK_TEXT_LENGTH];

	clock_text(text, time_ns);
	return setenv(name, text, 1);
}

static int set_file(const char *directory, const char *file)
{
	char path[8192];

	if (snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
		return -1;
	return setenv("FANCAP_FILE", path, 1);
}

static int set_environment(const char *directory, const struct catalog_line *line)
{
	return set_file(directory, line->file) | setenv("FANCAP_SENSOR", line->sensor, 1) |
	       setenv("FANCAP_INTERFACE", line->interface, 1) |
	       set_time("FANCAP_FIRST", line->first_ns) | set_time("FANCAP_LAST", line->last_ns) |
	       set_number("FANCAP_PACKETS", line->packets) |
	       set_number("FANCAP_DROPS", line->dropped) | setenv("FANCAP_SHA256", line->sha256, 1);
}

/* In the child, which is no thread of anybody's. */
static void become(
    char *const *program, const char *directory, const struct catalog_line *line, pid_t parent)
{
	int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	(void)setpgid(0, 0);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(NOT_EXECUTED);
	if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 || set_environment(directory, line) != 0)
		dprintf(STDERR_FILENO, "fancap: on-close: cannot prepare for %s: %s\n", program[0],
		    strerror(errno));
	else
		(void)execvp(program[0], program);
	dprintf(
	    STDERR_FILENO, "fancap: on-close: cannot run %s: %s\n", program[0], strerror(errno));
	_exit(NOT_EXECUTED);
}

pid_t close_program_start(
    char *const *program, const char *directory, const struct catalog_line *line)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(program, directory, line, parent);
	/* Here as well as there, so that it is so whoever is first. */
	(void)setpgid(pid, pid);
	return pid;
}

void close_program_stop(pid_t pid, int signal)
{
	if (pid > 1)
		(void)kill(-pid, signal);
}

void close_program_describe_end(int status, char *text, size_t size)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by SIG%s", name ? name : "?");
	else
		snprintf(text, size, "exited with status %d", WEXITSTATUS(status));
}
