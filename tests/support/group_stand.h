/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/deadlines.h"
#include "supervisor/group.h"
#include "support/fake_worker.h"

/*
 * A group without a sensor: an interface of its own, workers that are functions of a test, and
 * limits so short that a test can wait for them.
 */
extern struct premises premises;
extern struct group group;
extern sd_event *event;
extern const struct group_limits limits;
extern unsigned int times_run, times_ended;
extern int failure;
extern size_t workers;             /* of the next group */
extern enum message_kind nonsense; /* what worker 1 says out of turn */

/* Enter a namespace, and make what all groups share: 0, 77 where that cannot be, or 99. */
int stand_open(void);
void stand_close(void);

/* Around each test: nothing is left of it, no child and no descriptor. */
int stand_set_up(void **state);
int stand_tear_down(void **state);
#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)

void begin(worker_main *run);
void close_group(void);
void stop_in_order(void);

/* Turn the loop until something is true; false once that took too long. */
bool turn_until(bool (*is_true)(void), unsigned int ms);
bool all_run(void);
bool has_ended(void);
bool never(void);

/* What the kernel has attached is the refusing filter, of one instruction. */
bool refuses(const struct child *child);
