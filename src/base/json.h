/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Put a string of JSON, quoted and escaped (RFC 8259); bytes beyond ASCII pass as they are. */
void json_quote(FILE *to, const char *text);

/* What is wanted of an object, and where it goes. */
enum json_kind {
	JSON_TEXT,  /* to `size` bytes, NUL and all */
	JSON_COUNT, /* to a uint64_t; `size` says nothing */
};

struct json_field {
	const char *name;
	enum json_kind kind;
	void *value;
	size_t size;
	bool is_optional;
};

/*
 * Read an object; what it has beside the fields is nobody's business.  Returns 0, -ENOMEM, or
 * -EBADMSG for what is no object, lacks a field, or has one of another kind, negative or too long:
 * then some values may be written.
 */
int json_read(const char *text, size_t length, const struct json_field *fields, size_t count);
