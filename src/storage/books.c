/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/books.h"

#include <string.h>

static void extend(struct ledger_mark *mark, const struct ledger_mark *block)
{
	mark->end = block->end;
	mark->packets += block->packets;
	mark->bytes += block->bytes;
	mark->truncated_snaplen += block->truncated_snaplen;
	mark->truncated_block += block->truncated_block;
}

void books_stage(struct ledger_commit *commit, const struct ledger_mark *block, uint64_t stage_size)
{
	uint32_t count = commit->mark_count;
	/* Where the last mark begins, so that none of a full stage's marks is smaller than its
	 * part. */
	uint64_t begin = count > 1 ? commit->marks[count - 2].end : commit->whole;

	commit->counters.value[COUNTER_STAGED] += block->packets;
	if (count == LEDGER_MARKS || (count > 0 && block->end - begin <= stage_size / LEDGER_MARKS))
		extend(&commit->marks[count - 1], block);
	else
		commit->marks[commit->mark_count++] = *block;
}

void books_flush(struct ledger_commit *commit, uint64_t offset)
{
	uint64_t *value = commit->counters.value;
	uint32_t done = 0;

	while (done < commit->mark_count && commit->marks[done].end <= offset) {
		const struct ledger_mark *mark = &commit->marks[done++];

		value[COUNTER_STAGED] -= mark->packets;
		value[COUNTER_WRITTEN] += mark->packets;
		value[COUNTER_WRITTEN_BYTES] += mark->bytes;
		value[COUNTER_TRUNCATED_SNAPLEN] += mark->truncated_snaplen;
		value[COUNTER_TRUNCATED_BLOCK] += mark->truncated_block;
		commit->whole = mark->end;
	}
	commit->mark_count -= done;
	memmove(commit->marks, commit->marks + done, commit->mark_count * sizeof(commit->marks[0]));
	commit->flushed = offset;
}

uint64_t books_refuse(struct ledger_commit *commit)
{
	uint64_t packets = 0;

	for (uint32_t i = 0; i < commit->mark_count; i++) {
		packets += commit->marks[i].packets;
		commit->counters.value[COUNTER_DISCARDED_BYTES] += commit->marks[i].bytes;
	}
	commit->counters.value[COUNTER_STAGED] -= packets;
	commit->counters.value[COUNTER_DISCARDED] += packets;
	commit->mark_count = 0;
	return packets;
}

void books_begin(struct ledger_commit *commit, uint64_t offset)
{
	commit->flushed = commit->filled = commit->whole = offset;
	commit->mark_count = 0;
}
