/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/carry.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/fault.h"
#include "capture/socket.h"

static uint64_t exact_size(const struct carry *carry, const struct carry_block *block)
{
	bool is_pcapng = writer_makes_pcapng(carry->writer);
	struct block_walk walk;
	struct packet packet;
	uint64_t sum = 0;

	block_walk_begin(&walk, block->bytes, block->size);
	while (carry->next(&walk, &packet) > 0) {
		uint32_t captured = pcap_captured(&packet, carry->snaplen);

		sum += is_pcapng ? pcapng_packet_size(captured)
				 : (uint32_t)PCAP_RECORD_SIZE + captured;
	}
	return sum;
}

typedef void put_function(struct append *append, const struct packet *packet);

static inline __attribute__((always_inline)) void put_packets(
    struct append *append, const struct carry_block *block, block_step *next, put_function *put)
{
	struct block_walk walk;
	struct packet packet;

	block_walk_begin(&walk, block->bytes, block->size);
	/* A block that does not hold together ends there. */
	while (next(&walk, &packet) > 0) {
		put(append, &packet);
		FAULT(APPENDING);
	}
}

/* Told apart once for a block: the usual loops call their step directly. */
static void store_packets(struct append *append, const struct carry_block *block, block_step *next)
{
	if (append->is_pcapng && next == block_walk_next)
		put_packets(append, block, block_walk_next_way, append_to_pcapng);
	else if (append->is_pcapng)
		put_packets(append, block, next, append_to_pcapng);
	else if (__builtin_expect(next == block_walk_next, 1))
		put_packets(append, block, block_walk_next, append_packet);
	else
		put_packets(append, block, next, append_packet);
}

/* What a block's packets take in the file at most; see capture/block.h. */
static uint64_t room_for(const struct carry *carry, const struct carry_block *block)
{
	/* Of 48 bytes or more, that the kernel has for each, up to 51 are needed. */
	enum { OF_KERNEL = 48, MORE = PCAPNG_PACKET_HEAD + PCAPNG_PACKET_TAIL + 3 + VLAN_TAG_SIZE };

	if (!writer_makes_pcapng(carry->writer))
		return block->size;
	return block->size + block->size / OF_KERNEL * (MORE - OF_KERNEL);
}

static void store(const struct carry *carry, const struct carry_block *block,
    const struct packet *first, struct append *ret_append)
{
	uint64_t bytes = room_for(carry, block);

	if (writer_wants_exact(carry->writer, bytes))
		bytes = exact_size(carry, block);
	writer_begin_block(carry->writer, ret_append, bytes, block_packet_count(block->bytes),
	    first->time_ns, clock_utc_ns());
	ret_append->cut_at = carry->cut_at;
	store_packets(ret_append, block, carry->next);
	writer_seal_block(carry->writer, ret_append);
}

/* The block's own count may be as damaged as the rest: no more than the kernel counted waits. */
static uint64_t count_missing(
    const struct carry *carry, const struct carry_block *block, uint64_t found)
{
	const struct ledger_statistics *news = writer_statistics_slot(carry->writer);
	int64_t most = counters_waiting(writer_counters(carry->writer)) + (int64_t)news->packets -
		       (int64_t)news->drops - (int64_t)found;
	uint64_t count = block_packet_count(block->bytes);

	return count <= found || most <= 0 ? 0 : LEAST(count - found, (uint64_t)most);
}

static uint64_t commit(
    const struct carry *carry, const struct carry_block *block, struct append *append)
{
	FAULT(APPENDED);
	(void)socket_statistics(carry->socket, writer_statistics_slot(carry->writer));
	FAULT(STATISTICS_READ);
	append->missing = count_missing(carry, block, append->packets);
	writer_commit_block(carry->writer, append->packets + append->missing > 0 ? append : NULL,
	    block->number, clock_monotonic_ns());
	return append->missing;
}

uint64_t carry_nothing(const struct carry *carry, const struct carry_block *block)
{
	struct append append = { 0 };

	return commit(carry, block, &append);
}

uint64_t carry_block(const struct carry *carry, const struct carry_block *block)
{
	struct append append = { 0 };
	struct block_walk walk;
	struct packet first;

	block_walk_begin(&walk, block->bytes, block->size);
	/* Without a packet no file is begun. */
	if (carry->next(&walk, &first) > 0)
		store(carry, block, &first, &append);
	return commit(carry, block, &append);
}
