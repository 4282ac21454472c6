/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * What a reload changes of a group in place, between two blocks: filter, program, promiscuous
 * membership, CPUs, and what its workers write by.  Made beforehand, so that a reload which is
 * refused has changed nothing.
 */
struct renewal {
	struct group *group;
	struct intake intake; /* its filter and program, once made */
	bool is_made;         /* they need a link that is up; else they come with it */
};

/*
 * Make what a group needs for a configuration that is not yet in force.  Changes nothing.  May take
 * some seconds.  Logs.  Returns 0 or a negative errno.
 */
int renewal_prepare(struct renewal *renewal, struct group *group, const struct config *wanted);

/* What `before` said, as far as a renewal goes by it. */
struct renewal_from {
	uint32_t snaplen;
	bool promiscuous;
	bool begins_file; /* what a file is begun by has changed */
};

/* Give it to sockets and workers, once the configuration is in force.  Logs. */
void renewal_apply(struct renewal *renewal, const struct renewal_from *from);

void renewal_release(struct renewal *renewal);

/* Whether workers can run on the CPUs that an interface names.  Logs.  Returns 0 or an errno. */
int renewal_try_cpus(const struct interface_config *interface);
