/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/loader.h"

#include <stdbool.h>

/*
 * The list of faults while a file is read.
 */
struct config_faults {
	const char *path;
	char **texts;
	size_t count;
	size_t errors; /* of them that are no warnings */
};

/* Add one; line and column count from 1, 0 leaves them out. */
void faults_add(struct config_faults *faults, size_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Add a word that does not make the file wrong. */
void faults_warn(struct config_faults *faults, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Check what no single setting can tell: bounds between them, names, paths. */
void faults_check_config(struct config_faults *faults, const struct config *config);
