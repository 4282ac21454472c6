/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/retention.h"
#include "storage/stock.h"

/*
 * Removes finished files one by one, the oldest that nobody holds first, as long as a bound of
 * output.retain is not kept.
 */
struct cull {
	int directory; /* the output directory, the caller's */
	struct stock stock;
	struct close_record record; /* what output.on_close is done with */
	struct retain_config retain;
	struct retention_facts facts; /* open_files, open_now and knows_time are the caller's */
	uint64_t rotate_size;         /* output.rotate.size; 0: no bound */
	uint64_t removed;             /* bytes, since the disk was last looked at */
};

/* What a step came to. */
struct cull_outcome {
	enum retention_bound bound;    /* that was not kept */
	const struct stock_file *file; /* that is gone, until the next step; NULL: none */
	bool was_removed;              /* by this step; else somebody else had done so */
	int error;            /* negative errno, once: it cannot be removed, and is passed over */
	bool is_out_of_reach; /* output.retain.free, by all that is ours */
	bool is_held, is_unsure; /* there are holds; and one that cannot be read */
	uint64_t waiting;        /* files that stay until output.on_close is done with them */
};

void cull_begin(struct cull *cull, int directory, const char *sensor);

/* Look at the catalog and at the disk anew.  Returns 0 or a negative errno. */
int cull_look(struct cull *cull);

/*
 * One step.  Blocks on the disk, and as long as somebody makes a hold.  Returns 1 where a file is
 * gone, 0 where every bound is kept, or nothing can be done for the one that is not; or a negative
 * errno.
 */
int cull_step(struct cull *cull, struct cull_outcome *ret_outcome);

void cull_end(struct cull *cull);
