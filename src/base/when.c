/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/when.h"

#include "base/clock.h"
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FRACTION_DIGITS = 9 };

/* ".5" and the like; what is finer than a nanosecond is cut.  Moves *at behind it. */
static uint64_t take_fraction(const char **at)
{
	uint64_t ns = 0;
	int digits = 0;

	if (**at != '.' || !isdigit((unsigned char)(*at)[1]))
		return 0;
	for (++*at; isdigit((unsigned char)**at); ++*at)
		if (digits++ < FRACTION_DIGITS)
			ns = ns * 10 + (uint64_t)(**at - '0');
	for (; digits < FRACTION_DIGITS; digits++)
		ns *= 10;
	return ns;
}

static int join(int64_t seconds, uint64_t fraction_ns, uint64_t *ret_ns)
{
	if (seconds < 0 || (uint64_t)seconds >= UINT64_MAX / NSEC_PER_SEC)
		return -ERANGE;
	*ret_ns = (uint64_t)seconds * NSEC_PER_SEC + fraction_ns;
	return 0;
}

static int parse_epoch(const char *text, uint64_t *ret_ns)
{
	uint64_t seconds = 0, fraction;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (seconds > (uint64_t)INT64_MAX / 10 - 1)
			return -ERANGE;
		seconds = seconds * 10 + (uint64_t)(*text - '0');
	}
	fraction = take_fraction(&text);
	return *text ? -EINVAL : join((int64_t)seconds, fraction, ret_ns);
}

/* "Z", "+01:00", "-0330" or nothing, in seconds east of Greenwich. */
static int parse_zone(const char *text, int *ret_east)
{
	int hours, minutes, end = 0;

	*ret_east = 0;
	if (*text == 0 || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return 0;
	if (*text != '+' && *text != '-')
		return -EINVAL;
	if ((sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) < 2 || end != 5) &&
	    (sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &end) < 2 || end != 4))
		return -EINVAL;
	if (text[1 + end] || hours > 14 || minutes > 59 || hours < 0 || minutes < 0)
		return -EINVAL;
	*ret_east = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
	return 0;
}

/* The same day may be written by numbers that are too large; timegm() would take them. */
static bool is_on_the_calendar(const struct tm *asked, int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm have;

	return gmtime_r(&time, &have) && have.tm_mday == asked->tm_mday &&
	       have.tm_mon == asked->tm_mon && asked->tm_hour < 24 && asked->tm_min < 60 &&
	       asked->tm_sec <= 60;
}

static int parse_iso(const char *text, uint64_t *ret_ns)
{
	/* Each goes as far as the one before, and further. */
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S" };
	char copy[64];
	const char *rest = NULL;
	struct tm tm = { 0 }, asked;
	uint64_t fraction;
	int64_t seconds;
	int east;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	if (strlen(copy) > 10 && copy[10] == ' ')
		copy[10] = 'T';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm one = { 0 };
		const char *end = strptime(copy, forms[i], &one);

		if (end) {
			rest = end;
			tm = one;
		}
	}
	if (!rest)
		return -EINVAL;
	fraction = take_fraction(&rest);
	if (parse_zone(rest, &east) < 0)
		return -EINVAL;
	asked = tm;
	seconds = (int64_t)timegm(&tm);
	if (!is_on_the_calendar(&asked, seconds - asked.tm_sec / 60))
		return -EINVAL;
	return join(seconds - east, fraction, ret_ns);
}

int when_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t before;
	int r;

	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '@')
		return parse_epoch(text + 1, ret_ns);
	if (*text != '-')
		return parse_iso(text, ret_ns);
	r = units_parse_time(text + 1, &before);
	if (r < 0)
		return r;
	if (before > now_ns)
		return -ERANGE;
	*ret_ns = now_ns - before;
	return 0;
}
