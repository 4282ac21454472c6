/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/suspicion.h"

#include "base/array.h"

#include <stdbool.h>
#include <stddef.h>

enum { DEATHS_ENOUGH = 2 };

/* What a program does to itself; SIGKILL is the heartbeat's, or the system's without memory. */
static bool is_own_making(const siginfo_t *how)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

	if (how->si_code != CLD_KILLED && how->si_code != CLD_DUMPED)
		return false;
	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (how->si_status == own[i])
			return true;
	return false;
}

uint32_t suspicion_weigh(struct suspicion *suspicion, const siginfo_t *how, uint32_t leased)
{
	if (leased == 0 || !is_own_making(how)) {
		*suspicion = (struct suspicion) { 0 };
		return 0;
	}
	if (suspicion->block != leased)
		*suspicion = (struct suspicion) { .block = leased };
	suspicion->deaths++;
	return suspicion->deaths >= DEATHS_ENOUGH ? leased : 0;
}
