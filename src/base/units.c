/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/units.h"

#include "base/array.h"
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "KB", UINT64_C(1000) },
	{ "MB", UINT64_C(1000000) },
	{ "GB", UINT64_C(1000000000) },
	{ "TB", UINT64_C(1000000000000) },
};

/* As they are written; the first leaves no rest, and each is larger than the one before. */
static const struct unit exact_sizes[] = {
	{ "B", 1 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
};

static const struct unit times[] = {
	{ "us", NSEC_PER_USEC },
	{ "ms", NSEC_PER_MSEC },
	{ "s", NSEC_PER_SEC },
	{ "min", 60 * NSEC_PER_SEC },
	{ "h", 3600 * NSEC_PER_SEC },
	{ "d", 86400 * NSEC_PER_SEC },
};

static const struct unit rates[] = {
	{ "", 1 },
	{ "bit", 1 },
	{ "Kbit", UINT64_C(1000) },
	{ "kbit", UINT64_C(1000) },
	{ "Mbit", UINT64_C(1000000) },
	{ "Gbit", UINT64_C(1000000000) },
	{ "Tbit", UINT64_C(1000000000000) },
};

/* In millionths. */
static const struct unit factors[] = {
	{ "", UINT64_C(1000000) },
	{ "k", UINT64_C(1000000000) },
	{ "M", UINT64_C(1000000000000) },
};

static const struct unit shares[] = { { "%", 100 } };
static const struct unit plain[] = { { "", 1 } };

/* The digits at the beginning; *rest is behind them. */
static int parse_digits(const char *text, uint64_t *ret_value, const char **rest)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -ERANGE;
	*ret_value = value;
	*rest = text;
	return 0;
}

/* Decimals of a value: as many as the factor can tell apart, "0.25%", "1.5GiB". */
static int parse_decimals(const char **text, uint64_t *ret_part, uint64_t *ret_scale)
{
	uint64_t part = 0, scale = 1;
	const char *at = *text;

	if (*at == '.') {
		if (!isdigit((unsigned char)*++at))
			return -EINVAL;
		for (; isdigit((unsigned char)*at) && scale < 1000000; at++) {
			part = part * 10 + (uint64_t)(*at - '0');
			scale *= 10;
		}
	}
	*ret_part = part;
	*ret_scale = scale;
	*text = at;
	return 0;
}

static int parse(const char *text, const struct unit *units, size_t count, uint64_t *ret_value)
{
	uint64_t value, part, scale;
	const char *rest;
	int r = parse_digits(text, &value, &rest);

	if (r == 0)
		r = parse_decimals(&rest, &part, &scale);
	if (r < 0)
		return r;
	while (*rest == ' ')
		rest++;
	if (*rest == 0 && value == 0 && part == 0) {
		*ret_value = 0;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t factor = units[i].factor;

		if (strcmp(rest, units[i].name) != 0)
			continue;
		/* A part of a unit must come out whole: 1.5KiB does, 0.3B does not. */
		if (part * factor % scale != 0)
			return -EINVAL;
		if (__builtin_mul_overflow(value, factor, &value) ||
		    __builtin_add_overflow(value, part * factor / scale, &value))
			return -ERANGE;
		*ret_value = value;
		return 0;
	}
	return -EINVAL;
}

int units_parse_number(const char *text, uint64_t *ret_value)
{
	return parse(text, plain, COUNT_OF(plain), ret_value);
}

int units_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse(text, sizes, COUNT_OF(sizes), ret_bytes);
}

int units_parse_time(const char *text, uint64_t *ret_ns)
{
	return parse(text, times, COUNT_OF(times), ret_ns);
}

int units_parse_rate(const char *text, uint64_t *ret_bits)
{
	return parse(text, rates, COUNT_OF(rates), ret_bits);
}

int units_parse_factor(const char *text, uint64_t *ret_millionths)
{
	return parse(text, factors, COUNT_OF(factors), ret_millionths);
}

int units_parse_share(const char *text, uint64_t *ret_share)
{
	uint64_t share;
	int r = parse(text, shares, COUNT_OF(shares), &share);

	if (r < 0)
		return r;
	if (share > 10000)
		return -ERANGE;
	*ret_share = share;
	return 0;
}

/* In the largest unit that leaves no rest, or one decimal: "1.5MiB". */
static void format(char *text, size_t size, uint64_t value, const struct unit *units, size_t count)
{
	const struct unit *largest = &units[0];
	uint64_t tenths;

	for (size_t i = 1; i < count; i++)
		if (value >= units[i].factor && value % units[i].factor * 10 % units[i].factor == 0)
			largest = &units[i];
	tenths = value % largest->factor * 10 / largest->factor;
	if (tenths == 0)
		snprintf(text, size, "%" PRIu64 "%s", value / largest->factor, largest->name);
	else
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 "%s", value / largest->factor, tenths,
		    largest->name);
}

void units_format_size(char *text, size_t size, uint64_t bytes)
{
	format(text, size, bytes, exact_sizes, COUNT_OF(exact_sizes));
}

void units_format_time(char *text, size_t size, uint64_t ns)
{
	format(text, size, ns, times, COUNT_OF(times));
}

void units_format_rate(char *text, size_t size, uint64_t bits)
{
	format(text, size, bits, rates, COUNT_OF(rates));
}

void units_format_about(char *text, size_t size, uint64_t bytes)
{
	const struct unit *largest = &exact_sizes[0];

	for (size_t i = 1; i < COUNT_OF(exact_sizes); i++)
		if (bytes >= exact_sizes[i].factor)
			largest = &exact_sizes[i];
	if (bytes % largest->factor == 0)
		units_format_size(text, size, bytes);
	else
		snprintf(
		    text, size, "%.1f%s", (double)bytes / (double)largest->factor, largest->name);
}
