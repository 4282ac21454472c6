/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

struct config;
struct interface_config;
struct ledger;
struct ledger_worker;
struct ring_config;

/* What a life of a worker is for. */
enum life {
	LIFE_BEGINS,     /* on a new socket: a ring of its own, and a place in the group */
	LIFE_TAKES_OVER, /* on the socket of the life before: its ring, from where that stood */
	LIFE_FINISHES,   /* without a socket: what the stage holds is written, and no more */
	LIFE_MENDS,      /* of no worker: what earlier lives of the sensor left is finished; `stage`
			  * is the runtime directory, and there is no record */
	LIFE_CURATES,    /* of no worker: finished files are removed as output.retain says; there is
			  * no stage, and no record */
};

/*
 * Everything that a worker inherits at its birth; every other descriptor is closed there.
 */
struct heritage {
	const struct config *config;
	const struct interface_config *interface;
	const struct ring_config *ring; /* by which its ring is made, or was */
	uint32_t worker;                /* number within the interface */
	uint32_t link_type;             /* LINKTYPE_ of its files */
	uint32_t mtu;                   /* of the interface */
	int ifindex;
	int supervisor_pid;
	enum life life;
	int socket;      /* as the life wants it: unbound, with a ring that fills, or -1 */
	int old_socket;  /* to be closed here, since that takes some 30 ms; or -1 */
	uint32_t poison; /* the block to be set aside, as ledger_worker.leased; 0: none */
	int channel;
	int stage;
	int directory;               /* the output directory */
	const struct ledger *ledger; /* whose record that is; NULL: of none */
	struct ledger_worker *record;
};

/* Runs in the child and returns its exit status. */
typedef int worker_main(const struct heritage *heritage);
