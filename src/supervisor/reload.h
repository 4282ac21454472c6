/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/crew.h"

/*
 * Reads a configuration again, and checks it whole, also against the one that is in force: what a
 * reload cannot change is a fault, too.  Logs each fault.  Returns 0, or a negative errno.
 */
typedef int reload_load(const char *path, const struct config *running, struct config **ret_wanted);

/* What a reload is done to. */
struct reload_seat {
	struct config *config; /* in force */
	const char *path;      /* where it was read */
	reload_load *load;
	struct premises *premises;
	struct crew *crew;
	bool is_of_start; /* nobody asked for it: the service manager does not hear of it */
};

/*
 * Take the configuration file up as it is now, without losing a packet.  Workers and rings change
 * after this, and interfaces come and go.  Blocks for as long as that takes, some seconds at most.
 * Logs, and tells the service manager.  Returns 0, for reload_end() to tell the end of; or a
 * negative errno: then nothing has changed, and that is told.
 */
int reload_begin(const struct reload_seat *seat);

/* Tell that it is done, or that some workers or rings are not as it says. */
void reload_end(const char *path, int error);
