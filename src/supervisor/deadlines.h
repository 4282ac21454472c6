/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/* How long a worker may take, in nanoseconds, before it is ended. */
struct group_limits {
	uint64_t opening;   /* from its start to its ring, but for what the storage takes */
	uint64_t heartbeat; /* from one beat to the next */
	uint64_t storage;   /* the same, within a call of the storage */
	uint64_t stopping;  /* from one sign of progress to the next */
	uint64_t reaping;   /* from SIGKILL to its end */
	uint64_t looking;   /* from one look at it to the next: so much later it may be ended */
};

/* Those of a sensor. */
extern const struct group_limits group_limits;

/* End workers whose heartbeat stays away, or that do not come on.  Logs. */
void deadlines_check(struct group *group, uint64_t now_ns);
