/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * A sensor's YAML file -> struct config, with every fault of it at once.  The one owner of libyaml.
 */

/* What is wrong with a file, and what may be meant otherwise: "FILE:LINE:COLUMN: PATH: text". */
struct config_faults;

/*
 * The name of the sensor whose file this is: that of the file, without .yaml.  Returns 0, or
 * -EINVAL for what can be no sensor's name, with as much of it as fits.
 */
int config_sensor(const char *path, char name[SENSOR_NAME_LENGTH + 1]);

/* What others have to say of a configuration: they add their faults by config_faults_add(). */
typedef void config_check(struct config_faults *faults, const struct config *config);

/*
 * Load a file.  Never logs: every fault, and every warning, is in *ret_faults, which is the
 * caller's to free, also on success.  `check` may be NULL.
 *
 * Returns 0; -ENOENT, -EACCES, … where the file cannot be read; -EINVAL where it is faulty.
 */
int config_load(struct config **ret_config, const char *path, config_check *check,
    struct config_faults **ret_faults);
void config_free(struct config *config);

/*
 * Add a fault of a key, such as "ring.memory": "what is wrong; what is allowed".  It is placed
 * where that key's value stands, else where `other` does, the key that it does not agree with
 * (NULL: none).  Nothing is added where one of the two has a fault already.
 */
void config_faults_add(struct config_faults *faults, const char *key, const char *other,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Add a fault of a file that a key names, as "PATH:LINE: key: text"; line 0 is the file itself.
 * Each is added, unless the key itself has a fault.
 */
void config_faults_add_elsewhere(
    struct config_faults *faults, const char *key, const char *path, size_t line, const char *text);

/* As config_faults_add(), for a word that does not make the file wrong. */
void config_faults_warn(struct config_faults *faults, const char *key, const char *other,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

size_t config_faults_count(const struct config_faults *faults);
const char *config_faults_text(const struct config_faults *faults, size_t index);
void config_faults_free(struct config_faults *faults);
