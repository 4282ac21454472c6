/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ledgers that name a file, and where they are found. */
#include "support/cmocka.h"

#include "ledger/claim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static int above = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-claim-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	above = open(path, O_DIRECTORY | O_CLOEXEC);
	return above < 0 || mkdirat(above, "dmz", 0700) < 0 || mkdirat(above, "dmz/old.1", 0700) < 0
		   ? -1
		   : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(above, "dmz/ledger", 0);
	(void)unlinkat(above, "dmz/old.1/ledger", 0);
	(void)unlinkat(above, "dmz/old.1", AT_REMOVEDIR);
	(void)unlinkat(above, "dmz", AT_REMOVEDIR);
	close(above);
	return rmdir(path);
}

static void make_ledger(const char *place, const char *open_name, uint64_t open_inode,
    const char *closing_name, uint64_t closing_inode)
{
	const struct ledger_shape_interface interface = { "eth1", 1 };
	const struct ledger_shape shape = { "dmz", 1, &interface, "/", { 0 } };
	int directory = openat(above, place, O_DIRECTORY | O_CLOEXEC);
	struct ledger_commit commit = { 0 };
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
	strcpy(commit.open.name, open_name);
	commit.open.inode = open_inode;
	strcpy(commit.closing.name, closing_name);
	commit.closing.inode = closing_inode;
	ledger_commit_write(ledger_worker(ledger, 0), &commit);
	atomic_store(&ledger_header(ledger)->pid, 77);
	ledger_close(ledger);
	close(directory);
}

static void who_goes_on_with_a_file_is_found(void **state)
{
	struct claim claim;

	(void)state;
	assert_false(claim_find(above, "a.pcap", 5, &claim));
	make_ledger("dmz", "day/a.pcap", 5, "day/b.pcap", 6);
	assert_true(claim_find(above, "a.pcap", 5, &claim));
	assert_string_equal(claim.sensor, "dmz");
	assert_string_equal(claim.place, "dmz");
	assert_int_equal(claim.pid, 77);
	assert_true(claim_find(above, "b.pcap", 6, &claim));
	/* Another file under the name, and the file under another. */
	assert_false(claim_find(above, "a.pcap", 6, &claim));
	assert_false(claim_find(above, "c.pcap", 5, &claim));
}

static void a_name_that_is_only_meant_is_its_writers(void **state)
{
	struct claim claim;

	(void)state;
	make_ledger("dmz", "day/a.pcap", 0, "", 0);
	assert_true(claim_find(above, "a.pcap", 5, &claim));
	assert_false(claim_find(above, "b.pcap", 5, &claim));
	assert_false(claim_find(above, "", 0, &claim));
}

static void what_an_earlier_life_left_counts_too(void **state)
{
	int runtime = openat(above, "dmz", O_DIRECTORY | O_CLOEXEC);
	struct claim claim;

	(void)state;
	make_ledger("dmz/old.1", "a.pcap", 5, "", 0);
	assert_true(claim_find(above, "a.pcap", 5, &claim));
	assert_string_equal(claim.place, "dmz/old.1");
	assert_true(claim_find_in(runtime, "a.pcap", 5, &claim));
	assert_string_equal(claim.place, "old.1");
	close(runtime);
}

#define CLAIM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM_TEST(who_goes_on_with_a_file_is_found),
		CLAIM_TEST(a_name_that_is_only_meant_is_its_writers),
		CLAIM_TEST(what_an_earlier_life_left_counts_too),
	};

	return RUN_TESTS(tests);
}
