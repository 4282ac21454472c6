/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/block.h"
#include "storage/writer.h"

/*
 * Carries one leased block into the writer: append - statistics - commit (DESIGN section 4).
 */
struct carry {
	struct writer *writer;
	int socket; /* whose statistics are read in between */
	uint32_t snaplen;
	uint32_t cut_at;  /* as in an append, and never more than the snaplen */
	block_step *next; /* of the packets in a block: cooked_step() of their link type */
};

struct carry_block {
	void *bytes;
	size_t size;
	uint64_t number;
};

/*
 * Once it returns, the block may be given back.  Returns how many packets the block says that it
 * holds, and the kernel has counted, but which are not to be found in it: they are discarded.
 */
uint64_t carry_block(const struct carry *carry, const struct carry_block *block);

/*
 * The same for a block that nobody can read: none of its packets is looked at.  Returns how many
 * the kernel has counted of it, all discarded.
 */
uint64_t carry_nothing(const struct carry *carry, const struct carry_block *block);
