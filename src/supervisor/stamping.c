/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/stamping.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LENGTH = 80 };

/* What is less than this apart, differs by less than stamps do where several CPUs receive. */
static const int64_t in_step_ns = NSEC_PER_MSEC;

static int complain(int error, const char *interface, const char *reason)
{
	if (error == -EPERM || error == -EACCES)
		return log_failure(error,
		    "capture.timestamp: %s: cannot have its device stamp packets; that needs "
		    "CAP_NET_ADMIN: see the drop-in timestamp.conf",
		    interface);
	if (!reason)
		return log_failure(error,
		    "capture.timestamp: %s: cannot have its device stamp packets", interface);
	log_line(LOG_ERR, "capture.timestamp: %s: %s; software would be right", interface, reason);
	return error;
}

/* ---- the note for a next life -------------------------------------------------------------- */

static void name_note(char name[NAME_LENGTH], const char *interface)
{
	snprintf(name, NAME_LENGTH, "stamps.%.64s", interface);
}

/* Where the device stamps all already, that may be by an earlier life's order. */
static void read_note(int runtime, const char *interface, struct stamps_order *order)
{
	char name[NAME_LENGTH], text[64] = "";
	CLEANUP(close_at) int fd = -1;
	struct stamps_mode before;
	int ifindex;

	name_note(name, interface);
	fd = openat(runtime, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return;
	if (sscanf(text, "%d %d %d", &ifindex, &before.transmit, &before.receive) == 3 &&
	    ifindex == order->ifindex && order->before.receive == order->now.receive)
		order->before = before;
}

static void write_note(int runtime, const char *interface, const struct stamps_order *order)
{
	char name[NAME_LENGTH];
	CLEANUP(close_at) int fd = -1;

	name_note(name, interface);
	fd = openat(runtime, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0 || dprintf(fd, "%d %d %d\n", order->ifindex, order->before.transmit,
			  order->before.receive) < 0)
		(void)log_failure(-errno,
		    "%s: cannot note in the runtime directory what its device stamped before",
		    interface);
}

static void remove_note(const struct stamping *stamping)
{
	char name[NAME_LENGTH];

	name_note(name, stamping->interface);
	(void)unlinkat(stamping->runtime, name, 0);
}

/* ---- ordering, and giving back ------------------------------------------------------------- */

int stamping_begin(struct stamping *stamping, const struct place *place, const char *interface)
{
	struct stamps_order order;
	struct stamps_fault fault;
	int r;

	if (stamping->interface)
		return 0;
	r = stamps_begin(&order, place, &fault);
	if (r < 0)
		return complain(r, interface, fault.reason);
	if (order.knows_before) {
		read_note(stamping->runtime, interface, &order);
		write_note(stamping->runtime, interface, &order);
	} else {
		log_line(LOG_NOTICE,
		    "%s: its driver does not tell what it was ordered to stamp before; it stamps "
		    "all packets from here on, also once capture has ended",
		    interface);
	}
	*stamping = (struct stamping) {
		.runtime = stamping->runtime,
		.interface = interface,
		.order = order,
		.clock = order.clock < 0 ? -ENODEV : stamps_open_clock(order.clock),
	};
	return 0;
}

void stamping_again(struct stamping *stamping)
{
	int r = stamping->interface ? stamps_again(&stamping->order) : 0;

	if (r < 0)
		(void)complain(r, stamping->interface, NULL);
}

static void forget(struct stamping *stamping)
{
	close_at(&stamping->clock);
	*stamping = (struct stamping) { .runtime = stamping->runtime };
}

void stamping_end(struct stamping *stamping)
{
	int r;

	if (!stamping->interface)
		return;
	r = stamps_end(&stamping->order);
	if (r < 0)
		(void)log_failure(r, "%s: cannot order its device to stamp as it did before",
		    stamping->interface);
	else
		remove_note(stamping);
	forget(stamping);
}

void stamping_leave(struct stamping *stamping)
{
	if (!stamping->interface)
		return;
	stamps_leave(&stamping->order);
	forget(stamping);
}

/* ---- its clock ----------------------------------------------------------------------------- */

static void tell_unknown(const struct stamping *stamping, int error)
{
	const struct journal_about about = { .interface = stamping->interface };

	if (stamping->order.clock < 0)
		journal_event(EVENT_DEVICE_CLOCK, &about,
		    "%s: its clock cannot be read; whether its stamps are in step with the "
		    "system's clock is not known",
		    stamping->interface);
	else
		journal_event(EVENT_DEVICE_CLOCK, &about,
		    "%s: its clock, /dev/ptp%d, cannot be read: %s; whether its stamps are in "
		    "step with the system's clock is not known",
		    stamping->interface, stamping->order.clock, strerror(-error));
}

static void tell_apart(const struct stamping *stamping, int64_t offset_ns)
{
	const struct journal_about about = { .interface = stamping->interface };
	const lldiv_t distance = lldiv(llabs(offset_ns), (long long)NSEC_PER_SEC);

	journal_event(EVENT_DEVICE_CLOCK, &about,
	    "%s: its clock, /dev/ptp%d, which stamps packets, is %lld.%09lld s %s the system's; "
	    "phc2sys(8) brings them in step",
	    stamping->interface, stamping->order.clock, distance.quot, distance.rem,
	    offset_ns > 0 ? "ahead of" : "behind");
}

void stamping_look(struct stamping *stamping)
{
	int64_t offset_ns = 0;
	bool is_in_step;
	int r;

	if (!stamping->interface)
		return;
	r = stamping->clock < 0 ? stamping->clock : stamps_offset(stamping->clock, &offset_ns);
	is_in_step = r == 0 && llabs(offset_ns) <= in_step_ns;
	/* Once for each time that it falls out of step. */
	if (!is_in_step && !stamping->was_told) {
		if (r < 0)
			tell_unknown(stamping, r);
		else
			tell_apart(stamping, offset_ns);
	}
	stamping->was_told = !is_in_step;
}
