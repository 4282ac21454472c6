/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/filter.h"
#include "capture/program.h"
#include "capture/socket.h"
#include "supervisor/stamping.h"

/*
 * What a group takes in, and who of it: the filter of each member, the program that picks one, and
 * the device's stamps.
 */
struct intake {
	struct filter filter;   /* the real one, direction in front */
	struct program program; /* empty where the kernel shares out by itself */
	struct stamping stamping;
};

/*
 * Make both for an interface that is up, and have its device stamp packets where that is asked for.
 * May take some seconds.  Logs.
 */
int intake_prepare(struct intake *intake, const struct config *config,
    const struct interface_config *interface, const struct place *place,
    const struct link_state *link);

/* Give the group of this socket its program, where it has one.  Returns 0 or a negative errno. */
int intake_share_out(const struct intake *intake, int fd);

/* Let go of all of it; the device stamps as it did before. */
void intake_release(struct intake *intake);

/* The same, but for the device: a next life goes on with it. */
void intake_leave(struct intake *intake);
