/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules and the kernel's own word: what breaks none is made, and what breaks one is refused,
 * for requests at the borders of each rule.  SEED=N repeats a run.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/capacity.h"
#include "capture/filter.h"
#include "capture/socket.h"
#include "capture/trial.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
/* Of one ring, of which all askers may have one at a time. */
#define MEMORY_MOST (16 * MIB)

enum { REQUESTS = 10000, RULES_MOST = 32, ASKERS = 20 };

/* What becomes of a ring takes the kernel some 20 ms each, in which others may ask. */
struct tally {
	uint64_t asked, accepted, failed;
	uint64_t alone[RULES_MOST]; /* refused, with no other rule broken */
};

/* ---- memory in small pieces -------------------------------------------------------------- */

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);

static uint32_t largest_piece; /* of memory; 0: of any size */

static bool is_too_large(int level, int option, const void *value)
{
	const struct tpacket_req3 *request = value;

	return largest_piece > 0 && level == SOL_PACKET && option == PACKET_RX_RING &&
	       request->tp_block_size > largest_piece;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (is_too_large(level, option, value)) {
		errno = ENOMEM;
		return -1;
	}
	return __real_setsockopt(fd, level, option, value, length);
}

static void the_largest_block_that_works_is_named(void **state)
{
	const struct geometry large = { .block_size = MIB + 4096,
		.block_count = 4,
		.frame_size = 2048,
		.frame_count = 4 * 514,
		.retire_timeout_ms = 100 };
	const struct {
		uint32_t piece;
		uint64_t free;
		const char *advice;
	} rows[] = {
		{ MIB, 100 * MIB, "ring.block_size: 1MiB is the largest that works" },
		{ 300000, 100 * MIB, "ring.block_size: 256KiB is the largest that works" },
		{ 4096, 0, "ring.block_size: 4KiB is the largest that works" },
		{ 4095, 100 * MIB, "and for smaller ones; less ring.memory" },
		/* A block of a page more than 1 MiB takes two. */
		{ 4095, 8 * MIB - 1, "8MiB are asked for, and 8.0MiB are free; less ring.memory" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ring_fault fault;
		struct ring *ring = NULL;
		char advice[TRIAL_TEXT] = "";
		int fd = socket_open(PLACE_OF(OWN_NEAR));

		largest_piece = rows[i].piece;
		assert_int_equal(ring_open(&ring, fd, &large, &fault), -ENOMEM);
		trial_advise(fd, &large, rows[i].free, advice);
		largest_piece = 0;
		if (!strstr(advice, rows[i].advice))
			fail_msg("row %zu: %s", i, advice);
		/* And nothing of it is left. */
		assert_int_equal(ring_open(&ring, fd, &large, &fault), 0);
		ring_close(ring);
		close(fd);
	}
}

/* ---- random requests --------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
	/* splitmix64, which is public domain */
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t limit)
{
	return draw(state) % limit;
}

static uint32_t pick(uint64_t *state, const uint64_t *values, size_t count)
{
	return (uint32_t)values[below(state, count)];
}

#define PICK(state, ...)                                                                           \
	pick(state, (const uint64_t[]) { __VA_ARGS__ },                                            \
	    COUNT_OF(((const uint64_t[]) { __VA_ARGS__ })))

/* One in so many. */
static bool seldom(uint64_t *state, uint64_t times)
{
	return below(state, times) == 0;
}

static uint64_t header_of(unsigned int version)
{
	return version == 3 ? TPACKET3_HDRLEN : version == 2 ? TPACKET2_HDRLEN : TPACKET_HDRLEN;
}

static uint32_t draw_block_size(uint64_t *state)
{
	const uint64_t page = 4096, pages = page * (1 + below(state, 8));

	if (!seldom(state, 3))
		return (uint32_t)pages;
	return PICK(state, 0, 1, page / 2, pages - 1, pages + 1, pages + 16, pages + page / 2, MIB,
	    4 * MIB, 8 * MIB, INT32_MAX - page + 1, UINT64_C(1) << 31, UINT32_MAX - page + 1,
	    UINT32_MAX, draw(state));
}

static uint32_t draw_frame_size(uint64_t *state, const struct geometry_request *request)
{
	const uint64_t least = header_of(request->version) + request->reserve;
	const uint64_t rounded = (least + 15) / 16 * 16;

	if (!seldom(state, 3))
		return PICK(state, 2048, rounded, rounded + 16, request->block_size, 16 * 7);
	return PICK(state, 0, 16, least, rounded - 16, rounded + 8, rounded + 1,
	    request->block_size - 16, request->block_size + 16, request->block_size / 2,
	    UINT32_MAX - 15, UINT32_MAX, draw(state), draw(state) / 16 * 16);
}

static uint32_t draw_block_count(uint64_t *state, uint64_t frames)
{
	if (!seldom(state, frames > 10000 ? 2 : 4))
		return (uint32_t)(1 + below(state, 9));
	return PICK(state, 0, 1, 2, 524289, 524290, UINT32_MAX / MOST(frames, 1U),
	    UINT32_MAX / MOST(frames, 1U) + 1, UINT32_MAX, draw(state));
}

static void draw_extras(uint64_t *state, struct geometry_request *request)
{
	const uint64_t room = request->block_size - 48 - TPACKET3_HDRLEN - request->reserve;

	if (request->version != 3)
		return;
	if (!request->transmits || seldom(state, 3))
		request->retire_timeout_ms = PICK(state, 0, 1, 10, 65535, 65536, UINT32_MAX);
	if (seldom(state, 4))
		request->private_size = PICK(state, 0, 1, 8, 100, room / 8 * 8, room / 8 * 8 + 1,
		    room + 8, UINT32_MAX, UINT32_MAX - 7, draw(state));
	if (seldom(state, 8))
		request->features = PICK(state, 1, 2, UINT32_MAX);
}

static struct geometry_request draw_request(uint64_t *state)
{
	struct geometry_request request = {
		.version = (unsigned int)(1 + below(state, 3)),
		.transmits = seldom(state, 3),
	};
	uint64_t frames;

	request.block_size = draw_block_size(state);
	if (seldom(state, 6))
		request.reserve = PICK(state, 1, 16, 256, 4096 - 116, 4096 - 115,
		    request.block_size - 116, INT32_MAX, below(state, INT32_MAX));
	request.reserve = LEAST(request.reserve, (uint64_t)INT32_MAX);
	request.frame_size = draw_frame_size(state, &request);
	/* Only with many frames to a block are there too many before there are too many blocks. */
	if (seldom(state, 12)) {
		request.block_size = 4 * MIB;
		request.frame_size = (header_of(request.version) + request.reserve + 15) / 16 * 16;
	}
	frames = request.frame_size ? request.block_size / request.frame_size : 0;
	request.block_count = draw_block_count(state, frames);
	request.frame_count = (uint32_t)(frames * request.block_count);
	if (seldom(state, 8))
		request.frame_count =
		    PICK(state, 0, request.frame_count + 1, request.frame_count - 1, draw(state));
	draw_extras(state, &request);
	return request;
}

/* ---- asking ------------------------------------------------------------------------------ */

/* Where one is broken alone, the refusal is its own. */
static int only_broken(const struct geometry_request *request)
{
	const struct geometry_rule *rule;
	int found = -1;

	for (int i = 0; (rule = geometry_rule((size_t)i)); i++) {
		if (!rule->is_kernels || geometry_meets(rule, request))
			continue;
		if (found >= 0)
			return -1;
		found = i;
	}
	return found;
}

static void tell(const struct geometry_request *request, int r, const struct ring_fault *fault)
{
	const struct geometry_rule *rule = geometry_kernel_fault(request);

	printf("V%u %s: block %" PRIu64 " x %" PRIu64 ", frame %" PRIu64 " x %" PRIu64
	       ", timeout %" PRIu64 ", private %" PRIu64 ", features %" PRIu64 ", reserve %" PRIu64
	       ": rule %s, kernel: %s: %s\n",
	    request->version, request->transmits ? "transmit" : "receive", request->block_size,
	    request->block_count, request->frame_size, request->frame_count,
	    request->retire_timeout_ms, request->private_size, request->features, request->reserve,
	    rule ? rule->name : "none", r < 0 ? fault->purpose : "made", strerror(-r));
}

static void ask_one(int fd, const struct geometry_request *request, struct tally *tally)
{
	const struct geometry_rule *rule = geometry_kernel_fault(request);
	const int alone = only_broken(request);
	struct ring_fault fault = { "", NULL };
	int r, expected = 0;

	r = trial_ask(fd, request, MEMORY_MOST, &fault);
	/* More memory than a test should take shows nothing more. */
	if (r == -EFBIG)
		return;
	if (rule)
		expected = strcmp(rule->name, "blocks_listed") == 0 ? -ENOMEM : -EINVAL;
	tally->asked++;
	tally->accepted += r == 0;
	if (alone >= 0)
		tally->alone[alone]++;
	if (r == expected)
		return;
	tally->failed++;
	tell(request, r, &fault);
}

static void ask_many(uint64_t seed, uint64_t count, struct tally *tally)
{
	int fd = socket_open(PLACE_OF(OWN_NEAR));

	if (fd < 0) {
		tally->failed++;
		return;
	}
	while (tally->asked < count && tally->failed < 10) {
		const struct geometry_request request = draw_request(&seed);

		ask_one(fd, &request, tally);
	}
	close(fd);
}

/* A process that asks its share; its tally comes through the pipe. */
static int start_asker(uint64_t seed, uint64_t count)
{
	int ends[2];
	struct tally tally = { 0 };

	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	if (fork() == 0) {
		ask_many(seed, count, &tally);
		fflush(stdout);
		_exit(write(ends[1], &tally, sizeof(tally)) == (ssize_t)sizeof(tally) ? 0 : 1);
	}
	close(ends[1]);
	return ends[0];
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void the_kernel_takes_and_refuses_what_the_rules_say(void **state)
{
	const uint64_t seed = number_of("SEED", clock_utc_ns());
	const uint64_t scale = MOST(number_of("FANCAP_TEST_SCALE", 1), UINT64_C(1));
	struct tally sum = { 0 };
	int askers[ASKERS];

	(void)state;
	printf("SEED=%" PRIu64 "\n", seed);
	for (size_t i = 0; i < ASKERS; i++)
		askers[i] = start_asker(seed + i * UINT64_C(1000003), REQUESTS / scale / ASKERS);
	for (size_t i = 0; i < ASKERS; i++) {
		struct tally tally = { 0 };

		assert_int_equal(read(askers[i], &tally, sizeof(tally)), sizeof(tally));
		close(askers[i]);
		assert_true(wait(NULL) > 0);
		sum.asked += tally.asked;
		sum.accepted += tally.accepted;
		sum.failed += tally.failed;
		for (size_t k = 0; k < RULES_MOST; k++)
			sum.alone[k] += tally.alone[k];
	}
	printf("%" PRIu64 " asked, %" PRIu64 " accepted, %" PRIu64 " otherwise than told\n",
	    sum.asked, sum.accepted, sum.failed);
	assert_int_equal(sum.failed, 0);
	assert_int_equal(sum.asked, REQUESTS / scale / ASKERS * ASKERS);
	assert_true(sum.accepted > sum.asked / 10);
	for (size_t i = 0; geometry_rule(i); i++) {
		if (!geometry_rule(i)->is_kernels)
			continue;
		printf("%-15s alone %" PRIu64 " times\n", geometry_rule(i)->name, sum.alone[i]);
		assert_true(sum.alone[i] >= 10 / scale);
	}
}

/* ---- what a ring holds ------------------------------------------------------------------- */

static const struct filter everything = {
	(struct sock_filter[]) { BPF_STMT(BPF_RET | BPF_K, 262144) }, 1
};

static struct ring *open_ring(int fd, const struct geometry *geometry)
{
	struct ring_seat seat = { .mode = FANOUT_HASH, .group = RING_NEW_GROUP, .member_count = 1 };
	struct ring *ring = NULL;
	struct ring_fault fault;
	struct link_state link;
	uint16_t group;

	assert_int_equal(socket_interface(PLACE_OF(OWN_NEAR), &link), 0);
	seat.ifindex = link.ifindex;
	assert_int_equal(ring_open(&ring, fd, geometry, &fault), 0);
	assert_int_equal(ring_join(ring, &seat, &group, &fault), 0);
	assert_int_equal(filter_attach(fd, &everything), 0);
	return ring;
}

/* Read until the kernel has told of so many packets, at most five seconds. */
static void await_packets(int fd, uint64_t count, struct ledger_statistics *sum)
{
	const uint64_t deadline = clock_monotonic_ns() + 5 * NSEC_PER_SEC;

	while (sum->packets < count && clock_monotonic_ns() < deadline) {
		struct ledger_statistics part = { 0 };

		assert_int_equal(socket_statistics(fd, &part), 0);
		sum->packets += part.packets;
		sum->drops += part.drops;
	}
}

/* Some at a time, so that none is lost before it comes to the ring. */
static struct ledger_statistics send_frames(int fd, uint32_t size, uint64_t count)
{
	enum { AT_A_TIME = 256 };
	const struct numbered_plan plan = { .count = count, .size = size, .flows = 1 };
	static uint8_t frame[NUMBERED_LENGTH_MAX];
	struct ledger_statistics seen = { 0 };
	struct sender sender;

	assert_int_equal(sender_open(OWN_FAR, 0, &sender), 0);
	for (uint64_t i = 0; i < count; i++) {
		const struct sender_frame one = { frame, numbered_build(&plan, i, frame) };

		assert_int_equal(one.length, size);
		assert_int_equal(sender_send(&sender, &one, 1), 0);
		if (i % AT_A_TIME == 0 || i == count - 1)
			await_packets(fd, i + 1, &seen);
	}
	close(sender.fd);
	return seen;
}

/* Nobody reads, and no timeout closes a block: the first that is dropped is the one told. */
static void a_ring_holds_as_many_packets_as_told(void **state)
{
	const uint32_t sizes[] = { 60, 61, 62, 63, 70, 71, 800, 1514, 3966, 3967, 5000, 9014 };
	const struct ring_config configs[] = {
		{ .memory = 5 * 16384, .block_size = 16384, .retire_timeout = 60 * NSEC_PER_SEC },
		{ .memory = 3 * 4096, .block_size = 4096, .retire_timeout = 60 * NSEC_PER_SEC },
		{ .memory = MIB, .block_size = MIB / 8, .retire_timeout = 60 * NSEC_PER_SEC },
	};
	enum { EXTRA = 7 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(configs); i++) {
		const struct ring_config *config = &configs[i / COUNT_OF(sizes)];
		const struct capacity_load load = { .packet = sizes[i % COUNT_OF(sizes)],
			.link_header = ETH_HLEN };
		const struct geometry_rule *rule;
		struct ledger_statistics seen;
		struct geometry geometry;
		struct ring *ring;
		uint64_t held;
		int fd = socket_open(PLACE_OF(OWN_NEAR));

		assert_int_equal(geometry_plan(&geometry, config, &rule), 0);
		held = geometry.block_count * capacity_of_block(geometry.block_size, &load);
		/* One that needs a whole block closes the first without a packet. */
		if (load.packet + 7 >= geometry_largest_frame(&geometry, ETH_HLEN))
			held--;
		ring = open_ring(fd, &geometry);
		seen = send_frames(fd, load.packet, held + EXTRA);
		if (seen.packets != held + EXTRA || seen.drops != EXTRA)
			fail_msg("%u bytes in blocks of %u: %u seen, %u dropped", load.packet,
			    geometry.block_size, seen.packets, seen.drops);
		ring_close(ring);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_takes_and_refuses_what_the_rules_say),
		cmocka_unit_test(the_largest_block_that_works_is_named),
		cmocka_unit_test(a_ring_holds_as_many_packets_as_told),
	};

	/* The borders above are those of a page of 4 KiB. */
	if (sysconf(_SC_PAGESIZE) != 4096)
		return 77;
	if (own_namespace_enter() < 0)
		return 77;
	return RUN_TESTS(tests);
}
