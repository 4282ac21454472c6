/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/sending_end.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/socket.h"
#include "capture/transmit.h"
#include "capture/transmit_plain.h"
#include "tool/probe.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	/* As many for one call as `fancap replay` takes. */
	BATCH = 64,
	POLL_FULL_MS = 1,
};

#define DRAIN_NS NSEC_PER_SEC

struct sending {
	const struct sending_plan *plan;
	int fd;
	struct transmit *transmit; /* NULL: without a ring */
	uint8_t frame[PROBE_SIZE_MOST];
};

/* ---- the ring ---------------------------------------------------------------------------- */

static void wait_for_room(const struct sending *sending)
{
	struct pollfd writable = { .fd = sending->fd, .events = POLLOUT };

	(void)poll(&writable, 1, POLL_FULL_MS);
}

static int flush(const struct sending *sending)
{
	int r;

	while ((r = transmit_flush(sending->transmit)) > 0)
		wait_for_room(sending);
	return r;
}

static int put(const struct sending *sending, uint32_t batch)
{
	while (!transmit_put(sending->transmit, sending->frame, sending->plan->packet_size)) {
		int r = flush(sending);

		if (r < 0)
			return r;
		wait_for_room(sending);
	}
	return transmit_queued(sending->transmit) < batch ? 0 : flush(sending);
}

/* What is still on its way belongs to the cost. */
static int drain(const struct sending *sending)
{
	const uint64_t deadline = clock_monotonic_ns() + DRAIN_NS;
	int r = flush(sending);

	while (
	    r == 0 && transmit_is_under_way(sending->transmit) && clock_monotonic_ns() < deadline)
		wait_for_room(sending);
	return r;
}

/* ---- sending ----------------------------------------------------------------------------- */

static int send_one(struct sending *sending, const struct probe *probe, uint32_t batch)
{
	int r;

	probe_write(sending->frame, probe);
	if (sending->transmit)
		return put(sending, batch);
	r = transmit_plain(sending->fd, sending->frame, sending->plan->packet_size);
	/* The device lost it, which is what a ring would not tell. */
	return r == -ENOBUFS ? 0 : r;
}

static void sleep_until(uint64_t instant_ns)
{
	const struct timespec instant = {
		.tv_sec = (time_t)(instant_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(instant_ns % NSEC_PER_SEC),
	};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL);
}

/* Each is due at a time of its own, so that what is late once does not make the rest late. */
static int send_paced(struct sending *sending, struct probe *probe)
{
	const struct sending_plan *plan = sending->plan;
	const uint64_t start = clock_monotonic_ns();
	int r = 0;

	while (r == 0) {
		uint64_t due = probe->number * NSEC_PER_SEC / plan->rate;

		if (due >= plan->duration_ns)
			break;
		if (clock_monotonic_ns() < start + due)
			sleep_until(start + due);
		probe->sent_ns = clock_monotonic_ns();
		/* At a rate that is too high the time ends it. */
		if (probe->sent_ns >= start + 2 * plan->duration_ns)
			break;
		r = send_one(sending, probe, 1);
		probe->number++;
	}
	return r;
}

static int send_fast(struct sending *sending, struct probe *probe)
{
	const uint64_t end = clock_monotonic_ns() + sending->plan->duration_ns;
	int r = 0;

	while (r == 0 && (probe->number % BATCH != 0 || clock_monotonic_ns() < end)) {
		r = send_one(sending, probe, BATCH);
		probe->number++;
	}
	return r;
}

static int send_all(struct sending *sending, struct sending_report *report)
{
	const struct cost before = cost_now();
	const uint64_t start = clock_monotonic_ns();
	struct probe probe = { 0 };
	int r = sending->plan->rate > 0 ? send_paced(sending, &probe) : send_fast(sending, &probe);

	if (r == 0 && sending->transmit)
		r = drain(sending);
	if (r < 0)
		return log_failure(r, "cannot send to measure");
	*report = (struct sending_report) {
		.sent = probe.number,
		.took_ns = clock_monotonic_ns() - start,
		.cost = cost_since(&before),
	};
	return 0;
}

static int open_ring(struct sending *sending)
{
	const struct transmit_plan plan = {
		.ifindex = sending->plan->ifindex,
		.version = sending->plan->version,
		.room = { ETH_HLEN, sending->plan->packet_size - ETH_HLEN },
	};
	struct ring_fault fault;
	int r = transmit_open(&sending->transmit, sending->fd, &plan, &fault);

	if (r < 0)
		return log_failure(
		    r, "TPACKET_V%u to send: cannot %s", plan.version, fault.purpose);
	return 0;
}

int sending_end_run(const struct sending_plan *plan, struct sending_report *ret_report)
{
	CLEANUP(close_at) int fd = socket_open(PLACE_OF(""));
	struct sending sending = { .plan = plan, .fd = fd };
	int r;

	if (fd < 0)
		return log_failure(fd, "cannot open a packet socket to send%s",
		    fd == -EPERM ? "; it needs CAP_NET_RAW" : "");
	if (plan->version == 0)
		r = transmit_plain_open(fd, plan->ifindex);
	else
		r = open_ring(&sending);
	if (r < 0)
		return r;
	/* The default of 50 us would be on top of each wait. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	probe_begin(sending.frame, plan->packet_size);
	r = send_all(&sending, ret_report);
	transmit_close(sending.transmit);
	return r;
}
