/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/loader.h"

#include <stdbool.h>

/*
 * The list of faults while a file is read, and where in it each key stands.
 */
struct config_faults {
	const char *path;
	char **texts;
	size_t count;
	size_t errors; /* of them that are no warnings */
	struct fault_place *places;
	size_t place_count;
};

/* Add one; line and column count from 1, 0 leaves them out. */
void faults_add(struct config_faults *faults, size_t line, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Remember where a key's value stands. */
void faults_place(struct config_faults *faults, const char *key, size_t line, size_t column);

/* The value of a key is none, and was told: what it is compared with is no more to blame. */
void faults_spoil(struct config_faults *faults, const char *key);

/* Whether there are so many that no more are listed. */
bool faults_are_full(const struct config_faults *faults);

/* Check what no single setting can tell: bounds between them, names, paths. */
void faults_check_config(struct config_faults *faults, const struct config *config);
