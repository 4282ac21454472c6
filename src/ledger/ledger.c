/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/ledger.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "ledger/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "fancapL";
/* Bounds of a layout that makes sense: 256 workers on each of 64 interfaces, with all the spares.
 */
enum { INTERFACES_MOST = 128, SLOTS_MOST = 128 * 768, ALIGNMENT = 64, PAGE_LEAST = 4096 };

struct ledger {
	uint8_t *bytes;
	size_t size;
};

DEFINE_CLEANUP(struct ledger *, ledger_close)

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

struct ledger_header *ledger_header(const struct ledger *ledger)
{
	return (struct ledger_header *)ledger->bytes;
}

static void *record_at(const struct ledger *ledger, uint64_t first, uint64_t size, size_t index)
{
	return ledger->bytes + first + index * size;
}

struct ledger_interface *ledger_interface(const struct ledger *ledger, size_t index)
{
	const struct ledger_header *header = ledger_header(ledger);

	return record_at(ledger, header->interfaces_at, header->interface_size, index);
}

struct ledger_slot *ledger_slot(const struct ledger *ledger, size_t index)
{
	const struct ledger_header *header = ledger_header(ledger);

	return record_at(ledger, header->slots_at, header->slot_size, index);
}

struct ledger_worker *ledger_worker(const struct ledger *ledger, size_t slot)
{
	const struct ledger_header *header = ledger_header(ledger);

	return record_at(ledger, header->workers_at, header->worker_size, slot);
}

static struct ledger_header plan(const struct ledger_shape *shape)
{
	const uint64_t page = MOST((uint64_t)sysconf(_SC_PAGESIZE), (uint64_t)PAGE_LEAST);
	struct ledger_header header = {
		.version = LEDGER_VERSION,
		.header_size = (uint32_t)round_up(sizeof(struct ledger_header), ALIGNMENT),
		.interface_count = (uint32_t)(shape->interface_count + shape->spare_interfaces),
		.interface_size = (uint32_t)round_up(sizeof(struct ledger_interface), ALIGNMENT),
		.slot_size = (uint32_t)round_up(sizeof(struct ledger_slot), ALIGNMENT),
		/* Whole pages, so that no worker maps a page of another's. */
		.worker_size = (uint32_t)round_up(sizeof(struct ledger_worker), page),
		.copies_at = offsetof(struct ledger_worker, copies),
		.copy_size = sizeof(struct ledger_copy),
		.terms = shape->terms,
	};

	memcpy(header.magic, magic, sizeof(magic));
	snprintf(header.sensor, sizeof(header.sensor), "%s", shape->sensor);
	snprintf(header.output, sizeof(header.output), "%s", shape->output ? shape->output : "");
	for (size_t i = 0; i < shape->interface_count; i++)
		header.slot_count +=
		    (uint32_t)(shape->interfaces[i].workers + shape->interfaces[i].spare);
	header.slot_count += (uint32_t)(shape->spare_interfaces * shape->spare_slots);
	header.worker_count = header.slot_count;
	header.interfaces_at = header.header_size;
	header.slots_at =
	    header.interfaces_at + (uint64_t)header.interface_count * header.interface_size;
	header.workers_at =
	    round_up(header.slots_at + (uint64_t)header.slot_count * header.slot_size, page);
	header.size = header.workers_at + (uint64_t)header.worker_count * header.worker_size;
	return header;
}

static int map(struct ledger *ledger, int fd, int protection)
{
	void *bytes = mmap(NULL, ledger->size, protection, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	ledger->bytes = bytes;
	return 0;
}

/* Its slots begin where those of the one before end; returns where they end. */
static uint32_t give_slots(const struct ledger *ledger, uint32_t index, uint32_t slot, size_t count)
{
	struct ledger_interface *interface = ledger_interface(ledger, index);

	interface->first_slot = slot;
	interface->slot_count = (uint32_t)count;
	interface->serving = (struct ledger_run) { slot, 0 };
	for (uint32_t k = 0; k < interface->slot_count; k++, slot++) {
		struct ledger_stage *stage = &ledger_worker(ledger, slot)->stage;

		ledger_slot(ledger, slot)->interface = index;
		snprintf(stage->interface, sizeof(stage->interface), "%s", interface->name);
	}
	return slot;
}

static void fill(const struct ledger *ledger, const struct ledger_shape *shape)
{
	uint32_t slot = 0;

	for (uint32_t i = 0; i < shape->interface_count; i++) {
		const struct ledger_shape_interface *wanted = &shape->interfaces[i];
		struct ledger_interface *interface = ledger_interface(ledger, i);

		snprintf(interface->name, sizeof(interface->name), "%s", wanted->name);
		slot = give_slots(ledger, i, slot, wanted->workers + wanted->spare);
		interface->serving.count = (uint32_t)wanted->workers;
		ledger_take_run(ledger, &interface->serving, &shape->ring);
		atomic_store(&interface->is_used, 1);
	}
	for (size_t i = 0; i < shape->spare_interfaces; i++)
		slot = give_slots(
		    ledger, (uint32_t)(shape->interface_count + i), slot, shape->spare_slots);
}

static bool is_free(const struct ledger *ledger, const struct ledger_run *run)
{
	for (uint32_t i = 0; i < run->count; i++)
		if (atomic_load(&ledger_slot(ledger, run->first + i)->is_used))
			return false;
	return true;
}

int ledger_find_run(const struct ledger *ledger, const struct ledger_interface *interface,
    size_t count, struct ledger_run *ret_run)
{
	const uint32_t first = interface->first_slot;
	uint32_t last;

	if (count > interface->slot_count)
		return -ENOSPC;
	last = first + interface->slot_count - (uint32_t)count;
	/* At an end, where there is room: then what is left lies in one piece. */
	for (uint32_t turn = 0; turn <= last - first; turn++) {
		const struct ledger_run run = { turn == 0   ? first
						: turn == 1 ? last
							    : first + turn - 1,
			(uint32_t)count };

		if (is_free(ledger, &run)) {
			*ret_run = run;
			return 0;
		}
	}
	return -ENOSPC;
}

void ledger_take_run(
    const struct ledger *ledger, const struct ledger_run *run, const struct ledger_ring *ring)
{
	for (uint32_t i = 0; i < run->count; i++) {
		struct ledger_slot *slot = ledger_slot(ledger, run->first + i);

		slot->worker = i;
		slot->ring = *ring;
		atomic_store(&slot->is_used, 1);
	}
}

void ledger_free_run(const struct ledger *ledger, const struct ledger_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		atomic_store(&ledger_slot(ledger, run->first + i)->is_used, 0);
		ledger_worker(ledger, run->first + i)->stage.file[0] = 0;
	}
}

void ledger_number_run(const struct ledger *ledger, const struct ledger_interface *interface,
    const struct ledger_run *run)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < interface->slot_count; i++)
		last = MOST(
		    last, atomic_load(&ledger_slot(ledger, interface->first_slot + i)->generation));
	for (uint32_t i = 0; i < run->count; i++)
		atomic_store(&ledger_slot(ledger, run->first + i)->generation, last + 1);
}

int ledger_create(struct ledger **ret_ledger, int directory, const struct ledger_shape *shape)
{
	CLEANUP(ledger_close_at) struct ledger *ledger = calloc(1, sizeof(*ledger));
	CLEANUP(close_at) int fd = -1;
	struct ledger_header header = plan(shape);
	int r;

	if (!ledger)
		return -ENOMEM;
	/* Made beside and moved over, so that nobody maps a half-made one. */
	(void)unlinkat(directory, "ledger.new", 0);
	fd = openat(directory, "ledger.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	/* A full /run is an error now, and not a SIGBUS later. */
	r = -posix_fallocate(fd, 0, (off_t)header.size);
	ledger->size = header.size;
	if (r == 0)
		r = map(ledger, fd, PROT_READ | PROT_WRITE);
	if (r == 0) {
		memcpy(ledger->bytes, &header, sizeof(header));
		fill(ledger, shape);
		r = renameat(directory, "ledger.new", directory, "ledger") < 0 ? -errno : 0;
	}
	if (r < 0) {
		(void)unlinkat(directory, "ledger.new", 0);
		return r;
	}
	*ret_ledger = TAKE(ledger);
	return 0;
}

static bool lies_within(uint64_t at, uint64_t count, uint64_t size, uint64_t whole)
{
	return at <= whole && at % 8 == 0 && size % 8 == 0 && count * size <= whole - at;
}

static bool run_lies_within(const struct ledger_interface *interface, const struct ledger_run *run)
{
	return run->first >= interface->first_slot && run->count <= interface->slot_count &&
	       run->first - interface->first_slot <= interface->slot_count - run->count;
}

static bool runs_hold_together(const struct ledger_interface *interface)
{
	uint32_t change = atomic_load(&interface->change);

	if (!roster_has(interface))
		return true;
	return change <= CHANGE_SETTLES &&
	       (change == CHANGE_SETTLES || run_lies_within(interface, &interface->serving)) &&
	       (change == CHANGE_NONE || run_lies_within(interface, &interface->next));
}

static bool slots_hold_together(const struct ledger *ledger)
{
	const struct ledger_header *header = ledger_header(ledger);

	for (uint32_t i = 0; i < header->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		if (interface->first_slot > header->slot_count ||
		    interface->slot_count > header->slot_count - interface->first_slot ||
		    !memchr(interface->name, 0, sizeof(interface->name)) ||
		    !runs_hold_together(interface))
			return false;
	}
	for (uint32_t i = 0; i < header->slot_count; i++)
		if (ledger_slot(ledger, i)->interface >= header->interface_count)
			return false;
	return true;
}

static bool holds_together(const struct ledger *ledger)
{
	const struct ledger_header *header = ledger_header(ledger);

	return memcmp(header->magic, magic, sizeof(magic)) == 0 &&
	       header->version == LEDGER_VERSION && header->size == ledger->size &&
	       header->interface_count > 0 && header->interface_count <= INTERFACES_MOST &&
	       header->slot_count > 0 && header->slot_count <= SLOTS_MOST &&
	       header->worker_count == header->slot_count &&
	       header->interface_size >= sizeof(struct ledger_interface) &&
	       header->slot_size >= sizeof(struct ledger_slot) &&
	       header->worker_size >= sizeof(struct ledger_worker) &&
	       lies_within(header->interfaces_at, header->interface_count, header->interface_size,
		   ledger->size) &&
	       lies_within(header->slots_at, header->slot_count, header->slot_size, ledger->size) &&
	       lies_within(
		   header->workers_at, header->worker_count, header->worker_size, ledger->size) &&
	       header->copies_at == offsetof(struct ledger_worker, copies) &&
	       header->copy_size == sizeof(struct ledger_copy) &&
	       memchr(header->sensor, 0, sizeof(header->sensor)) &&
	       memchr(header->output, 0, sizeof(header->output)) && slots_hold_together(ledger);
}

static int open_existing(struct ledger **ret_ledger, int directory, int mode, int protection)
{
	CLEANUP(ledger_close_at) struct ledger *ledger = calloc(1, sizeof(*ledger));
	CLEANUP(close_at) int fd = -1;
	struct stat status;
	int r;

	if (!ledger)
		return -ENOMEM;
	fd = openat(directory, "ledger", mode | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(struct ledger_header))
		return -EBADMSG;
	/* What others may write to is not gone on with; reading it does no harm. */
	if (mode == O_RDWR && (status.st_uid != geteuid() || status.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	ledger->size = (size_t)status.st_size;
	r = map(ledger, fd, protection);
	if (r < 0)
		return r;
	if (!holds_together(ledger))
		return -EBADMSG;
	*ret_ledger = TAKE(ledger);
	return 0;
}

int ledger_open(struct ledger **ret_ledger, int directory)
{
	return open_existing(ret_ledger, directory, O_RDONLY, PROT_READ);
}

const struct ledger_run *ledger_last_run(const struct ledger_interface *interface)
{
	return atomic_load(&interface->change) >= CHANGE_MOVES ? &interface->next
							       : &interface->serving;
}

/* Whether an interface's workers are as the shape wants them, or can be changed to that. */
static bool fits(const struct ledger *ledger, const struct ledger_interface *interface,
    const struct ledger_shape *shape, size_t workers)
{
	const struct ledger_run *run = ledger_last_run(interface);
	bool is_same = run->count == workers;

	for (uint32_t i = 0; is_same && i < run->count; i++)
		is_same = memcmp(&ledger_slot(ledger, run->first + i)->ring, &shape->ring,
			      sizeof(shape->ring)) == 0;
	return is_same || (!shape->is_fixed && workers <= interface->slot_count - run->count);
}

/* Each of its slots is given to the worker of that number, with one ring for all. */
static bool is_given(const struct ledger *ledger, uint32_t index, const struct ledger_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		const struct ledger_slot *slot = ledger_slot(ledger, run->first + i);

		if (!atomic_load(&slot->is_used) || slot->interface != index || slot->worker != i ||
		    memcmp(&slot->ring, &ledger_slot(ledger, run->first)->ring,
			sizeof(slot->ring)) != 0)
			return false;
	}
	return run->count > 0;
}

static bool are_apart(const struct ledger_run *one, const struct ledger_run *other)
{
	return one->first + one->count <= other->first || other->first + other->count <= one->first;
}

/* A run that is on its way in or out is not looked at: see enum ledger_change. */
static bool has_sound_runs(const struct ledger *ledger, uint32_t index)
{
	const struct ledger_interface *interface = ledger_interface(ledger, index);
	const uint32_t change = atomic_load(&interface->change);

	if (change != CHANGE_SETTLES && !is_given(ledger, index, &interface->serving))
		return false;
	if (change >= CHANGE_MOVES && !is_given(ledger, index, &interface->next))
		return false;
	return change == CHANGE_NONE || change == CHANGE_SETTLES ||
	       are_apart(&interface->serving, &interface->next);
}

bool ledger_is_sound(const struct ledger *ledger)
{
	const struct ledger_header *header = ledger_header(ledger);
	uint32_t slot = 0, used = 0;

	for (uint32_t i = 0; i < header->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		used += roster_has(interface);
		if (interface->first_slot != slot ||
		    (roster_has(interface) && !has_sound_runs(ledger, i)))
			return false;
		slot += interface->slot_count;
	}
	return used > 0 && slot == header->slot_count;
}

/* Each interface that is there has its workers, or they can be changed to what it should have. */
static bool all_fit(const struct ledger *ledger, const struct ledger_shape *shape)
{
	for (size_t i = 0; i < shape->interface_count; i++) {
		int index = roster_find(ledger, shape->interfaces[i].name);

		if (index >= 0 && !fits(ledger, ledger_interface(ledger, (size_t)index), shape,
				      shape->interfaces[i].workers))
			return false;
	}
	return true;
}

bool ledger_is_of_shape(const struct ledger *ledger, const struct ledger_shape *shape)
{
	const struct ledger_header *header = ledger_header(ledger);
	const struct ledger_header planned = plan(shape);

	if (header->slot_size != planned.slot_size || header->worker_size != planned.worker_size ||
	    strcmp(header->sensor, planned.sensor) != 0 ||
	    strcmp(header->output, planned.output) != 0 ||
	    memcmp(&planned.terms, &header->terms, sizeof(planned.terms)) != 0)
		return false;
	return all_fit(ledger, shape) && roster_has_room(ledger, shape);
}

int ledger_take(struct ledger **ret_ledger, int directory)
{
	int r = open_existing(ret_ledger, directory, O_RDWR, PROT_READ | PROT_WRITE);

	if (r == -EACCES)
		return -EPERM;
	return r == -ELOOP || r == -EISDIR ? -EBADMSG : r;
}

int ledger_adopt(struct ledger **ret_ledger, int directory, const struct ledger_shape *shape)
{
	CLEANUP(ledger_close_at) struct ledger *ledger = NULL;
	int r = ledger_take(&ledger, directory);

	if (r < 0)
		return r == -EPERM ? -EBADMSG : r;
	if (!ledger_is_sound(ledger))
		return -EBADMSG;
	if (!ledger_is_of_shape(ledger, shape))
		return -ESTALE;
	*ret_ledger = TAKE(ledger);
	return 0;
}

int ledger_lock(const struct ledger *ledger)
{
	return mlock(ledger->bytes, ledger->size) < 0 ? -errno : 0;
}

int ledger_keep_only(const struct ledger *ledger, const struct ledger_worker *worker)
{
	size_t before = (size_t)((const uint8_t *)worker - ledger->bytes);
	size_t behind = before + ledger_header(ledger)->worker_size;

	if (behind < ledger->size && munmap(ledger->bytes + behind, ledger->size - behind) < 0)
		return -errno;
	return munmap(ledger->bytes, before) < 0 ? -errno : 0;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	if (ledger->bytes)
		munmap(ledger->bytes, ledger->size);
	free(ledger);
}

const char *ledger_state_name(enum ledger_state state)
{
	static const char *const names[STATE_COUNT_] = {
		[STATE_WAITING] = "waiting",
		[STATE_STARTING] = "starting",
		[STATE_ARMED] = "armed",
		[STATE_RUNNING] = "running",
		[STATE_STOPPING] = "stopping",
		[STATE_GONE] = "gone",
		[STATE_FROZEN] = "frozen",
	};

	return (unsigned int)state < STATE_COUNT_ ? names[state] : "unknown";
}

const char *ledger_cause_name(enum ledger_cause cause)
{
	static const char *const names[CAUSE_COUNT_] = {
		[CAUSE_ROTATED] = "rotated",
		[CAUSE_STOPPED] = "stopped",
		[CAUSE_REPAIRED] = "repaired",
	};

	return (unsigned int)cause < CAUSE_COUNT_ ? names[cause] : "unknown";
}
