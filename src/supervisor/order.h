/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * Where the kernel has the members of a fanout group, as far as a change of them must know: it
 * appends who joins, and has the last one take the place of one that leaves.  Of the old members
 * only the first has a known place, if any; of the next generation those that nobody came behind
 * but their own, and the one that took the first place.  One whose place became unknown is left
 * out.
 *
 * Pure, but for what children say of themselves.
 */
struct order {
	const struct child *first; /* NULL: it is an old one, or not known */
	const struct child *tail[WORKERS_MOST];
	size_t tail_count;
	uint64_t born_ns[WORKERS_MOST]; /* by worker, of its socket that is a member; 0: none is */
};

/* All of a next generation are behind all old members, of which none has been closed. */
void order_begin(struct order *order, const struct group *next);

/* An earlier life has closed some, and told no more than who is first now; NULL: not even that. */
void order_resume(struct order *order, const struct group *next, const struct child *first);

/* An old member was closed: the first, or another. */
void order_first_closed(struct order *order);
void order_other_closed(struct order *order);

/* Take in who of the next generation has left, and who has joined again. */
void order_look(struct order *order, const struct group *next);

/* The link was down: all are linked again in the order in which their sockets were made, and those
 * of the old members are the oldest. */
void order_relink(struct order *order, const struct group *next);

/* The number, of so many members, of one that captures.  Returns -1 where none is known. */
int64_t order_find(const struct order *order, size_t members);
