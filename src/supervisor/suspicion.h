/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <signal.h>
#include <stdint.h>

/*
 * Whether a ring block kills who reads it: two workers in a row, each by a signal of its own
 * making, while they had it leased.  Pure.
 */
struct suspicion {
	uint32_t block; /* as in ledger_worker.leased; 0: none */
	unsigned int deaths;
};

/*
 * A worker ended with this block leased, 0 for none.  Returns the block that the next one must set
 * aside, or 0.
 */
uint32_t suspicion_weigh(struct suspicion *suspicion, const siginfo_t *how, uint32_t leased);
