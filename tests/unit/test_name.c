/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "storage/name.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const uint64_t second = 1000000000;

static void each_format_has_its_extension(void **state)
{
	const struct name_parts parts = { "s", "i", 3, FORMAT_PCAPNG };
	struct name_kind kind;
	char name[64];

	(void)state;
	assert_int_equal(name_expand(name, sizeof(name), "%{sensor}", &parts, 0), 0);
	assert_string_equal(name, "s.pcapng");
	assert_true(name_is_capture(name, &kind));
	assert_int_equal(kind.format, FORMAT_PCAPNG);
	assert_int_equal(name_number(name, sizeof(name), "s.pcapng", 0, 2), 0);
	assert_string_equal(name, "s-2.pcapng");
	assert_int_equal(name_number(name, sizeof(name), "s-2.pcapng", 2, 0), 0);
	assert_string_equal(name, "s.pcapng");
	assert_int_equal(name_pattern(name, sizeof(name), "%{sensor}", &parts), 0);
	assert_int_equal(fnmatch(name, "s-1.pcapng", 0), 0);
	assert_int_not_equal(fnmatch(name, "s-1.pcap", 0), 0);
	assert_true(name_is_capture("a.pcap", &kind));
	assert_int_equal(kind.format, FORMAT_PCAP);
	assert_false(name_is_capture(".pcap", &kind));
	assert_false(name_is_capture("a.pcapn", &kind));
	assert_int_equal(name_of_part("a.pcap.part"), 6);
	assert_int_equal(name_of_part("a.pcapng.part"), 8);
	assert_int_equal(name_of_part("a.pcapng"), 0);
	assert_int_equal(name_of_part("a.idx.part"), 0);
	assert_int_equal(name_of_part(".pcap.part"), 0);
}

static void so_has_each_compression(void **state)
{
	static const struct {
		enum file_format format;
		enum compression compression;
		const char *name, *second;
	} cases[] = {
		{ FORMAT_PCAP, COMPRESSION_LZ4, "s.pcap.lz4", "s-2.pcap.lz4" },
		{ FORMAT_PCAP, COMPRESSION_ZSTD, "s.pcap.zst", "s-2.pcap.zst" },
		{ FORMAT_PCAPNG, COMPRESSION_LZ4, "s.pcapng.lz4", "s-2.pcapng.lz4" },
		{ FORMAT_PCAPNG, COMPRESSION_ZSTD, "s.pcapng.zst", "s-2.pcapng.zst" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct name_parts parts = { "s", "i", 3, cases[i].format,
			cases[i].compression };
		struct name_kind kind;
		char name[64], part[80];

		assert_int_equal(name_expand(name, sizeof(name), "%{sensor}", &parts, 0), 0);
		assert_string_equal(name, cases[i].name);
		snprintf(part, sizeof(part), "%s.part", name);
		assert_int_equal(name_of_part(part), strlen(name));
		assert_true(name_is_capture(name, &kind));
		assert_int_equal(kind.format, cases[i].format);
		assert_int_equal(kind.compression, cases[i].compression);
		assert_int_equal(name_number(name, sizeof(name), cases[i].name, 0, 2), 0);
		assert_string_equal(name, cases[i].second);
		assert_int_equal(name_number(name, sizeof(name), cases[i].second, 2, 0), 0);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(name_pattern(name, sizeof(name), "%{sensor}", &parts), 0);
		assert_int_equal(fnmatch(name, cases[i].second, 0), 0);
		assert_int_not_equal(fnmatch(name, "s.pcap", 0), 0);
	}
	assert_int_equal(name_of_part("a.zst.part"), 0);
}

static void names_expand(void **state)
{
	static const struct {
		const char *template, *name;
		int r;
	} cases[] = {
		{ "%Y-%m-%d/%{sensor}-%{interface}-%{worker}-%H%M%S",
		    "2023-11-14/s-eth0.5-3-221320.pcap", 0 },
		{ "%{sensor}%%{worker}", "s%{worker}.pcap", 0 },
		{ "100%%", "100%.pcap", 0 },
		{ "a..b", "a..b.pcap", 0 },
		{ "../%Y", NULL, -EINVAL },
		{ "a/../b", NULL, -EINVAL },
		{ "/a", NULL, -EINVAL },
		{ "a//b", NULL, -EINVAL },
		{ "a/", NULL, -EINVAL },
	};
	const struct name_parts parts = { "s", "eth0.5", 3, FORMAT_PCAP };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[128];

		assert_int_equal(
		    name_expand(name, sizeof(name), cases[i].template, &parts, 1700000000 * second),
		    cases[i].r);
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
	}
}

static void an_interface_named_like_a_conversion_stays_as_it_is(void **state)
{
	const struct name_parts parts = { "s", "%Y", 0 };
	char name[64];

	(void)state;
	assert_int_equal(name_expand(name, sizeof(name), "%{interface}", &parts, 0), 0);
	assert_string_equal(name, "%Y.pcap");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	const struct name_parts parts = { "s", "i", 0 };
	char name[12];

	(void)state;
	assert_int_equal(name_expand(name, sizeof(name), "123456", &parts, 0), 0);
	assert_int_equal(name_expand(name, sizeof(name), "1234567", &parts, 0), -ENAMETOOLONG);
	assert_int_equal(name_number(name, sizeof(name), "123456.pcap", 0, 1), -ENAMETOOLONG);
}

static void numbers_stand_before_the_extension(void **state)
{
	char name[64];

	(void)state;
	assert_int_equal(name_number(name, sizeof(name), "a/b.pcap", 0, 0), 0);
	assert_string_equal(name, "a/b.pcap");
	assert_int_equal(name_number(name, sizeof(name), "a/b.pcap", 0, 12), 0);
	assert_string_equal(name, "a/b-12.pcap");
	assert_int_equal(name_number(name, sizeof(name), "a/b-12.pcap", 12, 13), 0);
	assert_string_equal(name, "a/b-13.pcap");
	assert_int_equal(name_number(name, sizeof(name), "a/b-12.pcap", 3, 4), -EINVAL);
	assert_int_equal(name_number(name, sizeof(name), ".pcap", 0, 4), -EINVAL);
}

static void a_pattern_fits_each_name_of_a_template(void **state)
{
	static const struct {
		const char *template, *interface, *name;
		bool fits;
	} cases[] = {
		{ "%Y/%{sensor}-%{interface}-%{worker}-%d", "i", "2023/s-i-3-14.pcap", true },
		{ "%Y/%{sensor}-%{interface}-%{worker}-%d", "i", "2023/s-i-3-14-2.pcap", true },
		{ "%Y/%{sensor}-%{interface}-%{worker}-%d", "i", "2023/s-i-4-14.pcap", false },
		{ "%Y/%{sensor}-%{interface}-%{worker}-%d", NULL, "2023/s-j-4-14.pcap", true },
		{ "%Y/%{sensor}-%{interface}-%{worker}-%d", NULL, "2023/t-j-4-14.pcap", false },
		{ "%{sensor}", NULL, "s.pcap", true },
		{ "%{sensor}", NULL, "s.pcap.part", false },
		{ "[a]*?\\%%-%-d", NULL, "[a]*?\\%-7.pcap", true },
		{ "[a]*?\\%%-%-d", NULL, "axx\\%-7.pcap", false },
		{ "%{interface}", "e*", "e*.pcap", true },
		{ "%{interface}", "e*", "eth0.pcap", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct name_parts parts = { "s", cases[i].interface, 3, FORMAT_PCAP };
		char pattern[128];

		assert_int_equal(
		    name_pattern(pattern, sizeof(pattern), cases[i].template, &parts), 0);
		if ((fnmatch(pattern, cases[i].name, 0) == 0) != cases[i].fits)
			fail_msg("%s: %s", pattern, cases[i].name);
	}
	for (size_t size = 1; size < 10; size++) {
		const struct name_parts parts = { "s", NULL, 0, FORMAT_PCAP };
		char pattern[16];

		assert_int_equal(name_pattern(pattern, size, "%Y-%m", &parts), -ENAMETOOLONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format_has_its_extension),
		cmocka_unit_test(so_has_each_compression),
		cmocka_unit_test(names_expand),
		cmocka_unit_test(an_interface_named_like_a_conversion_stays_as_it_is),
		cmocka_unit_test(a_name_that_is_too_long_is_refused),
		cmocka_unit_test(numbers_stand_before_the_extension),
		cmocka_unit_test(a_pattern_fits_each_name_of_a_template),
	};

	return RUN_TESTS(tests);
}
