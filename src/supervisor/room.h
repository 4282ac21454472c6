/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/crew.h"

/*
 * Whether machine and service manager have room for all workers that a configuration asks for
 * beside those that are there, and go only when these have come: memory for their rings and
 * stages, in sum, and places in the descriptor store.  Logs.  Returns 0 or a negative errno.
 */
int room_check(const struct crew *crew, const struct config *wanted);

/* Whether the descriptor store holds the sockets of all workers.  Logs where it does not. */
bool room_is_kept(const struct config *config);
