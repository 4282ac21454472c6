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
	uint32_t members;       /* that it shares out among */
	struct stamping stamping;
};

/*
 * Make filter and program for an interface that is up, and for so many members.  May take some
 * seconds.  Logs.  Returns 0 or a negative errno.
 */
int intake_compile(struct intake *intake, const struct config *config, uint32_t members,
    const struct place *place, const struct link_state *link);

/* The same, and have its device stamp packets where that is asked for.  Its name is kept. */
int intake_prepare(struct intake *intake, const struct config *config, const char *interface,
    uint32_t members, const struct place *place, const struct link_state *link);

/* Give the group of this socket its program, where it has one.  Returns 0 or a negative errno. */
int intake_share_out(const struct intake *intake, int fd);

/* The same, but for its last members: those that are there get all. */
int intake_share_among(const struct intake *intake, int fd, uint32_t members);

/* Whether both are instruction for instruction the same. */
bool intake_has_filter(const struct intake *intake, const struct filter *filter);
bool intake_has_program(const struct intake *intake, const struct program *program);

/* Take both from another, and leave it what was there before. */
void intake_exchange(struct intake *intake, struct intake *other);

/* Let go of all of it; the device stamps as it did before. */
void intake_release(struct intake *intake);

/* The same, but for the device: a next life goes on with it. */
void intake_leave(struct intake *intake);
