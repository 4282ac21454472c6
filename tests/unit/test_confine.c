/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker is left with: each step in a process of its own, which says by its end what was. */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "build.h"
#include "config/config.h"
#include "control/heritage.h"
#include "ledger/ledger.h"
#include "worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CANNOT_CONFINE = 99, OUTLIVED = 97 };

static struct interface_config interface = { .workers = 1 };
static int stage = -1;

static struct ledger *ledger; /* NULL: none */
static struct ledger_worker *books;
static const void *not_its_own[4];
static bool has_thread; /* another beside the one that is confined */

static void *outlive(void *user)
{
	sleep(1);
	_exit(OUTLIVED);
	return user;
}

/* Confined, it runs `act` and exits with what that returns.  Returns how it ended. */
static int confined(int (*act)(void))
{
	const struct heritage heritage = {
		.interface = &interface,
		.supervisor_pid = getpid(),
		.socket = -1,
		.old_socket = -1,
		.channel = -1,
		.stage = stage,
		.directory = -1,
		.ledger = ledger,
		.record = books,
	};
	const struct rlimit no_core = { 0 };
	const char *purpose;
	int status = -1;
	pthread_t thread;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (has_thread && pthread_create(&thread, NULL, outlive, NULL) != 0)
			_exit(CANNOT_CONFINE);
		(void)setrlimit(RLIMIT_CORE, &no_core);
		_exit(confine(&heritage, &purpose) < 0 ? CANNOT_CONFINE : act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int set_up(void **state)
{
	(void)state;
	stage = memfd_create("stage", 0);
	return stage < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(stage);
	return 0;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void only_its_own_descriptors_are_left(void **state)
{
	int more[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		more[i] = dup(stage);
	assert_int_equal(confined(count_descriptors), 2 << 8); /* standard error, stage */
	for (int i = 0; i < 3; i++)
		close(more[i]);
}

/* No set holds a capability, and no program that it runs could give it one. */
static int has_rights(void)
{
	static const char *const lines[] = { "CapInh:\t0000000000000000",
		"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2" };
	static char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);
	size_t i = 0;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 98;
	while (i < COUNT_OF(lines) && strstr(text, lines[i]))
		i++;
	return i < COUNT_OF(lines) ? 1 + (int)i : 0;
}

static void no_right_is_left(void **state)
{
	(void)state;
	assert_int_equal(confined(has_rights), 0);
}

static int open_a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static void any_other_call_ends_it(void **state)
{
	int status = confined(open_a_socket);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

#if defined(__x86_64__) && defined(__LP64__)
/* getpid(2), as a program of 32 bits calls it; -1 in one that could not. */
static int call_as_i386(void)
{
	int result = 20;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return result != getpid();
}

static int call_as_x32(void)
{
	return syscall(0x40000000 + SYS_getpid) != getpid();
}

static bool knows_i386(void)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(call_as_i386());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* There the numbers mean other calls than those that are allowed. */
static void a_call_of_another_architecture_ends_it(void **state)
{
	int status = confined(call_as_x32);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	if (!knows_i386()) {
		printf("skipped: this kernel knows no calls of 32 bits\n");
		return;
	}
	status = confined(call_as_i386);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	/* All of it, and not only the thread that calls. */
	has_thread = true;
	status = confined(call_as_i386);
	has_thread = false;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}
#define ARCHITECTURE_TESTS CONFINE_TEST(a_call_of_another_architecture_ends_it),
#else
#define ARCHITECTURE_TESTS

#endif

/* Whether anything is mapped there. */
static bool is_mapped(const void *at)
{
	return madvise((void *)((uintptr_t)at & ~(uintptr_t)4095), 4096, MADV_NORMAL) == 0;
}

static int has_other_books(void)
{
	if (!is_mapped(books))
		return 1;
	atomic_store(&books->heartbeat_ns, 7);
	for (size_t i = 0; i < COUNT_OF(not_its_own); i++)
		if (is_mapped(not_its_own[i]))
			return 2 + (int)i;
	return 0;
}

static void only_its_own_books_are_left(void **state)
{
	const struct ledger_shape_interface interfaces[] = { { "a", 3 } };
	const struct ledger_shape shape = {
		.sensor = "s", .interface_count = 1, .interfaces = interfaces
	};
	char path[] = "/tmp/fancap-confine-XXXXXX";
	int directory;

	(void)state;
	assert_non_null(mkdtemp(path));
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
	(void)unlinkat(directory, "ledger", 0);
	(void)rmdir(path);
	books = ledger_worker(ledger, 1);
	not_its_own[0] = ledger_header(ledger);
	not_its_own[1] = ledger_slot(ledger, 1);
	not_its_own[2] = ledger_worker(ledger, 0);
	not_its_own[3] = ledger_worker(ledger, 2);
	assert_int_equal(confined(has_other_books), 0);
	assert_int_equal(atomic_load(&books->heartbeat_ns), 7);
	ledger_close(TAKE(ledger));
	close(directory);
}

static int signal_another(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGUSR1);
}

static int abort_itself(void)
{
	abort();
}

/* So that the supervisor tells the cause. */
static void its_abort_is_seen_as_one(void **state)
{
	int status = confined(abort_itself);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
#ifndef WITH_SANITIZERS
	status = confined(signal_another);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
#else
	(void)signal_another;
#endif
}

/* As strftime(3) looks for the time zone: with the calls of this C library and of older ones. */
static int look_at_files(void)
{
	struct stat status;
	time_t now = 0;
	struct tm utc;
	char text[16];

#ifdef SYS_stat
	if (syscall(SYS_stat, "/", &status) < 0)
		return 1;
#endif
	return stat("/", &status) < 0 || !gmtime_r(&now, &utc) ||
	       strftime(text, sizeof(text), "%Y", &utc) == 0;
}

static void names_are_made_with_any_c_library(void **state)
{
	(void)state;
	assert_int_equal(confined(look_at_files), 0);
}

static int write_too_much(void)
{
	return write(stage, "12345678", 8) != 4 || write(stage, "5", 1) >= 0 || errno != EFBIG;
}

static void a_file_beyond_its_limit_is_an_error(void **state)
{
	struct rlimit before, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit) { .rlim_cur = 4, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(confined(write_too_much), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

#define CONFINE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFINE_TEST(only_its_own_descriptors_are_left),
		CONFINE_TEST(only_its_own_books_are_left),
		CONFINE_TEST(no_right_is_left),
		CONFINE_TEST(any_other_call_ends_it),
		ARCHITECTURE_TESTS CONFINE_TEST(its_abort_is_seen_as_one),
		CONFINE_TEST(names_are_made_with_any_c_library),
		CONFINE_TEST(a_file_beyond_its_limit_is_an_error),
	};

	return RUN_TESTS(tests);
}
