/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/when.h"

#include <errno.h>

/* 2026-03-01T12:00:00Z */
#define NOON (UINT64_C(1772366400) * NSEC_PER_SEC)

static void what_people_write_is_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} times[] = {
		{ "2026-03-01T12:00:00Z", NOON },
		{ "2026-03-01T12:00:00", NOON },
		{ "2026-03-01 12:00:00", NOON },
		{ "2026-03-01T12:00", NOON },
		{ "2026-03-01T12:00Z", NOON },
		{ "2026-03-01", NOON - 12 * 3600 * NSEC_PER_SEC },
		{ "2026-03-01T13:00:00+01:00", NOON },
		{ "2026-03-01T13:00+0100", NOON },
		{ "2026-03-01T08:30:00-03:30", NOON },
		{ "2026-03-01T12:00:00.5Z", NOON + NSEC_PER_SEC / 2 },
		{ "2026-03-01T12:00:00.000000001Z", NOON + 1 },
		{ "2026-03-01T12:00:00.0000000019Z", NOON + 1 },
		{ "@1772366400", NOON },
		{ "@1772366400.25", NOON + NSEC_PER_SEC / 4 },
		{ "@0", 0 },
		{ "-15min", NOON - 900 * NSEC_PER_SEC },
		{ "-0", NOON },
		{ "now", NOON },
		{ "2028-02-29", UINT64_C(1835395200) * NSEC_PER_SEC },
		{ "2016-12-31T23:59:60Z", UINT64_C(1483228800) * NSEC_PER_SEC },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		uint64_t ns = 7;

		if (when_parse(times[i].text, NOON, &ns) != 0 || ns != times[i].ns)
			fail_msg("%s: %lu, not %lu", times[i].text, ns, times[i].ns);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = { "", "@", "@-1", "@1x", "-", "-5", "tomorrow", "2026",
		"2026-13-01", "2026-02-30", "2026-03-01T", "2026-03-01T25:00", "2026-03-01T12:60",
		"2026-03-01T12:00:00+1", "2026-03-01T12:00:00+15:00", "2026-03-01T12:00:00ZZ",
		"2026-03-01T12:00:00 Z", "1969-12-31", "12:00", "2026-03-01T12:00:00.",
		"@99999999999999999999", "@18446744074", "-1000000d" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		uint64_t ns = 7;
		int r = when_parse(texts[i], NOON, &ns);

		if ((r != -EINVAL && r != -ERANGE) || ns != 7)
			fail_msg("\"%s\" came to %d, %lu", texts[i], r, ns);
	}
}

static void what_the_clock_writes_is_read(void **state)
{
	char text[CLOCK_TEXT_LENGTH];
	uint64_t ns;

	(void)state;
	for (uint64_t time = 1; time < UINT64_MAX / 3; time = time * 3 + 1) {
		clock_text(text, time);
		assert_int_equal(when_parse(text, 0, &ns), 0);
		assert_int_equal(ns, time);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write_is_read),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(what_the_clock_writes_is_read),
	};

	return RUN_TESTS(tests);
}
