/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * The settings of SPEC section 3, a row each: parser, place, default as a user would write it,
 * bounds, and what a reload may do with it.
 */
enum reload {
	RELOAD_NEXT_FILE,   /* in place, with the next file */
	RELOAD_NOW,         /* in place, at once */
	RELOAD_NEW_SOCKETS, /* not in place */
	RELOAD_REFUSED,     /* needs a restart */
};

struct setting;

/* Read a text into a field.  Returns 0, or a negative errno with what is wrong in `wrong`. */
typedef int setting_parser(
    const struct setting *setting, const char *text, void *field, char *wrong, size_t wrong_size);

struct setting {
	const char *name; /* "section.key" */
	setting_parser *parse;
	size_t offset;            /* of the value, in struct config or struct interface_config */
	const char *initial;      /* the default, which takes the same path as a user's word */
	uint64_t least, most;     /* bounds of numbers; most 0 is none */
	const char *const *words; /* of an enum, NULL at the end */
	uint32_t later;           /* words (by bit) that are not in this version */
	uint32_t fixed;           /* words that a reload neither comes from nor goes to */
	bool only_default;        /* any other value is not in this version */
	enum reload reload;
	const char *help;
};

extern const struct setting settings[]; /* of struct config */
extern const size_t settings_count;
extern const struct setting interface_settings[]; /* of struct interface_config */
extern const size_t interface_settings_count;

/* Give every setting of a table its default.  Returns 0 or -ENOMEM. */
int settings_reset(const struct setting *table, size_t count, void *fields);

/* Free what a table's texts hold. */
void settings_release(const struct setting *table, size_t count, void *fields);

/* The row of a name, or NULL. */
const struct setting *settings_find(const struct setting *table, size_t count, const char *name);

/*
 * Set one value from its text.  Returns 0, or -EINVAL with "what is wrong; what is allowed" in
 * `wrong`; the value is unchanged then.
 */
int settings_set(
    const struct setting *setting, void *fields, const char *text, char *wrong, size_t wrong_size);

/* Whether a value is the same in both. */
bool settings_are_equal(const struct setting *setting, const void *fields, const void *others);

/* What a reload may do with a setting, from what it is in `fields` to what it is in `others`. */
enum reload settings_reload_of(
    const struct setting *setting, const void *fields, const void *others);
