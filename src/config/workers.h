/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * Give each interface that names no number of workers its share of the CPUs that this process may
 * run on: at least one, at most 8 (SPEC section 3).
 */
void workers_settle(struct config *config);

/* How many there are on all interfaces, once that is settled. */
uint64_t workers_count(const struct config *config);
