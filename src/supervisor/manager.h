/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * What the service manager says of the unit that this process is in, asked over the system bus.
 * Each call waits for two seconds at most.  The one owner of sd-bus.
 */
enum manager_job {
	MANAGER_JOB_OTHER, /* a stop, none at all, or nobody to ask */
	MANAGER_JOB_RESTART,
};

/* Why the unit is being stopped, if it is. */
enum manager_job manager_job(void);

/*
 * How many descriptors the unit may keep in its store.  Returns 0 with the number, or a negative
 * errno where nobody can be asked.
 */
int manager_store_size(uint32_t *ret_size);
