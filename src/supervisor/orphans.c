/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/orphans.h"

#include <sys/wait.h>
#include <unistd.h>

static bool is_ours(const struct ledger *ledger, const struct legacy *legacy,
    const struct curation *curation, pid_t pid)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->slot_count; i++)
		if (atomic_load(&ledger_slot(ledger, i)->pid) == (uint32_t)pid)
			return true;
	return legacy_is_child(legacy, pid) || curation->pid == pid;
}

void orphans_reap(
    const struct ledger *ledger, const struct legacy *legacy, const struct curation *curation)
{
	siginfo_t end = { 0 };

	if (getpid() != 1)
		return;
	/* One of ours is about to be reaped; whoever is behind it has its turn the next time. */
	while (waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid != 0 &&
	       !is_ours(ledger, legacy, curation, end.si_pid)) {
		(void)waitid(P_PID, (id_t)end.si_pid, &end, WEXITED | WNOHANG);
		end = (siginfo_t) { 0 };
	}
}
