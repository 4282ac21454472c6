/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/crew.h"

/*
 * The interfaces that a reload adds to a sensor, and takes from it.  All that can fail is done
 * beforehand: those who come have record, slots, stages and filter, and nobody is born; so a
 * reload that is refused has changed nothing.  The others are not touched.
 *
 * One that comes is the sensor's as soon as the ledger says so: a next life of the supervisor that
 * finds it so begins it as any other, and one that does not has never heard of it.
 */
struct turnover;

/* Logs.  Returns 0 or a negative errno. */
int turnover_prepare(
    struct turnover **ret_turnover, struct crew *crew, const struct config *wanted);

/* The crew's configuration is the wanted one from here on, which a next life does not yet know. */
void turnover_enter(struct turnover *turnover);

/* Once it does: those who come are born, those who go are stopped.  Logs; both are waited for. */
void turnover_begin(struct turnover *turnover);

/* What was not entered has never been.  NULL is allowed. */
void turnover_close(struct turnover *turnover);
