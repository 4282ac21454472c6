/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "control/heritage.h"
#include "supervisor/keeper.h"

/*
 * An earlier life of the service that captured by another configuration, so that nobody can go on
 * with its rings: they are drained by the terms that stand in its ledger, and its files finished,
 * as in a stop of its own.
 */
struct predecessor_seat {
	const struct config *config; /* of the life that begins */
	const char *runtime_directory;
	struct keeper *keeper; /* with the sockets that came back */
	worker_main *run;
};

/*
 * Drain what there is of it, before premises_open(): then that finds nothing to go on with, and
 * tells of the gap since then.  What cannot be drained is left as it is.  Blocks for as long as the
 * drain takes, a minute at most.  Logs.
 */
void predecessor_drain(const struct predecessor_seat *seat);
