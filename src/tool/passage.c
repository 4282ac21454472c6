/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/passage.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/device.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What the two processes and this one see. */
struct page {
	uint64_t sent; /* UINT64_MAX while it is not known */
	struct sending_report sending;
	struct receiving_report receiving;
	size_t delay_count;
	int error[2];
	uint32_t delays[];
};

enum { SENDING, RECEIVING };

struct passage {
	const struct passage_plan *plan;
	struct page *page;
	size_t page_size, delay_capacity;
	int ready[2]; /* a pipe */
	pid_t sending, receiving;
};

/* ---- the two processes ------------------------------------------------------------------- */

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static int send_probes(const struct passage *passage)
{
	const struct passage_plan *plan = passage->plan;
	const struct sending_plan sending = {
		.ifindex = plan->cable.far,
		.version = plan->transmit,
		.packet_size = plan->packet_size,
		.rate = plan->rate,
		.duration_ns = plan->duration_ns,
	};
	struct page *page = passage->page;
	int r;

	pin(plan->transmit_cpu);
	r = sending_end_run(&sending, &page->sending);
	__atomic_store_n(&page->sent, r < 0 ? 0 : page->sending.sent, __ATOMIC_RELEASE);
	return r;
}

static int receive_probes(const struct passage *passage)
{
	const struct passage_plan *plan = passage->plan;
	struct page *page = passage->page;
	const struct receiving_plan receiving = {
		.receive = { plan->cable.near, plan->receive, plan->geometry, plan->longest },
		.sent = &page->sent,
		.ready_fd = passage->ready[1],
	};
	struct delays delays = { .values = page->delays, .capacity = passage->delay_capacity };
	int r;

	pin(plan->receive_cpu);
	r = receiving_end_run(&receiving, &delays, &page->receiving);
	delays_sort(&delays);
	page->delay_count = delays.count;
	return r;
}

/* A process that ends with this one.  Returns its number, or a negative errno. */
static pid_t begin(const struct passage *passage, int which, int (*run)(const struct passage *))
{
	const pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid < 0 ? log_failure(-errno, "cannot fork") : pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	passage->page->error[which] = run(passage);
	_exit(0);
}

/* Returns the process's own error, or -ECHILD where it was killed. */
static int await(const struct passage *passage, int which, pid_t *pid)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(*pid, &status, 0);
	while (r < 0 && errno == EINTR);
	*pid = -1;
	if (r < 0 || !WIFEXITED(status))
		return log_failure(-ECHILD, "a process that measures was killed");
	return passage->page->error[which];
}

static void end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = -1;
}

/* ---- the passage --------------------------------------------------------------------------- */

static void release(struct passage *passage)
{
	end(&passage->sending);
	end(&passage->receiving);
	close_at(&passage->ready[0]);
	close_at(&passage->ready[1]);
	if (passage->page)
		munmap(passage->page, passage->page_size);
}

static int prepare(struct passage *passage)
{
	const struct passage_plan *plan = passage->plan;
	void *page;

	passage->delay_capacity = plan->duration_ns * plan->rate / NSEC_PER_SEC + 1;
	passage->page_size =
	    sizeof(*passage->page) + passage->delay_capacity * sizeof(passage->page->delays[0]);
	/* Populated, so that nobody pays for its first use. */
	page = mmap(NULL, passage->page_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		return log_failure(-errno, "cannot allocate what is measured");
	passage->page = page;
	passage->page->sent = UINT64_MAX;
	if (pipe2(passage->ready, O_CLOEXEC) < 0)
		return log_failure(-errno, "cannot make a pipe");
	return 0;
}

/* Until packets are received.  Its end of the pipe is the only one, so that its death is seen. */
static int begin_receiving(struct passage *passage)
{
	char byte;
	ssize_t n;

	passage->receiving = begin(passage, RECEIVING, receive_probes);
	if (passage->receiving < 0)
		return passage->receiving;
	close_at(&passage->ready[1]);
	do
		n = read(passage->ready[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : await(passage, RECEIVING, &passage->receiving);
}

static int run(struct passage *passage)
{
	int r = begin_receiving(passage);

	if (r < 0)
		return r;
	passage->sending = begin(passage, SENDING, send_probes);
	if (passage->sending < 0)
		return passage->sending;
	r = await(passage, SENDING, &passage->sending);
	return r < 0 ? r : await(passage, RECEIVING, &passage->receiving);
}

static int count_lost(const struct passage_plan *plan, uint64_t *ret_lost)
{
	int r = device_dropped(PLACE_OF(""), plan->cable.near, ret_lost);

	return r < 0 ? log_failure(r, "cannot ask what a veth pair lost") : 0;
}

static struct passage_result result_of(const struct passage *passage)
{
	const struct page *page = passage->page;
	const struct delays delays = {
		.values = passage->page->delays,
		.count = page->delay_count,
		.capacity = passage->delay_capacity,
	};

	return (struct passage_result) {
		.sending = page->sending,
		.receiving = page->receiving,
		.delay_median_ns = delays_percentile(&delays, 50),
		.delay_p99_ns = delays_percentile(&delays, 99),
	};
}

int passage_run(const struct passage_plan *plan, struct passage_result *ret_result)
{
	CLEANUP(release)
	struct passage passage = {
		.plan = plan, .ready = { -1, -1 }, .sending = -1, .receiving = -1
	};
	uint64_t before = 0, after = 0;
	int r = prepare(&passage);

	if (r == 0)
		r = count_lost(plan, &before);
	if (r == 0)
		r = run(&passage);
	if (r == 0)
		r = count_lost(plan, &after);
	if (r < 0)
		return r;
	*ret_result = result_of(&passage);
	ret_result->lost_on_the_way = after - before;
	return 0;
}
