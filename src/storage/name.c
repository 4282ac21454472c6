/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/name.h"

#include "base/array.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FORMAT_LENGTH = 1024, NUMBER_LENGTH = 16 };

static const struct {
	struct name_kind kind;
	const char *extension;
} kinds[] = {
	{ { FORMAT_PCAP, COMPRESSION_NONE }, ".pcap" },
	{ { FORMAT_PCAP, COMPRESSION_LZ4 }, ".pcap.lz4" },
	{ { FORMAT_PCAP, COMPRESSION_ZSTD }, ".pcap.zst" },
	{ { FORMAT_PCAPNG, COMPRESSION_NONE }, ".pcapng" },
	{ { FORMAT_PCAPNG, COMPRESSION_LZ4 }, ".pcapng.lz4" },
	{ { FORMAT_PCAPNG, COMPRESSION_ZSTD }, ".pcapng.zst" },
};
static const char part[] = ".part";

static bool ends_with(const char *name, size_t length, const char *end)
{
	size_t tail = strlen(end);

	return length > tail && memcmp(name + length - tail, end, tail) == 0;
}

static const char *extension_of(const struct name_parts *parts)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].kind.format == parts->format &&
		    kinds[i].kind.compression == parts->compression)
			return kinds[i].extension;
	return "";
}

/* Its place in the table, or COUNT_OF(kinds). */
static size_t find_kind(const char *name, size_t length)
{
	size_t i = 0;

	while (i < COUNT_OF(kinds) && !ends_with(name, length, kinds[i].extension))
		i++;
	return i;
}

bool name_is_capture(const char *name, struct name_kind *ret_kind)
{
	size_t i = find_kind(name, strlen(name));

	if (i == COUNT_OF(kinds))
		return false;
	*ret_kind = kinds[i].kind;
	return true;
}

size_t name_of_part(const char *name)
{
	size_t length = strlen(name);

	if (!ends_with(name, length, part))
		return 0;
	length -= strlen(part);
	return find_kind(name, length) < COUNT_OF(kinds) ? length : 0;
}

/* Append a value to a strftime format, where a % must be doubled. */
static size_t put_value(char *format, size_t used, const char *value)
{
	for (; *value && used + 2 < FORMAT_LENGTH; value++) {
		if (*value == '%')
			format[used++] = '%';
		format[used++] = *value;
	}
	return used;
}

/* %{…} by their values; the rest is left to strftime. */
static int substitute(char *format, const char *template, const struct name_parts *parts)
{
	char worker[16];
	const struct {
		const char *key, *value;
	} known[] = {
		{ "%{sensor}", parts->sensor },
		{ "%{interface}", parts->interface },
		{ "%{worker}", worker },
	};
	size_t used = 0;

	snprintf(worker, sizeof(worker), "%u", parts->worker);
	while (*template) {
		size_t i = 0, count = sizeof(known) / sizeof(known[0]);

		while (i < count && strncmp(template, known[i].key, strlen(known[i].key)) != 0)
			i++;
		if (used + 2 >= FORMAT_LENGTH)
			return -ENAMETOOLONG;
		if (i < count) {
			used = put_value(format, used, known[i].value);
			template += strlen(known[i].key);
		} else if (template[0] == '%' && template[1] == '%') {
			format[used++] = *template ++;
			format[used++] = *template ++;
		} else {
			format[used++] = *template ++;
		}
	}
	format[used] = 0;
	return 0;
}

bool name_leaves_directory(const char *name)
{
	size_t length = strlen(name);

	return name[0] == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../") ||
	       strstr(name, "//") || length == 0 || name[length - 1] == '/';
}

int name_expand(
    char *text, size_t size, const char *template, const struct name_parts *parts, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000U);
	char format[FORMAT_LENGTH], name[FORMAT_LENGTH];
	struct tm utc;
	int n, r = substitute(format, template, parts);

	if (r < 0)
		return r;
	if (!gmtime_r(&seconds, &utc))
		return -EINVAL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	/* The template is the user's own wish, and was checked when it was loaded. */
	if (strftime(name, sizeof(name), format, &utc) == 0)
		return -ENAMETOOLONG;
#pragma GCC diagnostic pop
	if (name_leaves_directory(name))
		return -EINVAL;
	n = snprintf(text, size, "%s%s", name, extension_of(parts));
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Append text of which no character means anything to fnmatch(3). */
static size_t put_literal(char *text, size_t used, size_t size, const char *value)
{
	for (; *value && used + 2 < size; value++) {
		if (strchr("*?[]\\", *value))
			text[used++] = '\\';
		text[used++] = *value;
	}
	return used;
}

/* Of a conversion of strftime(3), with its flags, width and modifier; 1 where there is none. */
static size_t conversion_length(const char *template)
{
	size_t length = 1;

	if (template[0] != '%')
		return 1;
	length += strspn(template + length, "_-0^#123456789EO");
	return template[length] ? length + 1 : length;
}

int name_pattern(char *text, size_t size, const char *template, const struct name_parts *parts)
{
	char worker[16];
	const struct {
		const char *key, *value;
	} known[] = {
		{ "%{sensor}", parts->sensor },
		{ "%{interface}", parts->interface },
		{ "%{worker}", parts->interface ? worker : NULL },
	};
	size_t used = 0;

	snprintf(worker, sizeof(worker), "%u", parts->worker);
	while (*template) {
		const char one[2] = { template[0] == '%' ? template[1] : template[0], 0 };
		bool is_fixed = template[0] != '%' || template[1] == '%';
		const char *value = is_fixed ? one : NULL;
		size_t length = conversion_length(template);

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (strncmp(template, known[i].key, strlen(known[i].key)) != 0)
				continue;
			value = known[i].value;
			length = strlen(known[i].key);
		}
		used = put_literal(text, used, size, value ? value : "");
		if (!value && used + 2 < size)
			text[used++] = '*';
		if (used + 2 >= size)
			return -ENAMETOOLONG;
		template += length;
	}
	if (used + 1 + strlen(extension_of(parts)) >= size)
		return -ENAMETOOLONG;
	snprintf(text + used, size - used, "*%s", extension_of(parts));
	return 0;
}

static void format_number(char text[NUMBER_LENGTH], uint32_t number)
{
	text[0] = 0;
	if (number > 0)
		snprintf(text, NUMBER_LENGTH, "-%" PRIu32, number);
}

int name_number(char *text, size_t size, const char *name, uint32_t from, uint32_t to)
{
	char old[NUMBER_LENGTH + 16], new[NUMBER_LENGTH];
	size_t length = strlen(name), i = find_kind(name, length), tail;
	int n;

	if (i == COUNT_OF(kinds))
		return -EINVAL;

	format_number(old, from);
	format_number(new, to);
	strcat(old, kinds[i].extension);
	tail = strlen(old);
	if (length <= tail || strcmp(name + length - tail, old) != 0)
		return -EINVAL;
	n = snprintf(text, size, "%.*s%s%s", (int)(length - tail), name, new, kinds[i].extension);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
