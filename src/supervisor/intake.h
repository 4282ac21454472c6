/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/filter.h"
#include "capture/program.h"
#include "capture/socket.h"

/*
 * What a group takes in, and who of it: the filter of each member and the program that picks one.
 */
struct intake {
	struct filter filter;   /* the real one, direction in front */
	struct program program; /* empty where the kernel shares out by itself */
};

/* Make both for an interface that is up.  May take some seconds.  Logs. */
int intake_prepare(struct intake *intake, const struct config *config, const struct place *place,
    const struct link_state *link);

/* Give the group of this socket its program, where it has one.  Returns 0 or a negative errno. */
int intake_share_out(const struct intake *intake, int fd);

void intake_release(struct intake *intake);
