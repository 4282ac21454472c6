/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/loader.h"
#include "config/settings.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What a configuration asks for that is other than what is in force, and what a reload may do about
 * it (SPEC section 3).  Interfaces are told apart by name, wherever they stand in the file.
 */

/* Whether any setting that a reload treats so is another. */
bool difference_in(const struct config *running, const struct config *wanted, enum reload reload);

/*
 * Add a fault for each setting that is another, and that a reload cannot change.  Both name the
 * number of their workers.  Returns how many there are.
 */
size_t difference_check(
    struct config_faults *faults, const struct config *running, const struct config *wanted);

/*
 * Put what is wanted into force, once difference_check() has found nothing.  Interfaces are those
 * of `wanted` from here on, where they were; what was in force before is in that, to be freed once
 * nobody points to it any more.
 */
void difference_apply(struct config *running, struct config *wanted);

/* The interface of that name, or NULL. */
struct interface_config *difference_find(const struct config *config, const char *name);
