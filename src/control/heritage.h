/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct config;
struct interface_config;
struct ledger_worker;

/*
 * Everything that a worker inherits at its birth; every other descriptor is closed there.
 */
struct heritage {
	const struct config *config;
	const struct interface_config *interface;
	uint32_t worker;    /* number within the interface */
	uint32_t link_type; /* LINKTYPE_ of its files */
	uint32_t mtu;       /* of the interface */
	int ifindex;
	int supervisor_pid;
	int socket;     /* unbound packet socket; -1: only finish what the stage holds */
	int old_socket; /* of the life before, to be closed here, since that takes some 30 ms; or -1
			 */
	int channel;
	int stage;
	int directory; /* the output directory */
	struct ledger_worker *record;
};

/* Runs in the child and returns its exit status. */
typedef int worker_main(const struct heritage *heritage);
