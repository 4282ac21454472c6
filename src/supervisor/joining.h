/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * How workers come together in their fanout group, by what they say: all rings first, then one
 * after the other into the group, and once all are in it, packets count (DESIGN section 3).
 */

/* Have whoever is ready for the next step take it. */
void joining_advance(struct group *group);

/* What a child says; `user` is its group. */
void joining_hear(void *user, struct child *child, const struct message *message);
