/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which fault point ends a process, and when: FANCAP_FAULT=NAME:SIGNAL:FIRST:STEP:TIMES in the
 * daemon's environment.  Passings are counted over all its processes and their successors: the
 * FIRST one dies, and from there every STEPth, TIMES in all.  FANCAP_FAULT=list prints the names.
 *
 * FANCAP_LACKS="NAME..." does without some of what a restart relies on.
 */
#include "base/fault.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *const names[FAULT_COUNT_] = {
	[FAULT_LEASED] = "leased",
	[FAULT_APPENDING] = "appending",
	[FAULT_APPENDED] = "appended",
	[FAULT_STATISTICS_READ] = "statistics_read",
	[FAULT_COMMITTING] = "committing",
	[FAULT_COMMITTED] = "committed",
	[FAULT_BLOCK_DONE] = "block_done",
	[FAULT_RELEASED] = "released",
	[FAULT_WRITING] = "writing",
	[FAULT_WRITTEN] = "written",
	[FAULT_FLUSHED] = "flushed",
	[FAULT_TAIL_WRITTEN] = "tail_written",
	[FAULT_NAME_MEANT] = "name_meant",
	[FAULT_FILE_OPENED] = "file_opened",
	[FAULT_FILE_MADE] = "file_made",
	[FAULT_FILE_BEGUN] = "file_begun",
	[FAULT_CLOSE_MEANT] = "close_meant",
	[FAULT_REST_WRITTEN] = "rest_written",
	[FAULT_CUT] = "cut",
	[FAULT_SYNCED] = "synced",
	[FAULT_NAMED] = "named",
	[FAULT_TOLD] = "told",
	[FAULT_FORGOTTEN] = "forgotten",
	[FAULT_ABSORBED] = "absorbed",
	[FAULT_RESUMED] = "resumed",
	[FAULT_ADOPTED] = "adopted",
	[FAULT_TOOK_OVER] = "took_over",
	[FAULT_REAPED] = "reaped",
	[FAULT_FORKED] = "forked",
	[FAULT_HEARD] = "heard",
	[FAULT_LINE_WRITTEN] = "line_written",
	[FAULT_ENTERED] = "entered",
	[FAULT_MEMBER_LOST] = "member_lost",
	[FAULT_MEMBER_CLOSED] = "member_closed",
	[FAULT_MEMBER_JOINED] = "member_joined",
	[FAULT_MEMBER_ARMED] = "member_armed",
	[FAULT_CHANGE_PLANNED] = "change_planned",
	[FAULT_CHANGE_BEGUN] = "change_begun",
	[FAULT_CHANGE_OPENED] = "change_opened",
	[FAULT_CHANGE_MEANT] = "change_meant",
	[FAULT_CHANGE_MOVED] = "change_moved",
	[FAULT_CHANGE_CLOSED] = "change_closed",
	[FAULT_CHANGE_EMPTY] = "change_empty",
	[FAULT_CHANGE_SETTLED] = "change_settled",
	[FAULT_RENEWED] = "renewed",
	[FAULT_ARRIVAL_PLANNED] = "arrival_planned",
	[FAULT_TURNOVER_MEANT] = "turnover_meant",
	[FAULT_ARRIVAL_ENTERED] = "arrival_entered",
	[FAULT_ARRIVAL_BEGUN] = "arrival_begun",
	[FAULT_REMOVAL_BEGUN] = "removal_begun",
	[FAULT_REMOVAL_DRAINED] = "removal_drained",
	[FAULT_REMOVAL_LEFT] = "removal_left",
	[FAULT_REMOVAL_CLOSED] = "removal_closed",
};

/* Shared with every process forked later. */
static struct plan {
	enum fault point;
	int number; /* of the signal */
	uint64_t first, step, times;
	_Atomic uint64_t passed;
} * plan;

static _Noreturn void misuse(const char *text)
{
	fprintf(stderr, "FANCAP_FAULT=%s: NAME:SIGNAL:FIRST:STEP:TIMES would be right\n", text);
	exit(64);
}

static enum fault find(const char *name)
{
	for (int i = 0; i < FAULT_COUNT_; i++)
		if (strcmp(names[i], name) == 0)
			return (enum fault)i;
	return FAULT_COUNT_;
}

/* Before main(), since its processes have to share it. */
__attribute__((constructor)) static void make_plan(void)
{
	const char *text = getenv("FANCAP_FAULT");
	struct plan made = { 0 };
	char name[32];
	void *shared;

	if (!text)
		return;
	if (strcmp(text, "list") == 0) {
		for (int i = 0; i < FAULT_COUNT_; i++)
			puts(names[i]);
		exit(0);
	}
	if (sscanf(text, "%31[a-z_]:%d:%" SCNu64 ":%" SCNu64 ":%" SCNu64, name, &made.number,
		&made.first, &made.step, &made.times) != 5 ||
	    made.step == 0)
		misuse(text);
	made.point = find(name);
	if (made.point == FAULT_COUNT_)
		misuse(text);
	shared =
	    mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(71);
	plan = shared;
	*plan = made;
}

void fault_pass(enum fault point)
{
	uint64_t passing;

	if (!plan || plan->point != point)
		return;
	passing = atomic_fetch_add(&plan->passed, 1) + 1;
	if (passing < plan->first || (passing - plan->first) % plan->step != 0 ||
	    (passing - plan->first) / plan->step >= plan->times)
		return;
	(void)raise(plan->number);
}

bool fault_lacks(enum lack lack)
{
	static const char *const lacks[LACK_COUNT_] = {
		[LACK_FDPOLL] = "fdpoll",
		[LACK_NAMES] = "names",
		[LACK_DEATH] = "death",
		[LACK_DEAFNESS] = "deafness",
		[LACK_BARRIER] = "barrier",
		[LACK_LOCK] = "lock",
	};
	const char *text = getenv("FANCAP_LACKS");

	return text && strstr(text, lacks[lack]);
}
