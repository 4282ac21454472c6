/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * A start that fails while the service manager keeps rings is tried again by that, whatever it
 * failed for: the rings are worth it.  The more fail in a row, the longer each waits before it
 * ends, so that the journal stays readable; how many have is in the runtime directory.
 */

/*
 * What a start that failed is to end with.  With rings it waits first, or until it is told to stop;
 * and it does not end with what the unit never tries again, or the store would be emptied.  Logs.
 */
int retry_end(int status, bool has_rings, const char *runtime_directory);

/* A start has succeeded: the next that fails is the first. */
void retry_forget(int runtime);
