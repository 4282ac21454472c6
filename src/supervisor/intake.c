/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/intake.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/link.h"
#include "supervisor/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What a start may take for one filter, on a machine that is busy. */
static const uint64_t filter_extension_us = 30000000;

static int prepare_filter(struct intake *intake, const struct capture_config *capture,
    const struct place *place, const struct link_state *link)
{
	CLEANUP(free_at) char *reason = NULL;
	int r;

	/* It may take some seconds, but not more: filter_check() has seen to that. */
	if (capture->filter[0])
		report_notify("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, filter_extension_us);
	r = filter_compile_live(&intake->filter, place, capture, link, &reason);
	if (r < 0)
		log_line(LOG_ERR, "capture.filter: %s: %s", capture->filter,
		    reason ? reason : strerror(-r));
	return r;
}

static int prepare_program(struct intake *intake, const struct fanout_config *fanout,
    uint32_t members, const struct link_state *link)
{
	int r;

	if (!program_runs(fanout->mode))
		return 0;
	r = program_make(&intake->program, fanout, link_header_length(link->arphrd));
	if (r >= 0)
		r = program_bind(&intake->program, members);
	/* It was good when the configuration was read. */
	if (r < 0 && fanout->mode == FANOUT_PROGRAM)
		return log_failure(r, "fanout.program: %s: is good no more", fanout->program);
	return r < 0 ? log_failure(r, "cannot put the program of fanout.mode together") : 0;
}

static void release_programs(struct intake *intake)
{
	filter_release(&intake->filter);
	program_release(&intake->program);
}

int intake_compile(struct intake *intake, const struct config *config, uint32_t members,
    const struct place *place, const struct link_state *link)
{
	int r;

	release_programs(intake);
	intake->members = members;
	r = prepare_program(intake, &config->fanout, members, link);
	return r < 0 ? r : prepare_filter(intake, &config->capture, place, link);
}

int intake_prepare(struct intake *intake, const struct config *config, const char *interface,
    uint32_t members, const struct place *place, const struct link_state *link)
{
	int r = intake_compile(intake, config, members, place, link);

	if (r >= 0 && config->capture.timestamp == TIMESTAMP_HARDWARE)
		r = stamping_begin(&intake->stamping, place, interface);
	return r;
}

int intake_share_out(const struct intake *intake, int fd)
{
	return intake->program.count > 0 ? program_attach(fd, &intake->program) : 0;
}

int intake_share_among(const struct intake *intake, int fd, uint32_t members)
{
	struct program narrow = { 0 };
	int r;

	if (intake->program.count == 0 || members >= intake->members)
		return intake_share_out(intake, fd);
	r = program_narrow(&narrow, &intake->program, members);
	if (r >= 0)
		r = program_attach(fd, &narrow);
	program_release(&narrow);
	return r;
}

static bool is_same(const struct sock_filter *a, size_t count, const struct sock_filter *b)
{
	return count == 0 || memcmp(a, b, count * sizeof(*a)) == 0;
}

bool intake_has_filter(const struct intake *intake, const struct filter *filter)
{
	return intake->filter.count == filter->count &&
	       is_same(intake->filter.instructions, filter->count, filter->instructions);
}

bool intake_has_program(const struct intake *intake, const struct program *program)
{
	return intake->program.count == program->count &&
	       is_same(intake->program.instructions, program->count, program->instructions);
}

void intake_exchange(struct intake *intake, struct intake *other)
{
	const struct filter filter = intake->filter;
	const struct program program = intake->program;
	const uint32_t members = intake->members;

	intake->filter = other->filter;
	intake->program = other->program;
	intake->members = other->members;
	other->filter = filter;
	other->program = program;
	other->members = members;
}

void intake_release(struct intake *intake)
{
	release_programs(intake);
	stamping_end(&intake->stamping);
}

void intake_leave(struct intake *intake)
{
	release_programs(intake);
	stamping_leave(&intake->stamping);
}
