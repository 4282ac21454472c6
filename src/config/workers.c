/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/workers.h"

#include "base/array.h"

#include <sched.h>

enum { WORKERS_DEFAULT_MOST = 8 };

void workers_settle(struct config *config)
{
	cpu_set_t cpus;
	size_t count = 1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		count = (size_t)CPU_COUNT(&cpus);
	count =
	    LEAST(MOST(count / config->interface_count, (size_t)1), (size_t)WORKERS_DEFAULT_MOST);
	for (size_t i = 0; i < config->interface_count; i++)
		if (config->interfaces[i].workers == 0)
			config->interfaces[i].workers = count;
}

uint64_t workers_count(const struct config *config)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < config->interface_count; i++)
		sum += config->interfaces[i].workers;
	return sum;
}
