/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/receiving_end.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/socket.h"

#include <errno.h>

enum {
	/* The end of a passage is seen this late, if its last packets are lost. */
	LOOK_MS = 20,
	/* Beyond what a block may wait for its retirement, on a busy machine. */
	QUIET_MS = 150,
};

DEFINE_CLEANUP(struct receive *, receive_close)

static uint64_t sent_in_all(const struct receiving_plan *plan)
{
	return __atomic_load_n(plan->sent, __ATOMIC_ACQUIRE);
}

static void take(
    struct receiving_report *report, struct delays *delays, const struct packet *packet)
{
	struct probe probe;

	if (!probe_read(packet, &probe))
		return;
	probe_count(&report->tally, &probe);
	if (probe.sent_ns > 0)
		delays_add(delays, clock_monotonic_ns() - probe.sent_ns);
}

static int receive_all(const struct receiving_plan *plan, struct receive *receive,
    struct delays *delays, struct receiving_report *report)
{
	const uint32_t retire_ms =
	    plan->receive.version == 3 ? plan->receive.geometry.retire_timeout_ms : 0;
	const uint32_t looks = (2 * retire_ms + QUIET_MS) / LOOK_MS;
	struct packet packet;
	uint32_t quiet = 0;

	while (report->tally.next < sent_in_all(plan) && quiet < looks) {
		int r = receive_next(receive, LOOK_MS, &packet);

		if (r < 0)
			return log_failure(r, "cannot receive to measure");
		if (r > 0)
			take(report, delays, &packet);
		quiet = r > 0 || sent_in_all(plan) == UINT64_MAX ? 0 : quiet + 1;
	}
	return 0;
}

static int tell_ready(int fd)
{
	return write(fd, "", 1) == 1 ? 0 : -EPIPE;
}

static int open_way(const struct receiving_plan *plan, int fd, struct receive **ret_receive)
{
	struct ring_fault fault;
	int r = receive_open(ret_receive, fd, &plan->receive, &fault);

	if (r == 0)
		return 0;
	if (plan->receive.version == 0)
		return log_failure(r, "recvfrom: cannot %s", fault.purpose);
	return log_failure(r, "TPACKET_V%u to receive: cannot %s%s%s", plan->receive.version,
	    fault.purpose, fault.remedy ? "; " : "", fault.remedy ? fault.remedy : "");
}

int receiving_end_run(
    const struct receiving_plan *plan, struct delays *delays, struct receiving_report *ret_report)
{
	CLEANUP(close_at) int fd = socket_open(PLACE_OF(""));
	CLEANUP(receive_close_at) struct receive *receive = NULL;
	struct ledger_statistics statistics = { 0 };
	struct receiving_report report = { 0 };
	struct cost before;
	int r;

	if (fd < 0)
		return log_failure(fd, "cannot open a packet socket to receive%s",
		    fd == -EPERM ? "; it needs CAP_NET_RAW" : "");
	r = open_way(plan, fd, &receive);
	if (r == 0)
		r = tell_ready(plan->ready_fd);
	if (r < 0)
		return r;
	before = cost_now();
	r = receive_all(plan, receive, delays, &report);
	report.cost = cost_since(&before);
	if (r == 0)
		r = socket_statistics(fd, &statistics);
	report.dropped = statistics.drops;
	if (r == 0)
		*ret_report = report;
	return r;
}
