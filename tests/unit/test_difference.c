/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "config/difference.h"
#include "tool/sensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[64], path[96];
static struct config *running, *wanted;
static struct config_faults *faults;

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/fancap-difference-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/s.yaml", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(directory);
}

static struct config *load(const char *text)
{
	FILE *file = fopen(path, "w");
	struct config *config = NULL;

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	config_faults_free(faults);
	assert_int_equal(config_load(&config, path, NULL, &faults), 0);
	return config;
}

static int forget(void **state)
{
	(void)state;
	config_free(running);
	config_free(wanted);
	config_faults_free(faults);
	running = wanted = NULL;
	faults = NULL;
	return 0;
}

static const char in_force[] =
    "interfaces:\n- {name: a, workers: 2, cpus: [0]}\n- {name: b, workers: 1}\n";

/* Loads what is in force, and the same with more. */
static void load_both(const char *more)
{
	char text[512];

	(void)forget(NULL);
	running = load(in_force);
	snprintf(text, sizeof(text), "%s%s", in_force, more);
	wanted = load(text);
}

static void each_setting_is_treated_as_the_table_says(void **state)
{
	static const struct {
		const char *more;
		enum reload reload;
	} rows[] = {
		{ "capture: {filter: ip}", RELOAD_NEXT_FILE },
		{ "capture: {snaplen: 100}", RELOAD_NEXT_FILE },
		{ "output: {name: x}", RELOAD_NEXT_FILE },
		{ "output: {resolution: us}", RELOAD_NEXT_FILE },
		{ "output: {sync: none}", RELOAD_NEXT_FILE },
		{ "output: {rotate: {size: 1MiB}}", RELOAD_NOW },
		{ "capture: {promiscuous: false}", RELOAD_NOW },
		{ "report: {interval: 1s}", RELOAD_NOW },
		{ "fanout: {mode: cpu}", RELOAD_NOW },
		{ "ring: {memory: 32MiB}", RELOAD_NEW_SOCKETS },
		{ "ring: {block_size: 2MiB}", RELOAD_NEW_SOCKETS },
		{ "ring: {retire_timeout: 1s}", RELOAD_NEW_SOCKETS },
		{ "", RELOAD_REFUSED + 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		load_both(rows[i].more);
		assert_int_equal(difference_check(faults, running, wanted), 0);
		for (unsigned int reload = 0; reload <= RELOAD_REFUSED; reload++)
			if (difference_in(running, wanted, reload) != (reload == rows[i].reload))
				fail_msg("%s: %u", rows[i].more, reload);
	}
}

static void what_no_reload_can_change_is_named_where_it_stands(void **state)
{
	static const struct {
		const char *more, *fault;
	} rows[] = {
		{ "output: {directory: /x}", "4:21: output.directory: another cannot" },
		{ "output: {stage: 8MiB}", "4:17: output.stage: another cannot" },
		{ "capture: {direction: in}", "4:22: capture.direction: another cannot" },
		{ "capture: {link: cooked}", "4:17: capture.link: another cannot" },
		{ "capture: {timestamp: hardware}", "4:22: capture.timestamp: another cannot" },
		{ "fanout: {rollover: true}", "4:20: fanout.rollover: another cannot" },
		{ "fanout: {mode: hash}", "4:16: fanout.mode: another cannot" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		load_both(rows[i].more);
		assert_int_equal(difference_check(faults, running, wanted), 1);
		assert_int_equal(config_faults_count(faults), 1);
		if (!strstr(config_faults_text(faults, 0), rows[i].fault))
			fail_msg("%s", config_faults_text(faults, 0));
	}
}

static void a_group_of_the_kernels_own_mode_keeps_it(void **state)
{
	static const char *const modes[] = { "hash", "lb", "rollover" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		char text[256];

		(void)forget(NULL);
		snprintf(text, sizeof(text), "%sfanout: {mode: %s}", in_force, modes[i]);
		running = load(text);
		wanted = load(text);
		assert_int_equal(difference_check(faults, running, wanted), 0);
		config_free(wanted);
		wanted = load(in_force);
		assert_int_equal(difference_check(faults, running, wanted), 1);
		/* Nor may others join it. */
		snprintf(text, sizeof(text), "%sfanout: {mode: %s}\nring: {memory: 32MiB}",
		    in_force, modes[i]);
		config_free(wanted);
		wanted = load(text);
		assert_int_equal(difference_check(faults, running, wanted), 1);
		assert_non_null(strstr(
		    config_faults_text(faults, 0), "ring.memory: another needs new sockets"));
	}
}

static void interfaces_are_told_apart_by_name(void **state)
{
	(void)state;
	running = load(in_force);
	wanted =
	    load("interfaces:\n- {name: b, workers: 1}\n- {name: a, workers: 2, cpus: [1, 2]}\n");
	assert_int_equal(difference_check(faults, running, wanted), 0);
	assert_true(difference_in(running, wanted, RELOAD_NOW));
	config_free(wanted);
	wanted = load("interfaces:\n- {name: b, workers: 3}\n- {name: c, workers: 2}\n");
	assert_true(difference_in(running, wanted, RELOAD_NEW_SOCKETS));
	/* One that comes and one that goes are no fault. */
	assert_int_equal(difference_check(faults, running, wanted), 0);
}

static void what_is_applied_is_in_force_and_the_rest_is_there_to_be_freed(void **state)
{
	const struct interface_config *before, *after;
	const char *sensor;

	(void)state;
	running = load(in_force);
	before = running->interfaces;
	sensor = running->sensor;
	wanted = load("interfaces:\n- {name: b, workers: 1, missing: refuse}\n"
		      "- {name: a, workers: 2, cpus: [1, 2]}\n"
		      "capture: {filter: ip}\nreport: {interval: 2s}\noutput: {name: x}\n");
	after = wanted->interfaces;
	difference_apply(running, wanted);
	assert_string_equal(running->capture.filter, "ip");
	assert_string_equal(running->output.name, "x");
	assert_int_equal(running->report.interval, 2000000000);
	assert_int_equal(difference_find(running, "a")->cpu_count, 2);
	assert_int_equal(difference_find(running, "b")->missing, MISSING_REFUSE);
	/* As they were read, and where they were: others may point to them before. */
	assert_ptr_equal(running->interfaces, after);
	assert_ptr_equal(wanted->interfaces, before);
	assert_ptr_equal(running->sensor, sensor);
	assert_string_equal(wanted->capture.filter, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_setting_is_treated_as_the_table_says, forget),
		cmocka_unit_test_teardown(
		    what_no_reload_can_change_is_named_where_it_stands, forget),
		cmocka_unit_test_teardown(a_group_of_the_kernels_own_mode_keeps_it, forget),
		cmocka_unit_test_teardown(interfaces_are_told_apart_by_name, forget),
		cmocka_unit_test_teardown(
		    what_is_applied_is_in_force_and_the_rest_is_there_to_be_freed, forget),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
