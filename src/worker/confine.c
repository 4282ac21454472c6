/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/confine.h"

#include "base/array.h"
#include "base/fault.h"
#include "build.h"
#include "config/config.h"
#include "ledger/ledger.h"

#include <cap-ng.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int die_with_supervisor(const struct heritage *heritage)
{
	if (LACKS(DEATH))
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* The supervisor may have ended before the call: nobody would ever tell. */
	return getppid() == heritage->supervisor_pid ? 0 : -ESRCH;
}

static int ignore_signals(const struct heritage *heritage)
{
	/* A file beyond RLIMIT_FSIZE is refused storage like any other. */
	static const int deaf[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGQUIT,
		SIGXFSZ };
	sigset_t none;

	(void)heritage;
	for (size_t i = 0; i < COUNT_OF(deaf); i++)
		if (!LACKS(DEAFNESS) && signal(deaf[i], SIG_IGN) == SIG_ERR)
			return -errno;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int by_number(const void *a, const void *b)
{
	int left = *(const int *)a, right = *(const int *)b;

	return (left > right) - (left < right);
}

static int close_the_rest(const struct heritage *heritage)
{
	int keep[] = { STDERR_FILENO, heritage->socket, heritage->channel, heritage->stage,
		heritage->directory };
	unsigned int from = 0;

	/* Some 30 ms, which the supervisor's loop cannot spare. */
	if (heritage->old_socket >= 0)
		close(heritage->old_socket);
	qsort(keep, COUNT_OF(keep), sizeof(keep[0]), by_number);
	for (size_t i = 0; i < COUNT_OF(keep); i++) {
		if (keep[i] < 0)
			continue;
		if ((unsigned int)keep[i] > from &&
		    syscall(SYS_close_range, from, (unsigned int)keep[i] - 1, 0) < 0)
			return -errno;
		from = (unsigned int)keep[i] + 1;
	}
	return syscall(SYS_close_range, from, ~0U, 0) < 0 ? -errno : 0;
}

static int let_go_of_other_books(const struct heritage *heritage)
{
	return heritage->ledger ? ledger_keep_only(heritage->ledger, heritage->record) : 0;
}

static int pin_to_cpu(const struct heritage *heritage)
{
	const struct interface_config *interface = heritage->interface;
	cpu_set_t one;

	if (interface->cpu_count == 0)
		return 0;
	CPU_ZERO(&one);
	CPU_SET(interface->cpus[heritage->worker % interface->cpu_count], &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}

static int drop_capabilities(const struct heritage *heritage)
{
	capng_select_t what = CAPNG_SELECT_CAPS;

	(void)heritage;
	/* Only CAP_SETPCAP may shrink the bounding set; libcap-ng complains to syslog of a try. */
	if (capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		what = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(what) == 0 ? 0 : -EPERM;
}

static int renounce_privileges(const struct heritage *heritage)
{
	char name[16];

	if (heritage->life == LIFE_MENDS)
		snprintf(name, sizeof(name), "fancap-mender");
	else if (heritage->life == LIFE_CURATES)
		snprintf(name, sizeof(name), "fancap-curator");
	else
		snprintf(name, sizeof(name), "fancap-w%u", heritage->worker);
	(void)prctl(PR_SET_NAME, name);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* What a worker calls, from its opening to its end; names, since numbers differ by architecture. */
static const char *const allowed_calls[] = {
	/* its ring and its channel */
	"setsockopt",
	"getsockopt",
	"bind",
	"poll",
	"ppoll",
	"recvfrom",
	"recvmsg",
	"sendto",
	"sendmsg",
	/* its files */
	"openat",
	"close",
	"read",
	"write",
	"pread64",
	"pwrite64",
	"lseek",
	"ftruncate",
	"sync_file_range",
	"sync_file_range2", /* on powerpc */
	"fallocate",
	"fsync",
	"fdatasync",
	"flock",
	"fstat",
	"newfstatat",
	"stat", /* strftime(3) of glibc before 2.33 */
	"statx",
	"fcntl",
	"mkdirat",
	"unlinkat",
	"renameat",
	"renameat2",
	"linkat",
	"fstatfs",
	"getdents64",
	"inotify_init1",
	"inotify_add_watch",
	"faccessat",
	"faccessat2",
	/* memory, time, the C library's own */
	"mmap",
	"munmap",
	"mprotect",
	"mremap",
	"madvise",
	"brk",
	"clock_gettime",
	"gettimeofday",
	"clock_nanosleep",
	"nanosleep",
	"futex",
	"geteuid",
	"getpid",
	"gettid",
	"getppid",
	"getrandom",
	"writev", /* what the C library says before it aborts */
	"rt_sigreturn",
	"rt_sigprocmask",
	"rt_sigaction",
	"restart_syscall",
	"sched_yield",
	"rseq",
	"exit",
	"exit_group",
#ifdef WITH_SANITIZERS
	"sigaltstack",
	"readlink",
	"open",
	"sched_getaffinity",
	"prctl",
	"tgkill",
	"uname",
	"getrlimit",
	"prlimit64",
	"pipe",
	"pipe2",
	"ioctl",
	"readlinkat",
	"kill",
	"sysinfo",
#endif
};

/*
 * Names the call that was refused, for whoever has to extend the list; then makes another that is
 * refused too, which ends the process, since this handler is gone by then.
 */
static void on_refused_call(int signal_number, siginfo_t *info, void *context)
{
	char line[96];
	int length = snprintf(line, sizeof(line),
	    "fancapd: a worker made system call %d, which its filter refuses\n", info->si_syscall);

	(void)signal_number;
	(void)context;
	(void)!write(STDERR_FILENO, line, (size_t)length);
	(void)syscall(SYS_execve, NULL, NULL, NULL);
	_exit(EXIT_FAILURE);
}

/* Or one that aborts would end by its filter, and hide why; it may signal itself alone. */
static int allow_abort(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int filter_calls(const struct heritage *heritage)
{
	struct sigaction action = {
		.sa_sigaction = on_refused_call,
		.sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER,
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int r = 0;

	(void)heritage;
	if (!filter)
		return -ENOMEM;
	if (sigaction(SIGSYS, &action, NULL) < 0)
		r = -errno;
	/*
	 * Calls of another architecture, such as those of 32 bits, have no place in the table.  A
	 * sandbox without seccomp(2) leaves libseccomp's own way: it ends the thread, and there is
	 * but one.
	 */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r == 0 && i < COUNT_OF(allowed_calls); i++) {
		int number = seccomp_syscall_resolve_name(allowed_calls[i]);

		/* A call that this architecture does not have needs no leave. */
		if (number != __NR_SCMP_ERROR && number >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	if (r == 0)
		r = allow_abort(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/* In an order in which each still has the right it needs. */
static const struct {
	int (*run)(const struct heritage *);
	const char *purpose;
} steps[] = {
	{ die_with_supervisor, "tie its life to the supervisor's" },
	{ ignore_signals, "ignore the signals meant for the supervisor" },
	{ close_the_rest, "close the descriptors that are not its own" },
	{ let_go_of_other_books, "unmap the books of other workers" },
	{ pin_to_cpu, "run on the CPU that interfaces.cpus names" },
	{ drop_capabilities, "drop its capabilities" },
	{ renounce_privileges, "renounce new privileges" },
	{ filter_calls, "load its system call filter" },
};

int confine(const struct heritage *heritage, const char **ret_purpose)
{
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		int r = steps[i].run(heritage);

		if (r < 0) {
			*ret_purpose = steps[i].purpose;
			return r;
		}
	}
	return 0;
}
