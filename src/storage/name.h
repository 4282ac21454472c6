/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a template's %{…} stand for. */
struct name_parts {
	const char *sensor, *interface;
	unsigned int worker;
};

/*
 * Expand output.name: strftime(3) in UTC of the stamp, %{sensor}, %{interface}, %{worker}; then
 * "-N" where attempt N > 0, then the extension.  Pure.
 *
 * Returns 0, -ENAMETOOLONG beyond size, or -EINVAL for a name that is empty or leaves its
 * directory.
 */
int name_expand(char *text, size_t size, const char *template, const struct name_parts *parts,
    uint64_t time_ns, unsigned int attempt);
