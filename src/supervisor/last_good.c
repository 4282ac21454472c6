/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/last_good.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "config/difference.h"
#include "config/faults.h"
#include "config/loader.h"
#include "config/workers.h"
#include "supervisor/journal.h"
#include "supervisor/keeper.h"
#include "supervisor/premises.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LENGTH = 64, PROGRAM_MOST = 1 << 20 };
static const char program_name[] = "fanout.program";

DEFINE_CLEANUP(struct config *, config_free)
DEFINE_CLEANUP(struct ledger *, ledger_close)

/* As the sensor's own file is called, so that it is read as that is. */
static void name_copy(char name[NAME_LENGTH], const char *sensor)
{
	snprintf(name, NAME_LENGTH, "%.*s.yaml", SENSOR_NAME_LENGTH, sensor);
}

/* ---- keeping ----------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0)
			return -errno;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Beside it and moved over it: there is always a whole one. */
static int write_file(int runtime, const char *name, const char *text, size_t length)
{
	char beside[NAME_LENGTH + 8];
	CLEANUP(close_at) int fd = -1;
	int r;

	snprintf(beside, sizeof(beside), "%s.new", name);
	(void)unlinkat(runtime, beside, 0);
	fd = openat(runtime, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, length);
	if (r == 0 && renameat(runtime, beside, runtime, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(runtime, beside, 0);
	return r;
}

/* Read before it is written, as it may be the copy itself. */
static int copy_program(int runtime, const char *path)
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(free_at) char *text = malloc(PROGRAM_MOST);
	size_t length = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	while (length < PROGRAM_MOST && (n = read(fd, text + length, PROGRAM_MOST - length)) > 0)
		length += (size_t)n;
	if (n < 0)
		return -errno;
	return length < PROGRAM_MOST ? write_file(runtime, program_name, text, length) : -EFBIG;
}

void last_good_keep(int runtime, const struct config *config)
{
	char name[NAME_LENGTH];
	int r = 0;

	name_copy(name, config->sensor);
	if (config->fanout.mode == FANOUT_PROGRAM)
		r = copy_program(runtime, config->fanout.program);
	if (r >= 0)
		r = write_file(runtime, name, config->text, config->length);
	if (r < 0)
		(void)log_failure(r,
		    "cannot keep a copy of the configuration in the runtime directory; without it "
		    "a restart with a faulty file loses what is in the rings");
}

void last_good_forget(int runtime, const struct config *config)
{
	char name[NAME_LENGTH];

	name_copy(name, config->sensor);
	(void)unlinkat(runtime, name, 0);
	(void)unlinkat(runtime, program_name, 0);
}

/* ---- choosing ---------------------------------------------------------------------------- */

/* Nobody else may have written to it. */
static bool is_our_own(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	       !(status.st_mode & (S_IWGRP | S_IWOTH));
}

static int recall_program(struct config *config, const char *directory)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, program_name) < 0)
		return -ENOMEM;
	if (!is_our_own(path)) {
		free(path);
		return 0;
	}
	free(config->fanout.program);
	config->fanout.program = path;
	return 0;
}

/* Checked only as far as reading goes: it was found good, and is in force. */
static int load(struct config **ret_config, const char *directory, const char *path)
{
	CLEANUP(config_free_at) struct config *config = NULL;
	CLEANUP(free_at) char *copy = NULL;
	struct config_faults *faults = NULL;
	char sensor[SENSOR_NAME_LENGTH + 1], name[NAME_LENGTH];
	int r = config_sensor(path, sensor);

	if (r < 0)
		return r;
	name_copy(name, sensor);
	if (asprintf(&copy, "%s/%s", directory, name) < 0) {
		copy = NULL;
		return -ENOMEM;
	}
	if (!is_our_own(copy))
		return -ENOENT;
	r = config_load(&config, copy, NULL, &faults);
	config_faults_free(faults);
	if (r >= 0 && config->fanout.mode == FANOUT_PROGRAM)
		r = recall_program(config, directory);
	if (r < 0)
		return r;
	workers_settle(config);
	*ret_config = TAKE(config);
	return 0;
}

static bool can_reload(const struct config *running, const struct config *wanted)
{
	struct config_faults *faults = calloc(1, sizeof(*faults));
	bool can = false;

	if (faults) {
		faults->path = "";
		can = difference_check(faults, running, wanted) == 0;
	}
	config_faults_free(faults);
	return can;
}

static bool is_same(const struct config *a, const struct config *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Whether to go on by the last good one, where the file says something else. */
static bool is_gone_on_with(
    const struct config *last, struct config *file, const char *runtime_directory)
{
	CLEANUP(close_at) int runtime = open(runtime_directory, O_DIRECTORY | O_CLOEXEC);
	CLEANUP(ledger_close_at) struct ledger *ledger = NULL;

	if (runtime < 0 || ledger_open(&ledger, runtime) < 0 || !premises_fit(ledger, last))
		return false;
	/* Who was killed did not ask for a restart, which takes up what no reload can. */
	if (atomic_load(&ledger_header(ledger)->pid) != 0)
		return true;
	workers_settle(file);
	return premises_fit(ledger, file) && can_reload(last, file);
}

enum config_source last_good_choose(
    struct config **config, const char *path, const char *runtime_directory)
{
	CLEANUP(config_free_at) struct config *last = NULL;
	enum config_source source = *config ? CONFIG_IS_BEFORE_FILE : CONFIG_IS_INSTEAD_OF_IT;

	if (!keeper_finds_rings() || load(&last, runtime_directory, path) < 0)
		return CONFIG_IS_FILE;
	if (*config &&
	    (is_same(last, *config) || !is_gone_on_with(last, *config, runtime_directory)))
		return CONFIG_IS_FILE;
	config_free(*config);
	*config = TAKE(last);
	return source;
}

bool last_good_is_missed(const char *path)
{
	if (!keeper_finds_rings())
		return false;
	log_line(LOG_ERR,
	    "%s is faulty, as is told above, and of the last good configuration there is no copy: "
	    "nobody captures until it is mended, but the rings of before are kept, and gone on "
	    "with then",
	    path);
	return true;
}

void last_good_tell(const char *path)
{
	const struct journal_about about = { 0 };

	journal_event(EVENT_LAST_GOOD, &about,
	    "%s is faulty, as is told above: the rings of before are gone on with, by the last "
	    "good configuration; a reload takes the file up once it is mended",
	    path);
}
