/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * A moment as people write it, in nanoseconds since the epoch.  Pure.
 *
 *   2026-03-01T12:00:00.5Z    ISO 8601; a space for the T; less of it: to the minute, to the day
 *   2026-03-01T13:00+01:00    with an offset; without one it is UTC, as in names of files
 *   @1772366400.5             seconds since the epoch
 *   -15min                    so long before `now_ns`, as units_parse_time() has it
 *   now
 *
 * Returns 0, -EINVAL for what is none of these, or -ERANGE for one outside 1970 to 2554;
 * *ret_ns is written only on 0.
 */
int when_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns);
