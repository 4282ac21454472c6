/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/order.h"

/* A later socket of the same child is another member. */
static uint64_t born_ns(const struct child *child)
{
	return child_is_member(child) ? atomic_load(&child->slot->born_ns) : 0;
}

static const struct child *take_last(struct order *order)
{
	return order->tail_count > 0 ? order->tail[--order->tail_count] : NULL;
}

static void append(struct order *order, const struct group *next, size_t index)
{
	order->tail[order->tail_count++] = &next->children[index];
	order->born_ns[index] = born_ns(&next->children[index]);
}

/* Those that are members, the oldest first. */
static void line_up(struct order *order, const struct group *next)
{
	*order = (struct order) { 0 };
	for (size_t i = 0; i < next->count; i++) {
		size_t at = order->tail_count;

		if (!child_is_member(&next->children[i]))
			continue;
		append(order, next, i);
		for (; at > 0 && born_ns(order->tail[at - 1]) > order->born_ns[i]; at--)
			order->tail[at] = order->tail[at - 1];
		order->tail[at] = &next->children[i];
	}
}

/* ---- what happens to it ------------------------------------------------------------------ */

void order_begin(struct order *order, const struct group *next)
{
	/* They have joined in the order in which they were made. */
	line_up(order, next);
}

void order_resume(struct order *order, const struct group *next, const struct child *first)
{
	line_up(order, next);
	/* Some have taken the places of others, and which is not known. */
	order->tail_count = 0;
	order->first = first;
}

void order_relink(struct order *order, const struct group *next)
{
	line_up(order, next);
}

void order_first_closed(struct order *order)
{
	order->first = take_last(order);
}

void order_other_closed(struct order *order)
{
	(void)take_last(order);
}

static void leave(struct order *order, const struct child *child)
{
	for (size_t i = 0; i < order->tail_count; i++) {
		if (order->tail[i] != child)
			continue;
		order->tail[i] = order->tail[order->tail_count - 1];
		order->tail_count--;
		return;
	}
	if (order->first == child)
		order_first_closed(order);
	else
		order_other_closed(order);
}

void order_look(struct order *order, const struct group *next)
{
	for (size_t i = 0; i < next->count; i++) {
		if (order->born_ns[i] == 0 || order->born_ns[i] == born_ns(&next->children[i]))
			continue;
		order->born_ns[i] = 0;
		leave(order, &next->children[i]);
	}
	for (size_t i = 0; i < next->count; i++)
		if (order->born_ns[i] == 0 && born_ns(&next->children[i]) != 0)
			append(order, next, i);
}

int64_t order_find(const struct order *order, size_t members)
{
	if (order->first && order->first->captures)
		return 0;
	for (size_t i = order->tail_count; i-- > 0;)
		if (order->tail[i]->captures)
			return (int64_t)(members - order->tail_count + i);
	return -1;
}
