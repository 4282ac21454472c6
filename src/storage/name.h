/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a template's %{…} stand for. */
struct name_parts {
	const char *sensor, *interface;
	unsigned int worker;
	unsigned int format;      /* enum file_format, for the extension, as the next */
	unsigned int compression; /* enum compression */
};

/* What a capture file is by its extension. */
struct name_kind {
	enum file_format format;
	enum compression compression;
};

/*
 * Expand output.name: strftime(3) in UTC of the stamp, %{sensor}, %{interface}, %{worker}; then
 * the extension.  Pure.
 *
 * Returns 0, -ENAMETOOLONG beyond size, or -EINVAL for a name that is empty or leaves its
 * directory.
 */
int name_expand(char *text, size_t size, const char *template, const struct name_parts *parts,
    uint64_t time_ns);

/*
 * The same as a pattern of fnmatch(3) for every name that the template can expand to, numbers
 * before the extension included; an interface or a sensor that is NULL stands for any.  Pure.
 * Returns 0 or -ENAMETOOLONG.
 */
int name_pattern(char *text, size_t size, const char *template, const struct name_parts *parts);

/* Whether it is a capture file's by its extension, and of which kind.  Pure. */
bool name_is_capture(const char *name, struct name_kind *ret_kind);

/* Of the name of an unfinished capture file, the length without .part; 0: it is none.  Pure. */
size_t name_of_part(const char *name);

/* Whether a name leaves the directory that it is relative to, or names none.  Pure. */
bool name_leaves_directory(const char *name);

/*
 * Put "-TO" before the extension of a name that has "-FROM" there; 0 stands for no such number.
 * Pure.  Returns 0, -ENAMETOOLONG beyond size, or -EINVAL where the name does not end so.
 */
int name_number(char *text, size_t size, const char *name, uint32_t from, uint32_t to);
