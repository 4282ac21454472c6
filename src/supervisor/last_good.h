/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stdbool.h>

/*
 * The configuration that a sensor went on with last, as text in its runtime directory.  A life that
 * finds the rings of the one before goes on by what those were made by, whatever has become of the
 * configuration file meanwhile: what that says is taken up as by a reload, or refused like one.
 */

/* What a life begins with. */
enum config_source {
	CONFIG_IS_FILE,          /* what the file says */
	CONFIG_IS_BEFORE_FILE,   /* the last good one; the file is another, to be taken up next */
	CONFIG_IS_INSTEAD_OF_IT, /* the last good one, as the file is faulty */
};

/*
 * Choose what to begin with.  *config is what was read from the file at `path`, or NULL where that
 * is faulty; where the last good one takes its place, it is freed.  It stays NULL where there is
 * none, or no ring to go on with.
 */
enum config_source last_good_choose(
    struct config **config, const char *path, const char *runtime_directory);

/* Whether there are rings to go on with, and no configuration at all.  Logs, if so. */
bool last_good_is_missed(const char *path);

/* Tell that the file is faulty, and what is done about it.  Logs. */
void last_good_tell(const char *path);

/*
 * Keep a configuration that is in force, and the program that its fanout.program names, each in a
 * file of mode 0600.  Logs where that fails; the one before stays then.
 */
void last_good_keep(int runtime, const struct config *config);

/* There is nothing to go on with any more. */
void last_good_forget(int runtime, const struct config *config);
