/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* What this process has used, or used since. */
struct cost {
	uint64_t cpu_ns;  /* user and system */
	uint64_t wakeups; /* how often it slept, and was woken */
};

struct cost cost_now(void);
struct cost cost_since(const struct cost *before);
