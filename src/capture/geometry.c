/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/geometry.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A multiple of TPACKET_ALIGNMENT above the header; with a page as the least block, it always
 * divides into whole frames.
 */
enum { FRAME_SIZE = 2048 };

/*
 * A block's header, and what tpacket_rcv() puts in front of the first packet's network header: its
 * own header and the address, 68 bytes, with room for a link header, in whole 16.
 */
enum { BLOCK_OVERHEAD = 48 + 96 };

enum {
	BLOCKS_LEAST = 2,
	/* kactive_blk_num has 16 bits: of more blocks the kernel uses these (tried on 6.18). */
	BLOCKS_IN_TURN = 65536,
	/* Before 6.18 retire_blk_tov has 16 bits. */
	TIMEOUT_MOST_MS = 65535,
	/* The list of blocks is one piece of memory, of at most 2^10 pages: KMALLOC_MAX_SIZE. */
	LIST_PAGES = 1024,
	/* BLK_PLUS_PRIV() rounds to this. */
	BLOCK_ALIGNMENT = 8,
};

/* ---- numbers ----------------------------------------------------------------------------- */

typedef uint64_t number_function(const struct geometry_request *request);

static uint64_t block_size(const struct geometry_request *request)
{
	return request->block_size;
}

static uint64_t block_count(const struct geometry_request *request)
{
	return request->block_count;
}

static uint64_t frame_size(const struct geometry_request *request)
{
	return request->frame_size;
}

static uint64_t frame_count(const struct geometry_request *request)
{
	return request->frame_count;
}

static uint64_t retire_timeout(const struct geometry_request *request)
{
	return request->retire_timeout_ms;
}

static uint64_t receive_only(const struct geometry_request *request)
{
	return request->retire_timeout_ms | request->private_size | request->features;
}

static uint64_t page(const struct geometry_request *request)
{
	(void)request;
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t header(const struct geometry_request *request)
{
	static const uint64_t headers[] = { 0, TPACKET_HDRLEN, TPACKET2_HDRLEN, TPACKET3_HDRLEN };

	return headers[LEAST(request->version, 3U)] + request->reserve;
}

static uint64_t block_header(const struct geometry_request *request)
{
	return sizeof(struct tpacket_block_desc) + header(request) +
	       (request->private_size + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
}

static uint64_t frames_in_block(const struct geometry_request *request)
{
	return request->frame_size ? request->block_size / request->frame_size : 0;
}

static uint64_t countable(const struct geometry_request *request)
{
	return UINT32_MAX / MOST(frames_in_block(request), UINT64_C(1));
}

/* In the kernel's 32 bits: that they suffice is a rule of its own. */
static uint64_t frames_in_all(const struct geometry_request *request)
{
	return (uint32_t)(frames_in_block(request) * request->block_count);
}

static uint64_t listable(const struct geometry_request *request)
{
	return LIST_PAGES * page(request) / sizeof(void *);
}

/* ---- rules ------------------------------------------------------------------------------- */

enum relation { AT_LEAST, AT_MOST, MULTIPLE, EQUAL };

static const char *const relation_names[] = {
	[AT_LEAST] = "at least",
	[AT_MOST] = "at most",
	[MULTIPLE] = "a multiple of",
	[EQUAL] = "equal to",
};

enum { RECEIVE = 1, TRANSMIT = 2, BOTH = RECEIVE | TRANSMIT };

/* One of a request, or always the same. */
struct number {
	const char *name;
	number_function *of; /* NULL: constant */
	uint64_t constant;
};

/* A rule and what it compares; the former is all that others see of it. */
struct law {
	struct geometry_rule rule;
	unsigned int since; /* version of the ring */
	unsigned int directions;
	struct number left;
	enum relation relation;
	struct number right;
};

#define PAGES_TEXT                                                                                 \
	"is no multiple of the page size; a multiple of it, best a power of two such as 64KiB or " \
	"1MiB"
#define COUNT_TEXT                                                                                 \
	"holds more blocks than the kernel can count; less memory, or a larger ring.block_size"
#define TURN_TEXT                                                                                  \
	"holds more than the 65536 blocks that the kernel uses; less memory, or a larger "         \
	"ring.block_size"
#define TIMEOUT_TEXT                                                                               \
	"is no time that the kernel takes; at least 1ms, as with 0 it would choose its own by "    \
	"the link's speed"

/* clang-format off */
#define KERNELS(name, key, text) { name, "ring." key, text, true, false }
#define LATE(name, key, text) { name, "ring." key, text, true, true }
#define OURS(name, key, text) { name, "ring." key, text, false, false }

static const struct law laws[] = {
	{ KERNELS("block_int", "block_size", "is more than the kernel takes; below 2GiB"), 1, BOTH,
	  { "tp_block_size", block_size }, AT_MOST, { "INT_MAX", NULL, INT32_MAX } },
	{ KERNELS("block_pages", "block_size", PAGES_TEXT), 1, BOTH,
	  { "tp_block_size", block_size }, MULTIPLE, { "the page", page } },
	{ KERNELS("block_header", "block_size", PAGES_TEXT), 3, BOTH,
	  { "tp_block_size", block_size }, AT_LEAST,
	  { "block header + tp_sizeof_priv + tp_hdrlen + PACKET_RESERVE", block_header } },
	{ KERNELS("frame_header", "block_size", PAGES_TEXT), 1, BOTH,
	  { "tp_frame_size", frame_size }, AT_LEAST, { "tp_hdrlen + PACKET_RESERVE", header } },
	{ KERNELS("frame_aligned", "block_size", PAGES_TEXT), 1, BOTH,
	  { "tp_frame_size", frame_size }, MULTIPLE, { "TPACKET_ALIGNMENT", NULL, TPACKET_ALIGNMENT } },
	{ KERNELS("frame_in_block", "block_size", PAGES_TEXT), 1, BOTH,
	  { "tp_frame_size", frame_size }, AT_MOST, { "tp_block_size", block_size } },
	{ KERNELS("blocks", "memory", "does not hold two blocks; at least twice ring.block_size"), 1, BOTH,
	  { "tp_block_nr", block_count }, AT_LEAST, { "one, or there is no ring", NULL, 1 } },
	{ KERNELS("frames_int", "memory", COUNT_TEXT), 1, BOTH,
	  { "tp_block_nr", block_count }, AT_MOST, { "UINT_MAX / frames in a block", countable } },
	{ KERNELS("frames_counted", "memory", COUNT_TEXT), 1, BOTH,
	  { "tp_frame_nr", frame_count }, EQUAL, { "tp_block_nr x frames in a block", frames_in_all } },
	{ KERNELS("blocks_listed", "memory", COUNT_TEXT), 1, BOTH,
	  { "tp_block_nr", block_count }, AT_MOST, { "what its list of them holds", listable } },
	{ LATE("transmit_plain", "retire_timeout", "is not for a ring that transmits; 0"), 3, TRANSMIT,
	  { "tp_retire_blk_tov | tp_sizeof_priv | tp_feature_req_word", receive_only }, EQUAL,
	  { "none of them, in a ring that transmits", NULL, 0 } },
	{ OURS("two_blocks", "memory", "does not hold two blocks; at least twice ring.block_size"), 3, RECEIVE,
	  { "tp_block_nr", block_count }, AT_LEAST, { "one to fill and one to read", NULL, BLOCKS_LEAST } },
	{ OURS("blocks_in_turn", "memory", TURN_TEXT), 3, RECEIVE,
	  { "tp_block_nr", block_count }, AT_MOST, { "those that the kernel uses", NULL, BLOCKS_IN_TURN } },
	{ OURS("timeout_given", "retire_timeout", TIMEOUT_TEXT), 3, RECEIVE,
	  { "tp_retire_blk_tov", retire_timeout }, AT_LEAST, { "what is not 0, the kernel's own choice", NULL, 1 } },
	{ OURS("timeout_kept", "retire_timeout", "is more than every kernel keeps; at most 65s"), 3, RECEIVE,
	  { "tp_retire_blk_tov", retire_timeout }, AT_MOST, { "what its 16 bits hold before Linux 6.18", NULL, TIMEOUT_MOST_MS } },
};
/* clang-format on */

static uint64_t value_of(const struct number *number, const struct geometry_request *request)
{
	return number->of ? number->of(request) : number->constant;
}

static bool compares(uint64_t left, enum relation relation, uint64_t right)
{
	switch (relation) {
	case AT_LEAST:
		return left >= right;
	case AT_MOST:
		return left <= right;
	case MULTIPLE:
		return left >= right && left % right == 0;
	case EQUAL:
		return left == right;
	}
	return false;
}

const struct geometry_rule *geometry_rule(size_t nth)
{
	return nth < COUNT_OF(laws) ? &laws[nth].rule : NULL;
}

static const struct law *law_of(const struct geometry_rule *rule)
{
	return (const struct law *)rule;
}

bool geometry_concerns(const struct geometry_rule *rule, const struct geometry_request *request)
{
	const struct law *law = law_of(rule);

	return request->version >= law->since &&
	       law->directions & (request->transmits ? TRANSMIT : RECEIVE);
}

bool geometry_meets(const struct geometry_rule *rule, const struct geometry_request *request)
{
	const struct law *law = law_of(rule);

	return !geometry_concerns(rule, request) ||
	       compares(
		   value_of(&law->left, request), law->relation, value_of(&law->right, request));
}

void geometry_compare(const struct geometry_rule *rule, const struct geometry_request *request,
    char text[GEOMETRY_TEXT])
{
	const struct law *law = law_of(rule);

	snprintf(text, GEOMETRY_TEXT, "%s %" PRIu64 " is %s%s %s, %" PRIu64, law->left.name,
	    value_of(&law->left, request), geometry_meets(rule, request) ? "" : "not ",
	    relation_names[law->relation], law->right.name, value_of(&law->right, request));
}

/* Two rules that say the same of the same key are one fault. */
static bool is_said(const struct geometry_request *request, size_t index)
{
	const struct geometry_rule *rule = &laws[index].rule;

	for (size_t i = 0; i < index; i++)
		if (!geometry_meets(&laws[i].rule, request) &&
		    strcmp(laws[i].rule.key, rule->key) == 0 &&
		    strcmp(laws[i].rule.text, rule->text) == 0)
			return true;
	return false;
}

static const struct geometry_rule *nth_fault(const struct geometry_request *request, size_t nth)
{
	for (size_t i = 0; i < COUNT_OF(laws); i++)
		if (!geometry_meets(&laws[i].rule, request) && !is_said(request, i) && nth-- == 0)
			return &laws[i].rule;
	return NULL;
}

const struct geometry_rule *geometry_fault(const struct geometry_request *request)
{
	return nth_fault(request, 0);
}

const struct geometry_rule *geometry_kernel_fault(const struct geometry_request *request)
{
	const struct geometry_rule *rule = nth_fault(request, 0);

	/* Its rules come first. */
	return rule && rule->is_kernels ? rule : NULL;
}

/* ---- settings ---------------------------------------------------------------------------- */

struct geometry_request geometry_request_of(const struct ring_config *ring)
{
	const uint64_t blocks = ring->block_size ? ring->memory / ring->block_size : 0;

	return (struct geometry_request) {
		.version = 3,
		.block_size = ring->block_size,
		.block_count = blocks,
		.frame_size = FRAME_SIZE,
		.frame_count = ring->block_size / FRAME_SIZE * blocks,
		.retire_timeout_ms = ring->retire_timeout / NSEC_PER_MSEC,
	};
}

const struct geometry_rule *geometry_broken(const struct ring_config *ring, size_t nth)
{
	const struct geometry_request request = geometry_request_of(ring);

	return nth_fault(&request, nth);
}

int geometry_plan(struct geometry *ret_geometry, const struct ring_config *ring,
    const struct geometry_rule **ret_rule)
{
	const struct geometry_request request = geometry_request_of(ring);
	const struct geometry_rule *fault = geometry_fault(&request);

	if (fault) {
		*ret_rule = fault;
		return -EINVAL;
	}
	*ret_geometry = (struct geometry) {
		.block_size = (uint32_t)request.block_size,
		.block_count = (uint32_t)request.block_count,
		.frame_size = (uint32_t)request.frame_size,
		.frame_count = (uint32_t)request.frame_count,
		.retire_timeout_ms = (uint32_t)request.retire_timeout_ms,
	};
	return 0;
}

/* ---- what a ring comes to ---------------------------------------------------------------- */

void geometry_describe(
    const struct geometry *geometry, size_t link_header, char text[GEOMETRY_TEXT])
{
	char block[UNITS_TEXT], memory[UNITS_TEXT], timeout[UNITS_TEXT], patience[UNITS_TEXT];

	units_format_size(block, sizeof(block), geometry->block_size);
	units_format_size(memory, sizeof(memory), geometry_memory(geometry));
	units_format_time(timeout, sizeof(timeout), geometry->retire_timeout_ms * NSEC_PER_MSEC);
	units_format_time(patience, sizeof(patience), geometry_patience_ns(geometry));
	snprintf(text, GEOMETRY_TEXT,
	    "%" PRIu32 " blocks of %s (%s), each handed over after %s at the latest; %s of up to "
	    "%" PRIu32 " bytes; at low load nobody need read for %s",
	    geometry->block_count, block, memory, timeout,
	    link_header > 0 ? "frames" : "packets without link header",
	    geometry_largest_frame(geometry, link_header), patience);
}

uint64_t geometry_memory(const struct geometry *geometry)
{
	uint64_t block = (uint64_t)sysconf(_SC_PAGESIZE);

	while (block < geometry->block_size)
		block *= 2;
	return block * geometry->block_count;
}

uint32_t geometry_largest_frame(const struct geometry *geometry, size_t link_header)
{
	return geometry->block_size - BLOCK_OVERHEAD + (uint32_t)link_header;
}

uint64_t geometry_patience_ns(const struct geometry *geometry)
{
	return (uint64_t)(geometry->block_count - 1) * geometry->retire_timeout_ms * NSEC_PER_MSEC;
}
