/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ledger of any bytes: it is refused, or all that a tool reads of it lies within it; and so it is
 * with what is salvaged of it.
 */
#include "ledger/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Puts the input where a ledger lies in its directory. */
static void put(int directory, const uint8_t *data, size_t size)
{
	int fd = openat(directory, "ledger", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static bool lies_within(
    const struct ledger *ledger, size_t size, const void *record, size_t record_size)
{
	const uint8_t *begin = (const uint8_t *)ledger_header(ledger), *at = record;

	return at >= begin && record_size <= size && (size_t)(at - begin) <= size - record_size;
}

static void look_at_worker(const struct ledger_worker *worker)
{
	static struct ledger_commit commit;
	int r = ledger_commit_read(worker, &commit);

	expect(r == 0 || r == -ENODATA || r == -EBADMSG);
	if (r < 0)
		return;
	expect(commit.mark_count <= LEDGER_MARKS && commit.statistics_slot <= 1);
	expect(memchr(commit.open.name, 0, sizeof(commit.open.name)) != NULL);
	expect(memchr(commit.closing.name, 0, sizeof(commit.closing.name)) != NULL);
	(void)counters_waiting(&commit.counters);
	(void)counters_are_settled(&commit.counters);
}

static void look_at_ledger(const struct ledger *ledger, size_t size)
{
	const struct ledger_header *header = ledger_header(ledger);

	expect(memchr(header->sensor, 0, sizeof(header->sensor)) != NULL);
	for (size_t i = 0; i < header->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		expect(lies_within(ledger, size, interface, sizeof(*interface)));
		expect(memchr(interface->name, 0, sizeof(interface->name)) != NULL);
		expect(interface->first_slot <= header->slot_count &&
		       interface->slot_count <= header->slot_count - interface->first_slot);
	}
	for (size_t i = 0; i < header->slot_count; i++) {
		const struct ledger_slot *slot = ledger_slot(ledger, i);

		expect(lies_within(ledger, size, slot, sizeof(*slot)));
		expect(slot->interface < header->interface_count);
		expect(ledger_state_name((enum ledger_state)atomic_load(&slot->state)) != NULL);
		expect(lies_within(
		    ledger, size, ledger_worker(ledger, i), sizeof(struct ledger_worker)));
		look_at_worker(ledger_worker(ledger, i));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fancap-fuzz-XXXXXX";
	struct ledger *ledger = NULL, *salvaged = NULL;
	int directory, r, s;

	expect(mkdtemp(path) != NULL);
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	put(directory, data, size);
	r = ledger_open(&ledger, directory);
	s = ledger_salvage(&salvaged, directory);
	/* Removed before anything can abort. */
	(void)unlinkat(directory, "ledger", 0);
	(void)rmdir(path);
	close(directory);
	expect((r == 0 || r == -EBADMSG) && (s == 0 || (s == -EBADMSG && r < 0)));
	if (r == 0)
		look_at_ledger(ledger, size);
	if (s == 0)
		look_at_ledger(salvaged, ledger_header(salvaged)->size);
	ledger_close(salvaged);
	ledger_close(ledger);
	return 0;
}
