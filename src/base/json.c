/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

void json_quote(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(to, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

static int take(const json_t *value, const struct json_field *field)
{
	if (field->kind == JSON_COUNT) {
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return -EBADMSG;
		*(uint64_t *)field->value = (uint64_t)json_integer_value(value);
		return 0;
	}
	if (!json_is_string(value) || json_string_length(value) >= field->size)
		return -EBADMSG;
	memcpy(field->value, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

int json_read(const char *text, size_t length, const struct json_field *fields, size_t count)
{
	json_error_t error;
	json_t *object = json_loadb(text, length, 0, &error);
	int r = json_is_object(object) ? 0 : -EBADMSG;

	if (!object && json_error_code(&error) == json_error_out_of_memory)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const json_t *value = json_object_get(object, fields[i].name);

		if (value)
			r = take(value, &fields[i]);
		else if (!fields[i].is_optional)
			r = -EBADMSG;
	}
	json_decref(object);
	return r;
}
