/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"

/*
 * Make a fresh child into a worker: it dies with the supervisor, is deaf to the signals that are
 * meant for it, keeps only the descriptors that it inherits on purpose and its own books, runs on
 * its CPU, and has neither capabilities nor system calls beyond those that a worker makes.
 *
 * On failure *ret_purpose says what could not be done.  Returns 0 or a negative errno.
 */
int confine(const struct heritage *heritage, const char **ret_purpose);
