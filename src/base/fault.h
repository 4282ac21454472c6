/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * Places at which a process ends itself, for tests: at each step of the protocol by which every
 * packet is kept once, also between two stores.  Only a program for tests has them
 * (tests/support/fault.c says how it is told which); in the daemon they are nothing.
 */
enum fault {
	/* a block */
	FAULT_LEASED,
	FAULT_APPENDING,       /* some of its packets are in the stage */
	FAULT_APPENDED,        /* all of them, and the statistics not read */
	FAULT_STATISTICS_READ, /* in the kernel they are cleared */
	FAULT_COMMITTING,      /* the older copy is written, and invalid */
	FAULT_COMMITTED,       /* the statistics are counted, their slot not cleared */
	FAULT_BLOCK_DONE,      /* and not given back */
	FAULT_RELEASED,
	/* a write */
	FAULT_WRITING,
	FAULT_WRITTEN, /* and not committed */
	FAULT_FLUSHED,
	FAULT_TAIL_WRITTEN,
	/* the beginning of a file */
	FAULT_NAME_MEANT,
	FAULT_FILE_OPENED, /* empty, and nobody's */
	FAULT_FILE_MADE,   /* its inode not committed */
	FAULT_FILE_BEGUN,
	/* its end */
	FAULT_CLOSE_MEANT,
	FAULT_REST_WRITTEN,
	FAULT_CUT,
	FAULT_SYNCED, /* it has no name of its own yet */
	FAULT_NAMED,
	FAULT_TOLD, /* and not committed that it is */
	FAULT_FORGOTTEN,
	/* a successor */
	FAULT_ABSORBED, /* what the dead one had read, the slot not cleared */
	FAULT_RESUMED,  /* in its file */
	FAULT_ADOPTED,  /* the ring */
	FAULT_TOOK_OVER,
	/* the supervisor */
	FAULT_REAPED, /* and no successor forked */
	FAULT_FORKED,
	FAULT_HEARD,        /* of a finished file, which is not in the catalog */
	FAULT_LINE_WRITTEN, /* it is there, and the ledger does not say so */
	FAULT_ENTERED,
	/* and where a socket is lost, while others capture */
	FAULT_MEMBER_LOST,   /* its share goes to others */
	FAULT_MEMBER_CLOSED, /* and it has left the group */
	FAULT_MEMBER_JOINED, /* another has come, and does not capture */
	FAULT_MEMBER_ARMED,  /* it would, and is sent nothing */
	/* and while it changes workers */
	FAULT_CHANGE_PLANNED, /* the next have slots and numbers, and nothing says what for */
	FAULT_CHANGE_BEGUN,   /* and the ledger says it */
	FAULT_CHANGE_OPENED,  /* the next are in the group, and are sent nothing */
	FAULT_CHANGE_MEANT,
	FAULT_CHANGE_MOVED,
	FAULT_CHANGE_CLOSED, /* one of the old members, and nothing told of it */
	FAULT_CHANGE_EMPTY,
	FAULT_CHANGE_SETTLED,
	/* a reload in place */
	FAULT_RENEWED, /* one worker and its socket, and the ledger does not say by what */
	/* and while interfaces come and go */
	FAULT_ARRIVAL_PLANNED, /* it has slots and stages, and is not the sensor's */
	FAULT_TURNOVER_MEANT,  /* the configuration that a next life begins with names it */
	FAULT_ARRIVAL_ENTERED, /* it is the sensor's, and nobody is born */
	FAULT_ARRIVAL_BEGUN,
	FAULT_REMOVAL_BEGUN,   /* nothing new is let in */
	FAULT_REMOVAL_DRAINED, /* it is still the sensor's */
	FAULT_REMOVAL_LEFT,    /* it is not, and sockets, stages and slots are there */
	FAULT_REMOVAL_CLOSED,  /* the slots alone */
	FAULT_COUNT_,
};

/* What a restart of the service relies on, and such a program can be told to do without. */
enum lack {
	LACK_FDPOLL,   /* the service manager keeps a socket whatever happens to its link */
	LACK_NAMES,    /* each socket in its store has a name of its own */
	LACK_DEATH,    /* a worker dies with its supervisor */
	LACK_DEAFNESS, /* workers hear no SIGTERM */
	LACK_BARRIER,  /* the service manager is waited for, until it has taken in what it was sent
			*/
	LACK_LOCK,     /* and an earlier life's worker, until it holds its stage no more */
	LACK_COUNT_,
};

#ifdef WITH_FAULT_POINTS
void fault_pass(enum fault point);
bool fault_lacks(enum lack lack);
#define FAULT(point) fault_pass(FAULT_##point)
#define LACKS(lack) fault_lacks(LACK_##lack)
#else
#define FAULT(point) ((void)0)
#define LACKS(lack) false
#endif
