/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t second = 1000000000;
static char path[64];
static int directory = -1;

static int make_directory(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-catalog-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	(void)state;
	(void)unlinkat(directory, "catalog.jsonl", 0);
	close(directory);
	return rmdir(path);
}

static void a_line_is_json_whatever_the_name(void **state)
{
	const struct catalog_entry entry = { .file = "a\"b\\c\n\x01.pcap",
		.inode = UINT64_MAX,
		.sensor = "s",
		.interface = "eth0",
		.first_ns = 1700000000 * second + 5,
		.cause = "rotated" };
	struct catalog catalog = { .directory = directory };
	char text[1024] = "";
	int fd;

	(void)state;
	assert_int_equal(catalog_append(&catalog, &entry), 0);
	catalog_release(&catalog);
	fd = openat(directory, "catalog.jsonl", O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_non_null(strstr(text, "{\"file\":\"a\\\"b\\\\c\\u000a\\u0001.pcap\""));
	assert_non_null(strstr(text, "\"inode\":18446744073709551615"));
	assert_non_null(strstr(text, "\"first\":\"2023-11-14T22:13:20.000000005Z\""));
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static off_t catalog_size(void)
{
	struct stat status;

	assert_int_equal(fstatat(directory, "catalog.jsonl", &status, 0), 0);
	return status.st_size;
}

/* A disk that is full for a while: no line is lost, none is doubled, and none is ever torn. */
static void lines_that_are_refused_are_entered_later(void **state)
{
	const char *const names[] = { "1.pcap", "2.pcap", "3.pcap", "4.pcap" };
	struct catalog_entry entry = { .sensor = "s", .interface = "i", .cause = "rotated" };
	struct catalog catalog = { .directory = directory };
	struct rlimit usual, limit;
	off_t line = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		entry.file = names[i];
		assert_int_equal(catalog_append(&catalog, &entry), i == 0 ? 0 : -ENOSPC);
		line = i == 0 ? catalog_size() : line;
		assert_int_equal(catalog_size(), line);
		/* Room for half a line more. */
		limit = (struct rlimit) { (rlim_t)(line + line / 2), usual.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	}
	limit.rlim_cur = (rlim_t)(2 * line + line / 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(catalog_catch_up(&catalog), -ENOSPC);
	assert_int_equal(catalog_size(), 2 * line);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(catalog_catch_up(&catalog), 0);
		assert_int_equal(catalog_size(), 4 * line);
	}
	catalog_release(&catalog);
}

static void what_is_entered_is_found_again(void **state)
{
	struct catalog_entry entry = { .file = "day/a\"b.pcap",
		.inode = 77,
		.sensor = "s",
		.interface = "i",
		.cause = "rotated" };
	struct catalog catalog = { .directory = directory };

	(void)state;
	assert_false(catalog_has(&catalog, entry.file, 77));
	assert_int_equal(catalog_append(&catalog, &entry), 0);
	assert_true(catalog_has(&catalog, entry.file, 77));
	assert_false(catalog_has(&catalog, entry.file, 7));
	assert_false(catalog_has(&catalog, "a\"b.pcap", 77));
	entry.file = "other.pcap";
	for (int i = 0; i < 500; i++)
		assert_int_equal(catalog_append(&catalog, &entry), 0);
	assert_true(catalog_has(&catalog, "day/a\"b.pcap", 77));
	catalog_release(&catalog);
}

static void limit_size(off_t size)
{
	static rlim_t most;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	most = most > 0 ? most : limit.rlim_cur;
	limit.rlim_cur = size < 0 ? most : (rlim_t)size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_up_to(const char *name, off_t size)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static char path_of_refuge[64];

static int make_refuge(void)
{
	int refuge;

	strcpy(path_of_refuge, "/tmp/fancap-refuge-XXXXXX");
	assert_non_null(mkdtemp(path_of_refuge));
	refuge = open(path_of_refuge, O_DIRECTORY | O_CLOEXEC);
	assert_true(refuge >= 0);
	return refuge;
}

/* Which is empty again. */
static void remove_refuge(int refuge)
{
	close(refuge);
	assert_int_equal(rmdir(path_of_refuge), 0);
}

/* A disk that is full when the daemon is killed: what had no room goes in in the next life, once.
 */
static void lines_that_are_refused_outlive_a_kill(void **state)
{
	struct catalog_entry entry = { .file = "1.pcap", .sensor = "s", .cause = "rotated" };
	struct catalog catalog;
	off_t line = 0;
	int refuge;

	(void)state;
	entry.interface = "i";
	refuge = make_refuge();
	catalog_open(&catalog, directory, refuge);
	for (int i = 0; i < 10; i++)
		assert_int_equal(catalog_append(&catalog, &entry), 0);
	line = catalog_size() / 10;
	/* The refuge has room: it is shorter. */
	limit_size(catalog_size());
	entry.file = "2.pcap";
	assert_true(catalog_append(&catalog, &entry) < 0);
	entry.file = "3.pcap";
	assert_true(catalog_append(&catalog, &entry) < 0);
	catalog_release(&catalog); /* as a kill would */
	catalog_open(&catalog, directory, refuge);
	assert_true(catalog.length > 0);
	limit_size(-1);
	catalog_release(&catalog);
	for (int i = 0; i < 2; i++) {
		catalog_open(&catalog, directory, refuge);
		assert_int_equal(catalog_catch_up(&catalog), 0);
		assert_true(catalog_has(&catalog, "2.pcap", 0));
		catalog_release(&catalog);
	}
	assert_int_equal(catalog_size(), 12 * line);
	remove_refuge(refuge);
}

/* As many bytes go in as come to wait: the refuge holds what waits, and not as much. */
static void a_line_in_the_place_of_another_outlives_a_kill(void **state)
{
	enum { LINES = 10 };
	static const char *const names[] = { "2.pcap", "3.pcap", "4.pcap" };
	struct catalog_entry entry = { .sensor = "s", .interface = "i", .cause = "rotated" };
	struct catalog catalog;
	off_t line = 0;
	int refuge;

	(void)state;
	refuge = make_refuge();
	catalog_open(&catalog, directory, refuge);
	entry.file = "1.pcap";
	for (int i = 0; i < LINES; i++)
		assert_int_equal(catalog_append(&catalog, &entry), 0);
	line = catalog_size() / LINES;
	/* The refuge has room: it is shorter. */
	limit_size(LINES * line + line / 2);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		entry.file = names[i];
		/* With the last there is room for the first. */
		if (i == COUNT_OF(names) - 1)
			limit_size((LINES + 1) * line);
		assert_int_equal(catalog_append(&catalog, &entry), -ENOSPC);
	}
	assert_int_equal(catalog_size(), (LINES + 1) * line);
	limit_size(-1);
	catalog_release(&catalog); /* as a kill would */
	catalog_open(&catalog, directory, refuge);
	assert_true(catalog_has(&catalog, "4.pcap", 0));
	assert_int_equal(catalog_size(), (LINES + 3) * line);
	catalog_release(&catalog);
	remove_refuge(refuge);
}

/* Killed when it had gone in, and before the refuge was empty. */
static void a_line_that_went_in_does_not_wait_again(void **state)
{
	struct catalog_entry entry = {
		.file = "1.pcap", .sensor = "s", .interface = "i", .cause = "rotated"
	};
	struct catalog catalog;
	off_t size;
	int refuge;

	(void)state;
	refuge = make_refuge();
	catalog_open(&catalog, directory, refuge);
	for (int i = 0; i < 2; i++)
		assert_int_equal(catalog_append(&catalog, &entry), 0);
	limit_size(catalog_size());
	entry.file = "2.pcap";
	assert_true(catalog_append(&catalog, &entry) < 0);
	limit_size(-1);
	catalog.refuge = 0; /* what happens to it from here on is not seen there */
	assert_int_equal(catalog_catch_up(&catalog), 0);
	size = catalog_size();
	catalog_release(&catalog);
	catalog_open(&catalog, directory, refuge);
	assert_int_equal(catalog.length, 0);
	assert_int_equal(catalog_size(), size);
	remove_refuge(refuge);
}

static void a_line_that_was_cut_off_is_gone(void **state)
{
	struct catalog_entry entry = {
		.file = "1.pcap", .sensor = "s", .interface = "i", .cause = "rotated"
	};
	struct catalog catalog = { .directory = directory };
	off_t size;

	(void)state;
	assert_int_equal(catalog_append(&catalog, &entry), 0);
	size = catalog_size();
	assert_int_equal(catalog_append(&catalog, &entry), 0);
	catalog_release(&catalog);
	fill_up_to("catalog.jsonl", size + 17);
	catalog_open(&catalog, directory, 0);
	assert_int_equal(catalog_size(), size);
	/* All of it is there but its end. */
	fill_up_to("catalog.jsonl", size - 1);
	catalog_open(&catalog, directory, 0);
	assert_int_equal(catalog_size(), size);
	fill_up_to("catalog.jsonl", 17);
	catalog_open(&catalog, directory, 0);
	assert_int_equal(catalog_size(), 0);
}

#define CATALOG_TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CATALOG_TEST(a_line_is_json_whatever_the_name),
		CATALOG_TEST(lines_that_are_refused_are_entered_later),
		CATALOG_TEST(what_is_entered_is_found_again),
		CATALOG_TEST(lines_that_are_refused_outlive_a_kill),
		CATALOG_TEST(a_line_in_the_place_of_another_outlives_a_kill),
		CATALOG_TEST(a_line_that_went_in_does_not_wait_again),
		CATALOG_TEST(a_line_that_was_cut_off_is_gone),
	};

	return RUN_TESTS(tests);
}
