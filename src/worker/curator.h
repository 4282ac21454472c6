/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"

/*
 * A child process that removes finished files as output.retain says, the oldest first, and compacts
 * the catalog: what blocks on the disk for long is nothing for the supervisor's loop, or a worker.
 * Each MESSAGE_CURATE says anew by what to go; it looks each second, too, since others fill the
 * same disk.  All that it knows it reads from the catalog, so that one that is killed loses
 * nothing.  Never ends by itself.  A worker_main, for a LIFE_CURATES.
 */
int curator_run(const struct heritage *heritage);
