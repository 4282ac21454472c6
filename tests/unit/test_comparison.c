/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "tool/comparison.h"

#include <string.h>

/* 1000 were sent in half a second, of which 900 came. */
static const struct passage_result fast = {
	.sending = { .sent = 1000, .took_ns = NSEC_PER_SEC / 2, .cost = { 500000, 10 } },
	.receiving = { .tally = { .received = 900, .next = 1000, .disordered = 3 },
	    .dropped = 98,
	    .cost = { 90000, 450 } },
	.lost_on_the_way = 2,
};
static const struct passage_result paced = {
	.sending = { .sent = 200, .took_ns = NSEC_PER_SEC, .cost = { 4000000, 200 } },
	.receiving = { .tally = { .received = 200, .next = 200 }, .cost = { 2000000, 150 } },
	.delay_median_ns = 12340,
	.delay_p99_ns = 4000000000,
};

static struct comparison all_alike(void)
{
	struct comparison comparison = {
		.geometry = { .block_size = 1 << 20, .block_count = 64, .retire_timeout_ms = 100 },
		.packet_size = 60,
		.rate = 200,
		.took_ns = 9876 * NSEC_PER_MSEC,
		.transmit_cpu = 2,
		.receive_cpu = 5,
	};

	for (unsigned int i = 0; i < COMPARISON_ROW_COUNT; i++)
		comparison.rows[i] = (struct comparison_row) { i >= 4, i % 4, fast, paced };
	return comparison;
}

typedef void print_function(FILE *to, const struct comparison *comparison);

static char *printed(print_function *print, const struct comparison *comparison)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	print(to, comparison);
	fclose(to);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static void a_row_is_of_the_end_that_is_compared(void **state)
{
	const struct comparison comparison = all_alike();
	CLEANUP(free_at) char *text = printed(comparison_print, &comparison);

	(void)state;
	assert_has(text,
	    "\nreceive  recvfrom      2000    100       500   0.5000     100    10000   0.7500 "
	    "     12.3 4000000.0      0\n");
	assert_has(text, "\nreceive  V1 ");
	assert_has(text, "\nreceive  V2 ");
	assert_has(text, "\nreceive  V3 ");
	assert_has(text,
	    "\ntransmit send          2000    500       100   0.0100     100    20000   1.0000 "
	    "     12.3 4000000.0      0\n");
	assert_has(text, "\ntransmit V3 ");
}

static void the_head_says_what_was_measured(void **state)
{
	struct comparison comparison = all_alike();
	CLEANUP(free_at) char *pinned = printed(comparison_print, &comparison);
	CLEANUP(free_at) char *free = NULL;

	(void)state;
	assert_has(pinned, "60-byte packets");
	assert_has(
	    pinned, "rings of 65536 KiB, V3 with 64 blocks of 1024 KiB, retired after 100 ms");
	assert_has(pinned, "sent on CPU 2, received on CPU 5");
	assert_has(pinned, "at 200 packets a second");
	comparison.transmit_cpu = comparison.receive_cpu = -1;
	free = printed(comparison_print, &comparison);
	assert_has(free, "processes not pinned");
}

static void a_rate_that_was_not_reached_is_told(void **state)
{
	struct comparison comparison = all_alike();
	CLEANUP(free_at) char *reached = printed(comparison_print, &comparison);
	CLEANUP(free_at) char *missed = NULL;

	(void)state;
	assert_null(strstr(reached, "Not every sender"));
	comparison.rows[6].paced.sending.took_ns *= 2;
	missed = printed(comparison_print, &comparison);
	assert_has(missed, "Not every sender reached 200 packets a second: one only 100.\n");
}

static void machines_get_the_same(void **state)
{
	const struct comparison comparison = all_alike();
	CLEANUP(free_at) char *text = printed(comparison_print_json, &comparison);

	(void)state;
	assert_has(text,
	    "{\"packet_size\":60,\"rate\":200,\"seconds\":9.876,\"memory\":67108864,"
	    "\"block_size\":1048576,\"retire_timeout_ms\":100,\"transmit_cpu\":2,"
	    "\"receive_cpu\":5,\"rows\":[{\"direction\":\"receive\",\"ring\":null,\"fast\":{");
	assert_has(text,
	    "{\"direction\":\"receive\",\"ring\":3,\"fast\":{\"packets_per_second\":2000,"
	    "\"sent\":1000,\"received\":900,\"lost\":100,\"dropped\":98,\"lost_on_the_way\":2,"
	    "\"disordered\":3,\"cpu_ns\":100.0000,\"other_cpu_ns\":500.0000,"
	    "\"wakeups\":0.5000},\"paced\":{");
	assert_has(text, "\"delay_median_us\":12.3400,\"delay_p99_us\":4000000.0000}},{");
	assert_has(text, "{\"direction\":\"transmit\",\"ring\":null,");
	assert_string_equal(text + strlen(text) - 5, "}}]}\n");
}

/* Nothing is divided by nothing. */
static void of_no_packets_nothing_is_told(void **state)
{
	struct comparison comparison = all_alike();
	struct comparison_row *row = &comparison.rows[1];
	CLEANUP(free_at) char *text = NULL, *json = NULL;

	(void)state;
	row->fast = row->paced = (struct passage_result) { 0 };
	comparison.transmit_cpu = -1;
	text = printed(comparison_print, &comparison);
	assert_has(text,
	    "\nreceive  V1               0      -         -        -       0        -        - "
	    "        -         -      0\n");
	json = printed(comparison_print_json, &comparison);
	assert_has(json, "\"cpu_ns\":null,\"other_cpu_ns\":null,\"wakeups\":null");
	assert_has(json, "\"delay_median_us\":null,\"delay_p99_us\":null");
	assert_has(json, "\"transmit_cpu\":null,");
	assert_null(strstr(json, "nan"));
	assert_null(strstr(json, "inf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_of_the_end_that_is_compared),
		cmocka_unit_test(the_head_says_what_was_measured),
		cmocka_unit_test(a_rate_that_was_not_reached_is_told),
		cmocka_unit_test(machines_get_the_same),
		cmocka_unit_test(of_no_packets_nothing_is_told),
	};

	return RUN_TESTS(tests);
}
