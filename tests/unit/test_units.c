/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/units.h"

#include <errno.h>
#include <stdio.h>

typedef int parser(const char *, uint64_t *);

static const struct {
	parser *parse;
	const char *text;
	int result;
	uint64_t value;
} cases[] = {
	{ units_parse_number, "0", 0, 0 },
	{ units_parse_number, "18446744073709551615", 0, UINT64_MAX },
	{ units_parse_number, "18446744073709551616", -ERANGE, 0 },
	{ units_parse_number, "", -EINVAL, 0 },
	{ units_parse_number, "-1", -EINVAL, 0 },
	{ units_parse_number, "1x", -EINVAL, 0 },
	{ units_parse_number, " 1", -EINVAL, 0 },
	{ units_parse_size, "4096", 0, 4096 },
	{ units_parse_size, "64MiB", 0, UINT64_C(64) << 20 },
	{ units_parse_size, "64M", 0, UINT64_C(64) << 20 },
	{ units_parse_size, "64 MiB", 0, UINT64_C(64) << 20 },
	{ units_parse_size, "64MB", 0, 64000000 },
	{ units_parse_size, "1.5GiB", 0, UINT64_C(3) << 29 },
	{ units_parse_size, "1TiB", 0, UINT64_C(1) << 40 },
	{ units_parse_size, "64mib", -EINVAL, 0 },
	{ units_parse_size, "1.B", -EINVAL, 0 },
	{ units_parse_size, "0.3B", -EINVAL, 0 },
	{ units_parse_size, "99999999999TiB", -ERANGE, 0 },
	{ units_parse_time, "100ms", 0, 100000000 },
	{ units_parse_time, "5min", 0, UINT64_C(300000000000) },
	{ units_parse_time, "1d", 0, UINT64_C(86400000000000) },
	{ units_parse_time, "0", 0, 0 },
	{ units_parse_time, "10", -EINVAL, 0 },
	{ units_parse_time, "5m", -EINVAL, 0 },
	{ units_parse_rate, "1000", 0, 1000 },
	{ units_parse_rate, "10Gbit", 0, UINT64_C(10000000000) },
	{ units_parse_rate, "1.5Mbit", 0, 1500000 },
	{ units_parse_rate, "0.5bit", -EINVAL, 0 },
	{ units_parse_rate, "10GB", -EINVAL, 0 },
	{ units_parse_factor, "1", 0, 1000000 },
	{ units_parse_factor, "0.25", 0, 250000 },
	{ units_parse_factor, "0.000001", 0, 1 },
	{ units_parse_factor, "0.0000001", -EINVAL, 0 },
	{ units_parse_factor, "100k", 0, UINT64_C(100000000000) },
	{ units_parse_factor, "x", -EINVAL, 0 },
	{ units_parse_share, "5%", 0, 500 },
	{ units_parse_share, "0.25%", 0, 25 },
	{ units_parse_share, "100%", 0, 10000 },
	{ units_parse_share, "101%", -ERANGE, 0 },
	{ units_parse_share, "5", -EINVAL, 0 },
};

static void each_text_is_read_as_people_mean_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 42;
		int r = cases[i].parse(cases[i].text, &value);

		if (r != cases[i].result || value != (r == 0 ? cases[i].value : 42))
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)value);
	}
}

static void what_is_written_is_read_back(void **state)
{
	const struct {
		void (*format)(char *, size_t, uint64_t);
		parser *parse; /* NULL: it is only about the number */
		uint64_t value;
		const char *text;
	} rows[] = {
		{ units_format_size, units_parse_size, 0, "0B" },
		{ units_format_size, units_parse_size, 5000, "5000B" },
		{ units_format_size, units_parse_size, (UINT64_C(1) << 20) + 1024, "1025KiB" },
		{ units_format_size, units_parse_size, UINT64_C(403) << 20, "403MiB" },
		{ units_format_size, units_parse_size, UINT64_C(3) << 19, "1.5MiB" },
		{ units_format_size, units_parse_size, UINT64_C(1) << 40, "1TiB" },
		{ units_format_size, units_parse_size, UINT64_MAX, "18446744073709551615B" },
		{ units_format_time, units_parse_time, 100000000, "100ms" },
		{ units_format_time, units_parse_time, UINT64_C(60000000000), "1min" },
		{ units_format_time, units_parse_time, UINT64_C(90000000000), "1.5min" },
		{ units_format_time, units_parse_time, 1500000, "1.5ms" },
		{ units_format_time, units_parse_time, 1234000, "1234us" },
		{ units_format_rate, units_parse_rate, UINT64_C(10000000000), "10Gbit" },
		{ units_format_rate, units_parse_rate, 64000, "64kbit" },
		{ units_format_about, NULL, 1023, "1023B" },
		{ units_format_about, NULL, UINT64_C(64) << 20, "64MiB" },
		{ units_format_about, NULL, (UINT64_C(23) << 30) + 123456789, "23.1GiB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[UNITS_TEXT];
		uint64_t value = 0;

		rows[i].format(text, sizeof(text), rows[i].value);
		assert_string_equal(text, rows[i].text);
		if (!rows[i].parse)
			continue;
		assert_int_equal(rows[i].parse(text, &value), 0);
		assert_int_equal(value, rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_is_read_as_people_mean_it),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return RUN_TESTS(tests);
}
