/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/report.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/device.h"
#include "capture/socket.h"
#include "config/difference.h"
#include "ledger/roster.h"
#include "supervisor/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

/*
 * A worker with twice its share or more for a minute, which of two workers is all there is; on a
 * link with so little traffic that a single flow is most of it, that says nothing.
 */
static const uint64_t one_sided_ns = 60 * NSEC_PER_SEC;
enum { ONE_SIDED_LEAST_RATE = 100 }; /* packets a second */

struct look {
	struct counters counters;
	uint64_t one_sided_since_ns; /* 0: not */
	bool was_told;
};

/* A device's drops at the last look; it may be gone, and another there by its name. */
struct device {
	int ifindex; /* 0: none was seen yet */
	uint64_t dropped;
	bool was_told_unstamped;
};

struct report {
	const struct config *config;
	const struct interfaces *interfaces;
	struct ledger *ledger;
	uint64_t last_ns;
	struct device *devices; /* one an interface */
	struct look *looks;     /* one a slot */
	struct counters *now;   /* room for as many */
};

/* As they are now; as they were, where they cannot be read: they never go back. */
static struct counters counters_of(
    const struct ledger *ledger, size_t slot, const struct counters *then)
{
	struct ledger_commit commit;

	return ledger_commit_read(ledger_worker(ledger, slot), &commit) == 0 ? commit.counters
									     : *then;
}

/* What an earlier life counted is no news, but for the drops that it had no time to tell of. */
static void look_back(struct report *report)
{
	static const struct counters none;

	for (size_t i = 0; i < ledger_header(report->ledger)->slot_count; i++) {
		struct look *look = &report->looks[i];

		look->counters = counters_of(report->ledger, i, &none);
		look->counters.value[COUNTER_DROPPED] =
		    atomic_load(&ledger_slot(report->ledger, i)->told_drops);
	}
}

struct report *report_new(const struct config *config, const struct interfaces *interfaces,
    struct ledger *ledger, uint64_t now_ns)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	*report = (struct report) {
		.config = config,
		.interfaces = interfaces,
		.ledger = ledger,
		.last_ns = now_ns,
		.looks = calloc(ledger_header(ledger)->slot_count, sizeof(struct look)),
		.now = calloc(ledger_header(ledger)->slot_count, sizeof(struct counters)),
		.devices = calloc(ledger_header(ledger)->interface_count, sizeof(struct device)),
	};
	if (!report->looks || !report->now || !report->devices) {
		report_free(report);
		return NULL;
	}
	look_back(report);
	return report;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	free(report->looks);
	free(report->now);
	free(report->devices);
	free(report);
}

void report_notify(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* Without a service manager there is nobody to tell. */
	(void)sd_notify(0, text);
}

void report_total(const struct ledger *ledger, struct counters *ret_total)
{
	static const struct counters none;

	*ret_total = none;
	for (size_t i = 0; i < ledger_header(ledger)->slot_count; i++) {
		struct counters counters = counters_of(ledger, i, &none);

		counters_add(ret_total, &counters);
	}
}

static uint64_t since(const struct counters *now, const struct counters *then, enum counter counter)
{
	return now->value[counter] - then->value[counter];
}

static void tell_drops(struct ledger_slot *slot, const char *interface, const struct counters *now,
    const struct counters *then)
{
	uint64_t drops = since(now, then, COUNTER_DROPPED);
	uint64_t discards = since(now, then, COUNTER_DISCARDED);
	uint64_t freezes = since(now, then, COUNTER_FROZEN);
	uint64_t packets = since(now, then, COUNTER_SEEN);
	uint64_t total = now->value[COUNTER_DROPPED];
	const struct journal_about about = {
		.interface = interface,
		.worker = &slot->worker,
		.packets = &packets,
		.drops = &drops,
		.drops_total = &total,
		.discards = &discards,
		.freezes = &freezes,
	};

	/* Discards alone are told by what made them: the storage, a worker's end. */
	if (drops == 0)
		return;
	journal_event(EVENT_DROPS, &about,
	    "%s: worker %u dropped %" PRIu64 " of %" PRIu64 " packets, and discarded %" PRIu64
	    "; dropped %" PRIu64 " since the start",
	    interface, slot->worker, drops, packets, discards, total);
	atomic_store(&slot->told_drops, total);
}

/* Why one worker gets far more than its share; NULL: that is how the mode works. */
static const char *likely_cause(unsigned int mode)
{
	static const char *const causes[] = {
		[FANOUT_FLOW] = "a few flows may be most of the traffic",
		[FANOUT_PROGRAM] = "that is how fanout.program shares them out",
		[FANOUT_HASH] = "few flows, or many inside one tunnel, look like one to "
				"fanout.mode hash",
		[FANOUT_LB] = "others may have been without their socket",
		[FANOUT_CPU] = "fanout.mode cpu goes by the CPU that receives, and one may receive "
			       "most",
		[FANOUT_QUEUE] = "fanout.mode queue goes by the device's queue, and it may have "
				 "few, or fill one",
		[FANOUT_RANDOM] = "others may have been without their socket",
		[FANOUT_ROLLOVER] = NULL,
	};

	return mode < COUNT_OF(causes) ? causes[mode] : NULL;
}

static void tell_one_sided(
    const struct report *report, size_t index, const uint64_t share[2], uint64_t now_ns)
{
	const struct ledger_slot *slot = ledger_slot(report->ledger, index);
	const struct ledger_interface *interface =
	    ledger_interface(report->ledger, slot->interface);
	const uint32_t workers = interface->serving.count;
	struct look *look = &report->looks[index];
	const char *cause = likely_cause(report->config->fanout.mode);
	const struct journal_about about = { .interface = interface->name,
		.worker = &slot->worker };
	const uint64_t seconds = (now_ns - report->last_ns) / NSEC_PER_SEC;
	bool is_one_sided = cause && workers > 1 && share[1] > 0 &&
			    share[1] >= seconds * ONE_SIDED_LEAST_RATE &&
			    share[0] * workers >= 2 * share[1];

	if (!is_one_sided) {
		look->one_sided_since_ns = 0;
		look->was_told = false;
		return;
	}
	if (look->one_sided_since_ns == 0)
		look->one_sided_since_ns = now_ns;
	if (look->was_told || now_ns - look->one_sided_since_ns < one_sided_ns)
		return;
	look->was_told = true;
	journal_event(EVENT_ONE_SIDED, &about,
	    "%s: worker %u gets %" PRIu64 "%% of the packets; %s", interface->name, slot->worker,
	    share[0] * 100 / share[1], cause);
}

/* Packets that were stored; what was staged and then refused is missing here. */
static int64_t stored_since(const struct counters *now, const struct counters *then)
{
	return (int64_t)(since(now, then, COUNTER_WRITTEN) + since(now, then, COUNTER_STAGED));
}

/* Once in a sensor's life: where this machine sends by the interface, it would never end. */
static void tell_unstamped(struct report *report, size_t index, const struct counters *now)
{
	const struct ledger_interface *interface = ledger_interface(report->ledger, index);
	struct device *device = &report->devices[index];
	int64_t stored = 0, stamped = 0;
	uint64_t packets;
	const struct journal_about about = { .interface = interface->name, .packets = &packets };

	if (report->config->capture.timestamp != TIMESTAMP_HARDWARE || device->was_told_unstamped)
		return;
	for (uint32_t i = 0; i < interface->slot_count; i++) {
		const struct counters *then = &report->looks[interface->first_slot + i].counters;

		stored += stored_since(&now[i], then);
		stamped += (int64_t)since(&now[i], then, COUNTER_STAMPED_HARDWARE);
	}
	if (stored <= stamped)
		return;
	device->was_told_unstamped = true;
	packets = (uint64_t)(stored - stamped);
	journal_event(EVENT_UNSTAMPED, &about,
	    "%s: %" PRIu64 " of %" PRId64 " packets came without the device's stamp that "
	    "capture.timestamp: hardware asks for, and have the system's; fancap status counts on",
	    interface->name, packets, stored);
}

static void look_at_interface(struct report *report, size_t index, uint64_t now_ns)
{
	const struct ledger_interface *interface = ledger_interface(report->ledger, index);
	const double seconds =
	    MOST((double)(now_ns - report->last_ns) / (double)NSEC_PER_SEC, 0.001);
	struct counters *now = report->now;
	uint64_t all = 0;

	for (uint32_t i = 0; i < interface->slot_count; i++) {
		size_t slot = interface->first_slot + i;

		now[i] = counters_of(report->ledger, slot, &report->looks[slot].counters);
		all += since(&now[i], &report->looks[slot].counters, COUNTER_SEEN);
	}
	tell_unstamped(report, index, now);
	for (uint32_t i = 0; i < interface->slot_count; i++) {
		struct ledger_slot *slot = ledger_slot(report->ledger, interface->first_slot + i);
		struct look *look = &report->looks[interface->first_slot + i];
		uint64_t seen = since(&now[i], &look->counters, COUNTER_SEEN);
		uint64_t bytes = since(&now[i], &look->counters, COUNTER_WRITTEN_BYTES);

		atomic_store(&slot->packets_per_second, (uint64_t)((double)seen / seconds));
		atomic_store(&slot->bytes_per_second, (uint64_t)((double)bytes / seconds));
		tell_drops(slot, interface->name, &now[i], &look->counters);
		tell_one_sided(
		    report, interface->first_slot + i, (uint64_t[]) { seen, all }, now_ns);
		look->counters = now[i];
	}
}

/* What was lost before the kernel could offer it, since the last look. */
static uint64_t device_drops(struct device *device, const struct place *place)
{
	const struct device then = *device;
	struct device now = { 0 };
	struct link_state link;

	if (socket_interface(place, &link) < 0 ||
	    device_dropped(place, link.ifindex, &now.dropped) < 0)
		return 0;
	now.ifindex = device->ifindex = link.ifindex;
	device->dropped = now.dropped;
	if (then.ifindex == 0)
		return 0; /* what it had lost before the sensor began is told at the start */
	/* Made again, or set back: from nothing. */
	if (then.ifindex != now.ifindex || now.dropped < then.dropped)
		return now.dropped;
	return now.dropped - then.dropped;
}

static uint64_t look_for_device_drops(
    const struct report *report, const struct ledger_interface *interface, struct device *device)
{
	const struct interface_config *wanted = difference_find(report->config, interface->name);
	struct place place;

	/* What it loses while nobody captures is not for us to count. */
	if (!wanted || !roster_has(interface)) {
		device->ifindex = 0;
		return 0;
	}
	place = interfaces_place(report->interfaces, wanted);
	return device_drops(device, &place);
}

static void look_at_device(struct report *report, size_t index)
{
	struct ledger_interface *interface = ledger_interface(report->ledger, index);
	uint64_t drops = look_for_device_drops(report, interface, &report->devices[index]);
	uint64_t total = atomic_fetch_add(&interface->nic_dropped, drops) + drops;
	const struct journal_about about = {
		.interface = interface->name, .drops = &drops, .drops_total = &total
	};

	if (drops > 0)
		journal_event(EVENT_DEVICE_DROPS, &about,
		    "%s: the device lost %" PRIu64
		    " packets before the kernel could offer them; %" PRIu64 " since the start",
		    interface->name, drops, total);
}

/* 1234567 -> "1.23 M"; three digits that matter, as people read rates. */
static void format_rate(char *text, size_t size, double value)
{
	static const char units[] = " kMGT";
	size_t unit = 0;

	while (value >= 999.5 && unit + 2 < sizeof(units)) {
		value /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(text, size, "%.0f ", value);
	else
		snprintf(text, size, "%.*f %c",
		    value < 10    ? 2
		    : value < 100 ? 1
				  : 0,
		    value, units[unit]);
}

static size_t describe_interface(
    const struct report *report, const struct ledger_interface *interface, char *text, size_t size)
{
	uint64_t packets = 0, bytes = 0, dropped, seen;
	struct counters sum = { 0 };
	char packet_rate[24], byte_rate[24], device[48] = "";
	uint64_t nic_dropped = atomic_load(&interface->nic_dropped);
	enum ledger_state state = (enum ledger_state)atomic_load(&interface->state);

	for (uint32_t i = 0; i < interface->slot_count; i++) {
		const struct ledger_slot *slot =
		    ledger_slot(report->ledger, interface->first_slot + i);

		packets += atomic_load(&slot->packets_per_second);
		bytes += atomic_load(&slot->bytes_per_second);
		counters_add(&sum, &report->looks[interface->first_slot + i].counters);
	}
	dropped = sum.value[COUNTER_DROPPED];
	seen = sum.value[COUNTER_SEEN];
	format_rate(packet_rate, sizeof(packet_rate), (double)packets);
	format_rate(byte_rate, sizeof(byte_rate), (double)bytes);
	if (nic_dropped > 0)
		snprintf(device, sizeof(device), ", the device lost %" PRIu64, nic_dropped);
	return (size_t)snprintf(text, size,
	    "%u worker%s on %s%s: %spkt/s, %sB/s, dropped %" PRIu64 " of %" PRIu64 " (%.3f%%)%s",
	    interface->serving.count, interface->serving.count == 1 ? "" : "s", interface->name,
	    state == STATE_WAITING ? " (waiting for it)" : "", packet_rate, byte_rate, dropped,
	    seen, seen ? 100.0 * (double)dropped / (double)seen : 0.0, device);
}

/* Of those that are to be there, in their order. */
static void describe_all(const struct report *report, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < report->config->interface_count; i++) {
		int index = roster_find(report->ledger, report->config->interfaces[i].name);

		if (index < 0)
			continue;
		if (used > 0 && used < size)
			used += (size_t)snprintf(text + used, size - used, "; ");
		if (used < size)
			used += describe_interface(report,
			    ledger_interface(report->ledger, (size_t)index), text + used,
			    size - used);
	}
}

void report_tick(struct report *report, uint64_t now_ns)
{
	char text[900] = "";

	for (size_t i = 0; i < ledger_header(report->ledger)->interface_count; i++) {
		look_at_device(report, i);
		look_at_interface(report, i, now_ns);
	}
	describe_all(report, text, sizeof(text));
	report->last_ns = now_ns;
	report_notify("STATUS=%s%s", text,
	    atomic_load(&ledger_header(report->ledger)->refuses_file)
		? "; the configuration file is refused, the last good one is in force"
		: "");
}
