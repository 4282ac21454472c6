/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/ledger_seeds.h"

#include "base/array.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void commit_twice(struct ledger *ledger, int directory)
{
	struct ledger_commit commit = { .filled = 8000, .flushed = 4096, .whole = 4000 };

	(void)directory;
	commit.counters.value[COUNTER_SEEN] = 100;
	commit.counters.value[COUNTER_WRITTEN] = 60;
	commit.counters.value[COUNTER_STAGED] = 40;
	commit.mark_count = 1;
	commit.marks[0] = (struct ledger_mark) { .end = 8000, .packets = 40, .bytes = 3360 };
	commit.open =
	    (struct ledger_segment) { .name = "day/file.pcap", .inode = 7, .packets = 100 };
	ledger_commit_write(ledger_worker(ledger, 0), &commit);
	commit.block_number = 2;
	ledger_commit_write(ledger_worker(ledger, 0), &commit);
}

static void cut_header(struct ledger *ledger, int directory)
{
	int fd = openat(directory, "ledger", O_WRONLY | O_CLOEXEC);

	(void)ledger;
	if (ftruncate(fd, sizeof(struct ledger_header) - 1) < 0)
		abort();
	close(fd);
}

static void name_other_version(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->version++;
}

static void say_other_size(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->size += 8;
}

static void count_interfaces_beyond(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->interface_count = 64;
	ledger_header(ledger)->interface_size = 1 << 20;
}

static void put_slots_beyond(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->slots_at = ledger_header(ledger)->size - 8;
}

static void put_workers_beyond(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->workers_at = UINT64_MAX & ~UINT64_C(7);
}

static void shrink_workers(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_header(ledger)->worker_size = 8;
}

static void give_slots_of_none(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_interface(ledger, 0)->slot_count = 2;
}

static void name_no_interface(struct ledger *ledger, int directory)
{
	(void)directory;
	ledger_slot(ledger, 0)->interface = 1;
}

static void fill_sensor(struct ledger *ledger, int directory)
{
	(void)directory;
	memset(ledger_header(ledger)->sensor, 's', sizeof(ledger_header(ledger)->sensor));
}

static void fill_name(struct ledger *ledger, int directory)
{
	(void)directory;
	memset(ledger_interface(ledger, 0)->name, 'i', LEDGER_INTERFACE_LENGTH);
}

const struct ledger_seed ledger_seeds[] = {
	{ "fresh", 1, true, NULL },
	{ "two_interfaces", 2, true, NULL },
	{ "committed", 1, true, commit_twice },
	{ "cut", 1, false, cut_header },
	{ "other_version", 1, false, name_other_version },
	{ "other_size", 1, false, say_other_size },
	{ "interfaces_beyond", 1, false, count_interfaces_beyond },
	{ "slots_beyond", 1, false, put_slots_beyond },
	{ "workers_beyond", 1, false, put_workers_beyond },
	{ "workers_too_small", 1, false, shrink_workers },
	{ "slots_of_none", 1, false, give_slots_of_none },
	{ "slot_of_no_interface", 1, false, name_no_interface },
	{ "sensor_without_end", 1, false, fill_sensor },
	{ "name_without_end", 1, false, fill_name },
};
const size_t ledger_seed_count = COUNT_OF(ledger_seeds);

int ledger_seed_make(const struct ledger_seed *seed, int directory)
{
	const struct ledger_shape_interface interfaces[] = { { "eth0", 1 }, { "lo", 2 } };
	const struct ledger_shape shape = { "sensor", seed->interfaces, interfaces };
	struct ledger *ledger = NULL;
	int r = ledger_create(&ledger, directory, &shape);

	if (r < 0)
		return r;
	if (seed->change)
		seed->change(ledger, directory);
	ledger_close(ledger);
	return 0;
}
