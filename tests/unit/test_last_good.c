/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/cleanup.h"
#include "config/loader.h"
#include "supervisor/keeper.h"
#include "supervisor/last_good.h"
#include "supervisor/premises.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64], file[96], program[96], run[96], copy[128], kept_program[128];
static struct config *chosen;
static bool has_rings;

bool __wrap_keeper_finds_rings(void);
bool __wrap_keeper_finds_rings(void)
{
	return has_rings;
}

static int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/fancap-last-good-XXXXXX");
	if (!mkdtemp(home))
		return -1;
	snprintf(file, sizeof(file), "%s/s.yaml", home);
	snprintf(program, sizeof(program), "%s/p", home);
	snprintf(run, sizeof(run), "%s/run", home);
	snprintf(copy, sizeof(copy), "%s/s.yaml", run);
	snprintf(kept_program, sizeof(kept_program), "%s/fanout.program", run);
	return mkdir(run, 0700);
}

static int remove_home(void **state)
{
	(void)state;
	(void)unlink(file);
	(void)unlink(program);
	return rmdir(run) < 0 ? -1 : rmdir(home);
}

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static struct config *read_config(const char *more)
{
	struct config_faults *faults = NULL;
	struct config *config = NULL;
	char text[512];

	snprintf(text, sizeof(text),
	    "interfaces: [{name: a, workers: 2}]\n"
	    "ring: {memory: 1MiB, block_size: 128KiB}\n"
	    "output: {directory: %s}\n%s\n",
	    home, more);
	write_file(file, text);
	(void)config_load(&config, file, NULL, &faults);
	config_faults_free(faults);
	return config;
}

/* As an earlier life leaves it that captured by this. */
static void live(const char *more, uint32_t pid)
{
	struct config *config = read_config(more);
	struct premises premises;
	enum exit_step step;

	assert_non_null(config);
	assert_int_equal(premises_open(&premises, config, run, PREMISES_ANEW, &step), 0);
	last_good_keep(premises.runtime, config);
	atomic_store(&ledger_header(premises.ledger)->pid, pid);
	premises_close(&premises);
	config_free(config);
}

/* What the next one begins with, once the file says more, or other. */
static enum config_source choose(const char *more)
{
	config_free(chosen);
	chosen = read_config(more);
	return last_good_choose(&chosen, file, run);
}

static int set_up(void **state)
{
	(void)state;
	has_rings = true;
	return 0;
}

static int tear_down(void **state)
{
	int runtime = open(run, O_DIRECTORY | O_CLOEXEC);
	char sensor[] = "s";

	(void)state;
	last_good_forget(runtime, &(const struct config) { .sensor = sensor });
	(void)unlinkat(runtime, "ledger", 0);
	close(runtime);
	config_free(chosen);
	chosen = NULL;
	return 0;
}

static const char nonsense[] = "capture: {no: such}";

static void it_is_kept_as_it_was_read_and_nobody_else_may_read_it(void **state)
{
	struct config *config = read_config("report: {interval: 3s} # so");
	int runtime = open(run, O_DIRECTORY | O_CLOEXEC);
	struct stat status;
	char text[512] = "";
	FILE *stream;

	(void)state;
	assert_non_null(config);
	last_good_keep(runtime, config);
	assert_int_equal(stat(copy, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	stream = fopen(copy, "r");
	assert_non_null(stream);
	assert_int_equal(fread(text, 1, sizeof(text), stream), config->length);
	fclose(stream);
	assert_memory_equal(text, config->text, config->length);
	last_good_forget(runtime, config);
	assert_int_equal(stat(copy, &status), -1);
	close(runtime);
	config_free(config);
}

static void a_faulty_file_is_gone_on_without(void **state)
{
	(void)state;
	live("report: {interval: 3s}", 77);
	assert_int_equal(choose(nonsense), CONFIG_IS_INSTEAD_OF_IT);
	assert_non_null(chosen);
	assert_string_equal(chosen->sensor, "s");
	assert_int_equal(chosen->report.interval, 3000000000);
	(void)unlink(file);
	config_free(chosen);
	chosen = NULL;
	assert_int_equal(last_good_choose(&chosen, file, run), CONFIG_IS_INSTEAD_OF_IT);
}

static void without_rings_a_faulty_file_is_no_configuration(void **state)
{
	(void)state;
	live("", 77);
	has_rings = false;
	assert_int_equal(choose(nonsense), CONFIG_IS_FILE);
	assert_null(chosen);
}

static void what_others_may_have_written_is_no_copy(void **state)
{
	(void)state;
	live("", 77);
	assert_int_equal(chmod(copy, 0620), 0);
	assert_int_equal(choose(nonsense), CONFIG_IS_FILE);
	assert_null(chosen);
}

static void the_same_file_is_used(void **state)
{
	(void)state;
	live("report: {interval: 3s}", 77);
	assert_int_equal(choose("report: {interval: 3s}"), CONFIG_IS_FILE);
	assert_non_null(chosen);
}

/* It is taken up as by a reload, or refused like one. */
static void another_file_comes_after_what_the_rings_were_made_by(void **state)
{
	static const char *const others[] = {
		"capture: {filter: udp}",
		"capture: {direction: in}",
		"capture: {link: cooked}",
	};

	(void)state;
	live("", 77);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(choose(others[i]), CONFIG_IS_BEFORE_FILE);
		assert_string_equal(chosen->capture.filter, "");
		assert_int_equal(chosen->capture.direction, DIRECTION_BOTH);
		assert_int_equal(chosen->capture.link, LINK_AUTO);
	}
}

static void a_restart_takes_up_what_no_reload_can(void **state)
{
	(void)state;
	live("", 0);
	assert_int_equal(choose("capture: {filter: udp}"), CONFIG_IS_BEFORE_FILE);
	assert_string_equal(chosen->capture.filter, "");
	assert_int_equal(choose("capture: {direction: in}"), CONFIG_IS_FILE);
	assert_int_equal(chosen->capture.direction, DIRECTION_IN);
	assert_int_equal(choose("capture: {link: cooked}"), CONFIG_IS_FILE);
	assert_int_equal(chosen->capture.link, LINK_COOKED);
}

/* Another ledger's rings are drained, and nobody goes on with them. */
static void where_the_ledger_is_of_another_the_file_is_used(void **state)
{
	struct config *before;
	int runtime = open(run, O_DIRECTORY | O_CLOEXEC);

	(void)state;
	live("", 77);
	before = read_config("capture: {link: cooked}");
	last_good_keep(runtime, before);
	assert_int_equal(choose("capture: {filter: udp}"), CONFIG_IS_FILE);
	close(runtime);
	config_free(before);
}

static void its_program_is_kept_too(void **state)
{
	int runtime = open(run, O_DIRECTORY | O_CLOEXEC);
	char more[200];

	(void)state;
	snprintf(more, sizeof(more), "fanout: {mode: program, program: %s}", program);
	write_file(program, "2,32 0 0 4294963256,22 0 0 0\n");
	live(more, 77);
	(void)unlink(program);
	assert_int_equal(choose(nonsense), CONFIG_IS_INSTEAD_OF_IT);
	assert_string_equal(chosen->fanout.program, kept_program);
	assert_int_equal(access(kept_program, R_OK), 0);
	/* And once more, from itself. */
	last_good_keep(runtime, chosen);
	assert_int_equal(choose(nonsense), CONFIG_IS_INSTEAD_OF_IT);
	assert_int_equal(chosen->fanout.mode, FANOUT_PROGRAM);
	assert_int_equal(access(kept_program, R_OK), 0);
	close(runtime);
}

int main(void)
{
#define LAST_GOOD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LAST_GOOD_TEST(it_is_kept_as_it_was_read_and_nobody_else_may_read_it),
		LAST_GOOD_TEST(a_faulty_file_is_gone_on_without),
		LAST_GOOD_TEST(without_rings_a_faulty_file_is_no_configuration),
		LAST_GOOD_TEST(what_others_may_have_written_is_no_copy),
		LAST_GOOD_TEST(the_same_file_is_used),
		LAST_GOOD_TEST(another_file_comes_after_what_the_rings_were_made_by),
		LAST_GOOD_TEST(a_restart_takes_up_what_no_reload_can),
		LAST_GOOD_TEST(where_the_ledger_is_of_another_the_file_is_used),
		LAST_GOOD_TEST(its_program_is_kept_too),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
