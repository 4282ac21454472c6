/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/premises.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/geometry.h"
#include "capture/program.h"
#include "config/workers.h"
#include "ledger/roster.h"
#include "supervisor/legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Room that must be there for a start: less, and the first file would be cut at once. */
enum { PROBE_SIZE = 64 * 1024 };
/* A killed worker is gone once its write has ended; the unit allows 90 s for a start. */
static const uint64_t stage_patience_ns = 30 * NSEC_PER_SEC;
enum { STAGE_LOOK_US = 5000 };

static int open_runtime(struct premises *premises, const char *path)
{
	struct statfs status;

	premises->runtime = open(path, O_DIRECTORY | O_CLOEXEC);
	if (premises->runtime < 0)
		return log_failure(-errno,
		    "runtime directory %s: cannot open it (the unit makes it; by hand, make "
		    "it and name it with --runtime-directory)",
		    path);
	if (fstatfs(premises->runtime, &status) == 0 && status.f_type != TMPFS_MAGIC)
		log_line(LOG_WARNING,
		    "runtime directory %s: not on a tmpfs, so that each packet costs more; /run "
		    "or /dev/shm would be right",
		    path);
	return 0;
}

/* The lock is the directory's own, so that no file is left of it. */
static int lock_runtime(struct premises *premises, const char *path)
{
	struct ledger *ledger = NULL;
	unsigned int holder = 0;

	if (flock(premises->runtime, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (ledger_open(&ledger, premises->runtime) == 0)
		holder = atomic_load(&ledger_header(ledger)->pid);
	ledger_close(ledger);
	log_line(LOG_ERR,
	    "runtime directory %s: process %u runs this sensor already; one is enough", path,
	    holder);
	return -EBUSY;
}

static const char *output_remedy(int error)
{
	switch (error) {
	case ENOENT:
		return "make it, owned by the user that fancapd runs as";
	case EROFS:
		return "name it in ReadWritePaths= of a drop-in for the unit, or mount it writable";
	case EACCES:
	case EPERM:
		return "it must belong to the user that fancapd runs as";
	case ENOSPC:
	case EDQUOT:
		return "make room first";
	default:
		return "a directory on a local disk would be right";
	}
}

/* Writes for a moment where the files will be: a full or foreign disk shows now, not later. */
static int probe_output(int directory)
{
	static const char nothing[PROBE_SIZE];
	char name[40];
	CLEANUP(close_at) int fd = -1;
	int r = 0;

	snprintf(name, sizeof(name), ".fancap-probe-%d", (int)getpid());
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (write(fd, nothing, sizeof(nothing)) != (ssize_t)sizeof(nothing))
		r = errno ? -errno : -ENOSPC;
	else if (fdatasync(fd) < 0)
		r = -errno;
	(void)unlinkat(directory, name, 0);
	return r;
}

static int open_output(struct premises *premises, const char *path)
{
	int r = 0;

	premises->output = open(path, O_DIRECTORY | O_CLOEXEC);
	if (premises->output < 0)
		r = -errno;
	else
		r = probe_output(premises->output);
	if (r < 0)
		return log_failure(
		    r, "output.directory: %s: cannot write there (%s)", path, output_remedy(-r));
	return 0;
}

int premises_check_memory(const struct ring_config *ring, uint64_t stage, uint64_t workers)
{
	struct geometry geometry;
	const struct geometry_rule *rule = NULL;
	uint64_t free = memory_available(), sum, bound;
	int r = geometry_plan(&geometry, ring, &rule);

	if (r < 0) {
		log_line(LOG_ERR, "%s: %s", rule->key, rule->text);
		return r;
	}
	sum = workers * (geometry_memory(&geometry) + stage);
	bound = ring->memory_is_default ? free / 2 : free;
	if (free == 0 || sum <= bound)
		return 0;
	log_line(LOG_ERR,
	    "ring.memory: %" PRIu64 " workers with rings and stages take %" PRIu64
	    " MiB, but %" PRIu64
	    " MiB are available%s; fewer workers or a smaller ring.memory would "
	    "be right",
	    workers, sum >> 20, free >> 20,
	    ring->memory_is_default ? ", and the default takes no more than half of them" : "");
	return -EINVAL;
}

static int check_memory(const struct config *config)
{
	return premises_check_memory(&config->ring, config->output.stage, workers_count(config));
}

/* Every worker needs several, and the usual soft limit is for programs that use select(2). */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Where that is refused, opening what is too much tells it. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* By a number within the interface, which at first is the worker's. */
static void name_stage(const struct premises *premises, size_t slot, struct ledger_stage *ret_stage)
{
	const struct ledger *ledger = premises->ledger;
	const struct ledger_interface *interface =
	    ledger_interface(ledger, ledger_slot(ledger, slot)->interface);

	*ret_stage = (struct ledger_stage) { .worker = ledger_slot(ledger, slot)->worker };
	snprintf(ret_stage->interface, sizeof(ret_stage->interface), "%s", interface->name);
	snprintf(ret_stage->file, sizeof(ret_stage->file), "stage.%.64s.%" PRIu32, interface->name,
	    (uint32_t)slot - interface->first_slot);
}

/* Its owner alone may have written to it, and it holds what the ledger speaks of. */
static bool is_stage(const struct stat *status, uint64_t size)
{
	return S_ISREG(status->st_mode) && status->st_size == (off_t)size &&
	       status->st_uid == geteuid() && !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static bool has_stages_of(const struct premises *premises, const struct ledger_run *run)
{
	const uint64_t size = ledger_header(premises->ledger)->terms.stage_size;

	for (uint32_t i = 0; i < run->count; i++) {
		struct ledger_stage stage;
		struct stat status;

		name_stage(premises, run->first + i, &stage);
		if (fstatat(premises->runtime, stage.file, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !is_stage(&status, size))
			return false;
	}
	return true;
}

/* Of those who will be gone on with: see ledger_change. */
static bool has_all_stages(const struct premises *premises)
{
	const struct ledger *ledger = premises->ledger;

	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);
		uint32_t change = atomic_load(&interface->change);

		if (!roster_has(interface))
			continue;
		if ((change != CHANGE_SETTLES && !has_stages_of(premises, &interface->serving)) ||
		    ((change == CHANGE_MOVES || change == CHANGE_SETTLES) &&
			!has_stages_of(premises, &interface->next)))
			return false;
	}
	return true;
}

static bool is_possible(const struct ledger *ledger, const struct ledger_run *run)
{
	const struct ring_config ring = premises_ring_of(&ledger_slot(ledger, run->first)->ring);
	const struct geometry_rule *rule;
	struct geometry geometry;

	return geometry_plan(&geometry, &ring, &rule) == 0;
}

/* Of those who will be gone on with, which have one for all of an interface. */
static bool has_possible_rings(const struct ledger *ledger)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);
		const uint32_t change = atomic_load(&interface->change);

		if (!roster_has(interface))
			continue;
		if ((change != CHANGE_SETTLES && !is_possible(ledger, &interface->serving)) ||
		    (change >= CHANGE_MOVES && !is_possible(ledger, &interface->next)))
			return false;
	}
	return true;
}

bool premises_are_sound(const struct ledger *ledger)
{
	return ledger_is_sound(ledger) && has_possible_rings(ledger);
}

/* Whether there is something to go on with: a life that ended in order left nothing. */
static bool adopt_ledger(struct premises *premises, const struct ledger_shape *shape)
{
	if (ledger_adopt(&premises->ledger, premises->runtime, shape) < 0)
		return false;
	if (atomic_load(&ledger_header(premises->ledger)->state) != STATE_GONE &&
	    has_possible_rings(premises->ledger) && has_all_stages(premises))
		return true;
	ledger_close(TAKE(premises->ledger));
	return false;
}

static int settle_ledger(struct premises *premises, const struct ledger_shape *shape,
    const char *path, enum premises_start start)
{
	int r = legacy_open(&premises->legacy);

	premises->goes_on = start != PREMISES_ANEW && adopt_ledger(premises, shape);
	if (r < 0 || premises->goes_on)
		return r;
	/* Of a ledger that was made in between nobody would be missed. */
	if (start == PREMISES_ONLY_ON)
		return -ESTALE;
	r = legacy_set_aside(premises->legacy, premises->runtime);
	if (r < 0)
		return r;
	r = ledger_create(&premises->ledger, premises->runtime, shape);
	if (r < 0)
		return log_failure(r,
		    "runtime directory %s: cannot make the ledger in it; it must be writable, with "
		    "room on it",
		    path);
	return 0;
}

struct ledger_ring premises_ring(const struct ring_config *ring)
{
	return (struct ledger_ring) { ring->memory, ring->block_size, ring->retire_timeout };
}

struct ring_config premises_ring_of(const struct ledger_ring *ring)
{
	return (struct ring_config) { .memory = ring->memory,
		.block_size = ring->block_size,
		.retire_timeout = ring->retire_timeout_ns };
}

static struct ledger_terms terms_of(const struct config *config)
{
	return (struct ledger_terms) {
		.stage_size = config->output.stage,
		.link = config->capture.link,
		.timestamp = config->capture.timestamp,
		.promiscuous = config->capture.promiscuous,
		/* One program takes another's place. */
		.fanout = program_runs(config->fanout.mode) ? (uint64_t)FANOUT_PROGRAM
							    : config->fanout.mode,
		.rollover = config->fanout.rollover,
	};
}

/* For those that take over before the first leave: twice as many, and some where there are few. */
static size_t spare_slots(uint64_t workers)
{
	enum { SPARE_LEAST = 8 };

	return (size_t)MOST(2 * workers, (uint64_t)SPARE_LEAST);
}

/* Any of those that the sensor has: what is asked of it is the same for all. */
static const struct ledger_interface *first_interface(const struct ledger *ledger)
{
	uint32_t i = 0;

	while (!roster_has(ledger_interface(ledger, i)))
		i++;
	return ledger_interface(ledger, i);
}

void premises_recall(struct config *config, const struct ledger *ledger)
{
	const struct ledger_terms *terms = &ledger_header(ledger)->terms;
	const uint32_t slot = ledger_last_run(first_interface(ledger))->first;
	uint32_t file = atomic_load(&ledger_worker(ledger, slot)->file_terms);

	config->ring = premises_ring_of(&ledger_slot(ledger, slot)->ring);
	if (file != 0) {
		config->capture.snaplen = file >> 1;
		config->output.resolution = file & 1 ? RESOLUTION_US : RESOLUTION_NS;
	}
	config->output.stage = terms->stage_size;
	config->capture.link = (unsigned int)terms->link;
	config->capture.timestamp = (unsigned int)terms->timestamp;
	config->capture.promiscuous = terms->promiscuous != 0;
	config->fanout.mode = (unsigned int)terms->fanout;
	config->fanout.rollover = terms->rollover != 0;
}

/* `interfaces` has room for all of them, and is the shape's from here on. */
static struct ledger_shape shape_of(
    const struct config *config, struct ledger_shape_interface *interfaces)
{
	/* For those that a reload adds, or that are put in the place of others, one after the
	 * other. */
	enum { SPARE_INTERFACES = 8, SPARE_WORKERS_MOST = 32 };
	uint64_t most = 0;

	for (size_t i = 0; i < config->interface_count; i++) {
		most = MOST(most, config->interfaces[i].workers);
		interfaces[i] = (struct ledger_shape_interface) { config->interfaces[i].name,
			(size_t)config->interfaces[i].workers,
			spare_slots(config->interfaces[i].workers) };
	}
	/* Some MiB of memory at most. */
	most = LEAST(most, (uint64_t)SPARE_WORKERS_MOST);
	return (struct ledger_shape) {
		.sensor = config->sensor,
		.interface_count = config->interface_count,
		.interfaces = interfaces,
		.output = config->output.directory,
		.terms = terms_of(config),
		.ring = premises_ring(&config->ring),
		.is_fixed = !program_runs(config->fanout.mode) || config->fanout.rollover,
		.spare_interfaces = SPARE_INTERFACES,
		.spare_slots = (size_t)most + spare_slots(most),
	};
}

bool premises_fit(const struct ledger *ledger, const struct config *config)
{
	CLEANUP(free_at)
	struct ledger_shape_interface *interfaces =
	    calloc(config->interface_count, sizeof(*interfaces));
	struct ledger_shape shape;

	if (!interfaces)
		return false;
	shape = shape_of(config, interfaces);
	return ledger_is_of_shape(ledger, &shape);
}

static int open_ledger(struct premises *premises, const struct config *config, const char *path,
    enum premises_start start)
{
	CLEANUP(free_at)
	struct ledger_shape_interface *interfaces =
	    calloc(config->interface_count, sizeof(*interfaces));
	struct ledger_shape shape;

	if (!interfaces)
		return log_failure(-ENOMEM, "cannot plan the ledger");
	shape = shape_of(config, interfaces);
	return settle_ledger(premises, &shape, path, start);
}

/* Without it all works, but for a machine that swaps. */
static void lock_ledger(const struct premises *premises, const char *path)
{
	uint64_t size = ledger_header(premises->ledger)->size;
	int r = ledger_lock(premises->ledger);

	if (r < 0)
		log_line(LOG_WARNING,
		    "runtime directory %s: cannot keep the ledger's %" PRIu64
		    " KiB out of the swap: %s; a worker that is killed while it waits for it there "
		    "would lose a count; a larger LimitMEMLOCK= (ulimit -l) would be right",
		    path, size >> 10, strerror(-r));
}

int premises_open(struct premises *ret_premises, const struct config *config,
    const char *runtime_directory, enum premises_start start, enum exit_step *ret_step)
{
	struct premises premises = { .runtime = -1, .output = -1 };
	int r;

	allow_descriptors();
	*ret_step = STEP_PLAN;
	/* What is gone on with has its memory already, and no more is free than beside that. */
	r = start == PREMISES_ANEW ? check_memory(config) : 0;
	if (r >= 0) {
		*ret_step = STEP_OUTPUT;
		r = open_output(&premises, config->output.directory);
	}
	if (r >= 0) {
		*ret_step = STEP_RUNTIME;
		r = open_runtime(&premises, runtime_directory);
	}
	if (r >= 0)
		r = lock_runtime(&premises, runtime_directory);
	if (r >= 0)
		catalog_open(&premises.catalog, premises.output, premises.runtime);
	if (r >= 0)
		r = open_ledger(&premises, config, runtime_directory, start);
	if (r >= 0)
		lock_ledger(&premises, runtime_directory);
	if (r < 0) {
		premises_close(&premises);
		return r;
	}
	*ret_premises = premises;
	return 0;
}

static int make_stage(
    const struct premises *premises, size_t slot, const struct ledger_stage *stage)
{
	CLEANUP(close_at) int fd = -1;
	int r;

	/* Anew for each life of the service: nobody else holds it, since the lock is ours. */
	(void)unlinkat(premises->runtime, stage->file, 0);
	fd = openat(premises->runtime, stage->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return log_failure(
		    -errno, "%s: cannot make its stage in the runtime directory", stage->interface);
	r = -posix_fallocate(fd, 0, (off_t)stage->size);
	/* Shared with the worker, so that it is held until both of them are gone. */
	if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(premises->runtime, stage->file, 0);
		return log_failure(r,
		    "%s: cannot take %" PRIu64
		    " MiB for a stage in the runtime directory; a larger "
		    "tmpfs or a smaller output.stage would be right",
		    stage->interface, stage->size >> 20);
	}
	/* In the ledger too, where a later version finds it. */
	ledger_worker(premises->ledger, slot)->stage = *stage;
	return TAKE_FD(fd);
}

/* Two workers never write one file: the earlier one has the lock for as long as it lives. */
static int await_stage(int fd)
{
	const uint64_t deadline_ns = clock_monotonic_ns() + stage_patience_ns;

	while (!LACKS(LOCK) && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_monotonic_ns() >= deadline_ns)
			return -EBUSY;
		usleep(STAGE_LOOK_US);
	}
	return 0;
}

static int open_stage(const struct premises *premises, const struct ledger_stage *stage)
{
	CLEANUP(close_at)
	int fd =
	    openat(premises->runtime, stage->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	int r = fd < 0 || fstat(fd, &status) < 0 ? -errno : 0;

	if (r == 0 && !is_stage(&status, stage->size))
		r = -EBADMSG;
	if (r == 0)
		r = await_stage(fd);
	if (r < 0)
		return log_failure(r,
		    "%s: cannot go on with the stage of worker %u, %s in the runtime directory; a "
		    "process of an earlier life must have ended first",
		    stage->interface, stage->worker, stage->file);
	return TAKE_FD(fd);
}

void premises_drop_stage(const struct premises *premises, size_t slot)
{
	CLEANUP(close_at) int fd = -1;
	struct ledger_stage stage;

	name_stage(premises, slot, &stage);
	fd = openat(premises->runtime, stage.file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	(void)await_stage(fd);
	(void)unlinkat(premises->runtime, stage.file, 0);
}

void premises_free_slots(const struct premises *premises, const struct ledger_run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		const struct ledger_run one = { run->first + i, 1 };
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(premises->ledger, one.first), &commit) < 0 ||
		    counters_are_settled(&commit.counters))
			ledger_free_run(premises->ledger, &one);
	}
}

int premises_stage(
    const struct premises *premises, size_t slot, uint64_t size, enum premises_start start)
{
	struct ledger_stage stage;

	name_stage(premises, slot, &stage);
	stage.size = size;
	return start == PREMISES_GO_ON ? open_stage(premises, &stage)
				       : make_stage(premises, slot, &stage);
}

void premises_enter_terms(const struct premises *premises, const struct config *config)
{
	ledger_header(premises->ledger)->terms = terms_of(config);
}

void premises_remove_stage(const struct premises *premises, size_t slot)
{
	struct ledger_stage stage;

	name_stage(premises, slot, &stage);
	(void)unlinkat(premises->runtime, stage.file, 0);
}

void premises_remove_ledger(const struct premises *premises)
{
	(void)unlinkat(premises->runtime, "ledger", 0);
}

void premises_close(struct premises *premises)
{
	legacy_close(TAKE(premises->legacy));
	catalog_release(&premises->catalog);
	ledger_close(TAKE(premises->ledger));
	close_at(&premises->output);
	close_at(&premises->runtime);
}
