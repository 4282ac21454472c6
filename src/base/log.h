/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <syslog.h>

/*
 * Where lines for people go: to the journal, with fields, when stderr is connected to it; else to
 * stderr.  The one owner of sd-journal.
 *
 * A failure is logged once, by the function that knows most; a header says "Logs." where one does.
 * A line names the object, says what failed and what would be right, and has no full stop.
 */

/* A journal field, such as { "FANCAP_INTERFACE", "eth1" }; one with a NULL value is left out. */
struct log_field {
	const char *name;
	const char *value;
};

/*
 * Decide where lines go; once, before the first line and before any fork.  The program's name
 * stands before each line on a terminal.
 */
void log_open(const char *program);

/* Put FANCAP_SENSOR on every entry from now on; the text must outlive the process's last line. */
void log_sensor(const char *sensor);

/* One line of a priority of syslog(3). */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A line as it stands, such as FILE:LINE:COLUMN: TEXT; before log_sensor() on stderr, also where
 * that is the journal's: what is said just before an exit keeps its unit there.
 */
void log_bare(int priority, const char *text);

/* One entry with a MESSAGE_ID (32 hex digits, or NULL) and fields. */
void log_entry(int priority, const char *message_id, const struct log_field *fields, size_t count,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * A line of LOG_ERR that ends in the text of a negative errno.  Returns that error, so that a
 * caller logs and returns in one statement.
 */
int log_failure(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
