/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/bus_error.h"

#include <errno.h>
#include <signal.h>

/* The only state that a signal's handler can reach. */
static struct {
	uintptr_t from;
	size_t size;
	_Atomic uint32_t *leased;
} acquitted;

/* It is gone by its return: the instruction is tried again, and ends the process. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)context;
	if (info->si_code > 0 && (uintptr_t)info->si_addr - acquitted.from < acquitted.size)
		atomic_store(acquitted.leased, 0);
}

int bus_error_acquit(const void *from, size_t size, _Atomic uint32_t *leased)
{
	const struct sigaction action = {
		.sa_sigaction = on_bus_error,
		.sa_flags = SA_SIGINFO | (int)SA_RESETHAND,
	};

	acquitted.from = (uintptr_t)from;
	acquitted.size = size;
	acquitted.leased = leased;
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}
