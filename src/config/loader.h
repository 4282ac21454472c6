/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * A sensor's YAML file -> struct config, with every fault of it at once.  The one owner of libyaml.
 */

/* What is wrong with a file, and what may be meant otherwise: "FILE:LINE:COLUMN: PATH: text". */
struct config_faults;

/*
 * Load a file.  Never logs: every fault, and every warning, is in *ret_faults, which is the
 * caller's to free, also on success.
 *
 * Returns 0; -ENOENT, -EACCES, … where the file cannot be read; -EINVAL where it is faulty.
 */
int config_load(struct config **ret_config, const char *path, struct config_faults **ret_faults);
void config_free(struct config *config);

size_t config_faults_count(const struct config_faults *faults);
const char *config_faults_text(const struct config_faults *faults, size_t index);
void config_faults_free(struct config_faults *faults);
