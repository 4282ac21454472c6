/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"
#include "control/message.h"

/*
 * A child process that finishes what earlier lives of the sensor left, beside its workers: first
 * the estates in the runtime directory, with what was staged; then every unfinished file in the
 * output directory that nobody goes on with, by reading it.  Says what became of each, and ends.
 * Follows no link, and leaves neither directory.  A worker_main, for a LIFE_MENDS.
 */
int mender_run(const struct heritage *heritage);

/*
 * Tell of a repaired file, and wait until it is in the catalog: what is forgotten here after that
 * need not be told again.  Not for ever, since a supervisor that is gone ends this process too.
 */
void mender_tell_repaired(const struct heritage *heritage, const struct message *message);

/* Say something to the supervisor; one that is gone is not told. */
void mender_say(const struct heritage *heritage, const struct message *message);
