/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "storage/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct quarantine_origin origin = { "dmz", "eth1", 3, 0xabc, 17 };
static char path[64], name[256];
static int directory = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-quarantine-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	quarantine_name(name, sizeof(name), &origin);
	return directory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(directory, name, 0);
	(void)unlinkat(directory, "quarantine", AT_REMOVEDIR);
	(void)unlinkat(directory, "quarantine", 0);
	close(directory);
	return rmdir(path);
}

static void check_file(const char *bytes)
{
	char found[64] = { 0 };
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(read(fd, found, sizeof(found)), strlen(bytes));
	assert_string_equal(found, bytes);
	close(fd);
}

static void a_block_is_kept_as_it_is_under_its_number(void **state)
{
	struct stat status;

	(void)state;
	umask(0);
	assert_string_equal(name, "quarantine/dmz-eth1-3-abc-17.block");
	assert_int_equal(quarantine_put(directory, name, "some bytes", 10), 0);
	check_file("some bytes");
	assert_int_equal(fstatat(directory, "quarantine", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0750);
}

static void what_an_earlier_try_left_is_replaced(void **state)
{
	(void)state;
	umask(0);
	assert_int_equal(quarantine_put(directory, name, "some other bytes", 16), 0);
	assert_int_equal(quarantine_put(directory, name, "some bytes", 10), 0);
	check_file("some bytes");
}

static void where_it_cannot_be_kept_that_is_said(void **state)
{
	int file = openat(directory, "quarantine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	close(file);
	assert_int_equal(quarantine_put(directory, name, "some bytes", 10), -ENOTDIR);
	assert_int_equal(unlinkat(directory, "quarantine", 0), 0);
	assert_int_equal(mkdirat(directory, "quarantine", 0700), 0);
	assert_int_equal(symlinkat("/proc/version", directory, name), 0);
	assert_int_equal(quarantine_put(directory, name, "some bytes", 10), -ELOOP);
}

#define QUARANTINE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUARANTINE_TEST(a_block_is_kept_as_it_is_under_its_number),
		QUARANTINE_TEST(what_an_earlier_try_left_is_replaced),
		QUARANTINE_TEST(where_it_cannot_be_kept_that_is_said),
	};

	return RUN_TESTS(tests);
}
