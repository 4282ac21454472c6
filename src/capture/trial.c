/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/trial.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t rounded_block(const struct geometry_request *request)
{
	uint64_t block = (uint64_t)sysconf(_SC_PAGESIZE);

	while (block < request->block_size)
		block *= 2;
	return block;
}

uint64_t trial_memory(const struct geometry_request *request)
{
	const struct geometry_rule *rule = geometry_kernel_fault(request);

	return rule && !rule->is_late ? 0 : rounded_block(request) * request->block_count;
}

/* ---- asking ------------------------------------------------------------------------------ */

static int set_option(int fd, int option, const void *value, size_t size)
{
	return setsockopt(fd, SOL_PACKET, option, value, (socklen_t)size) < 0 ? -errno : 0;
}

static int choose_version(int fd, const struct geometry_request *request)
{
	static const int versions[] = { -1, TPACKET_V1, TPACKET_V2, TPACKET_V3 };
	const int version = versions[LEAST(request->version, 3U)];

	return set_option(fd, PACKET_VERSION, &version, sizeof(version));
}

static int reserve_headroom(int fd, const struct geometry_request *request)
{
	const unsigned int bytes = (unsigned int)request->reserve;

	return set_option(fd, PACKET_RESERVE, &bytes, sizeof(bytes));
}

static int set_ring(int fd, const struct geometry_request *request, const struct tpacket_req3 *ring)
{
	/* The first four fields are those of struct tpacket_req. */
	return set_option(fd, request->transmits ? PACKET_TX_RING : PACKET_RX_RING, ring,
	    request->version == 3 ? sizeof(*ring) : sizeof(struct tpacket_req));
}

static int make_ring(int fd, const struct geometry_request *request)
{
	const struct tpacket_req3 ring = {
		.tp_block_size = (unsigned int)request->block_size,
		.tp_block_nr = (unsigned int)request->block_count,
		.tp_frame_size = (unsigned int)request->frame_size,
		.tp_frame_nr = (unsigned int)request->frame_count,
		.tp_retire_blk_tov = (unsigned int)request->retire_timeout_ms,
		.tp_sizeof_priv = (unsigned int)request->private_size,
		.tp_feature_req_word = (unsigned int)request->features,
	};

	return set_ring(fd, request, &ring);
}

static int map_ring(int fd, const struct geometry_request *request)
{
	/* Without a block there is no ring, and any length is refused. */
	const size_t size = request->block_size * MOST(request->block_count, UINT64_C(1));
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	munmap(bytes, size);
	return 0;
}

static const struct {
	int (*run)(int fd, const struct geometry_request *request);
	const char *purpose;
} steps[] = {
	{ choose_version, "select the version" },
	{ reserve_headroom, "reserve room before packets" },
	{ make_ring, "make the ring" },
	{ map_ring, "map the ring" },
};

static bool fits(const struct geometry_request *request)
{
	const uint64_t numbers[] = { request->block_size, request->block_count, request->frame_size,
		request->frame_count, request->retire_timeout_ms, request->private_size,
		request->features, request->reserve };

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		if (numbers[i] > UINT32_MAX)
			return false;
	return true;
}

int trial_ask(
    int fd, const struct geometry_request *request, uint64_t most, struct ring_fault *ret_fault)
{
	const struct tpacket_req3 nothing = { 0 };
	int r = 0;

	*ret_fault = (struct ring_fault) { "put the numbers into the kernel's fields", NULL };
	if (!fits(request))
		return -EOVERFLOW;
	if (trial_memory(request) > most)
		return -EFBIG;
	for (size_t i = 0; i < COUNT_OF(steps) && r == 0; i++) {
		r = steps[i].run(fd, request);
		if (r < 0)
			*ret_fault = (struct ring_fault) { steps[i].purpose, NULL };
	}
	/* Where there is none, this says so, and changes nothing. */
	(void)set_ring(fd, request, &nothing);
	return r;
}

/* ---- saying which limit was hit ---------------------------------------------------------- */

/* A piece of memory has at most 2^10 pages (MAX_PAGE_ORDER); larger ones are for vmalloc. */
static uint64_t largest_piece(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE) << 10;
}

static bool is_short(const struct geometry_request *request, uint64_t free)
{
	return free > 0 && trial_memory(request) > free;
}

static bool is_vmalloc(const struct geometry_request *request, uint64_t free)
{
	(void)free;
	return rounded_block(request) > largest_piece();
}

/* The first row of an error whose condition holds, if it has one. */
static const struct {
	int error;
	bool (*holds)(const struct geometry_request *request, uint64_t free);
	const char *text;
} limits[] = {
	{ -ENOMEM, is_short, "memory: more is asked for than is free" },
	{ -ENOMEM, is_vmalloc,
	    "vmalloc: it has no room for blocks of more than one piece; a smaller block size" },
	{ -ENOMEM, NULL,
	    "memory in one piece: it is too fragmented for the blocks, or the address space "
	    "(ulimit -v) is too small; a smaller block size" },
	{ -EFBIG, NULL, "memory: what is not free would be taken from others" },
	{ -EAGAIN, NULL, "locked memory: RLIMIT_MEMLOCK, ulimit -l" },
	{ -EPERM, NULL, "a right: CAP_NET_RAW" },
	{ -EACCES, NULL, "a right: CAP_NET_RAW" },
	{ -EBUSY, NULL, "one ring for a socket: it has one that is mapped" },
	{ -ENODEV, NULL, "no such interface" },
	{ -ENETDOWN, NULL, "the interface is down" },
	{ -ENOPROTOOPT, NULL, "the version: this kernel does not know it" },
};

void trial_explain(
    const struct geometry_request *request, int error, uint64_t free, char text[TRIAL_TEXT])
{
	const struct geometry_rule *rule = geometry_kernel_fault(request);
	char numbers[GEOMETRY_TEXT], asked[UNITS_TEXT], left[UNITS_TEXT];

	if (rule) {
		geometry_compare(rule, request, numbers);
		snprintf(text, TRIAL_TEXT, "%s: %s", rule->name, numbers);
		return;
	}
	units_format_about(asked, sizeof(asked), trial_memory(request));
	units_format_about(left, sizeof(left), free);
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		if (limits[i].error != error)
			continue;
		if (limits[i].holds && !limits[i].holds(request, free))
			continue;
		snprintf(text, TRIAL_TEXT, "%s (%s asked, %s free)", limits[i].text, asked, left);
		return;
	}
	snprintf(text, TRIAL_TEXT, "no limit that is known: %s", strerror(-error));
}

/* ---- what would work --------------------------------------------------------------------- */

/* The largest power of two below the block size that works with the same memory; 0: none does. */
static uint64_t largest_block(int fd, const struct geometry *geometry, uint64_t most)
{
	struct ring_config ring = {
		.memory = (uint64_t)geometry->block_size * geometry->block_count,
		.block_size = UINT64_C(1) << 31,
		.retire_timeout = geometry->retire_timeout_ms * NSEC_PER_MSEC,
	};

	while (ring.block_size /= 2) {
		const struct geometry_request request = geometry_request_of(&ring);
		struct ring_fault fault;

		if (ring.block_size >= geometry->block_size)
			continue;
		if (geometry_fault(&request))
			break;
		if (trial_ask(fd, &request, most, &fault) == 0)
			return ring.block_size;
	}
	return 0;
}

void trial_advise(int fd, const struct geometry *geometry, uint64_t free, char text[TRIAL_TEXT])
{
	const uint64_t memory = geometry_memory(geometry);
	char asked[UNITS_TEXT], left[UNITS_TEXT], block[UNITS_TEXT], smaller[UNITS_TEXT];
	uint64_t works = 0;

	units_format_about(asked, sizeof(asked), memory);
	units_format_about(left, sizeof(left), free);
	units_format_size(block, sizeof(block), geometry->block_size);
	if (free > 0 && memory > free) {
		snprintf(text, TRIAL_TEXT, "%s are asked for, and %s are free; less ring.memory",
		    asked, left);
		return;
	}
	works = largest_block(fd, geometry, free > 0 ? free : UINT64_MAX);
	units_format_size(smaller, sizeof(smaller), works);
	if (works > 0)
		snprintf(text, TRIAL_TEXT,
		    "memory is too fragmented for blocks of %s; ring.block_size: %s is the largest "
		    "that works",
		    block, smaller);
	else
		snprintf(text, TRIAL_TEXT,
		    "memory is too fragmented for blocks of %s, and for smaller ones; less "
		    "ring.memory",
		    block);
}
