/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A program of classic BPF that picks the member of a fanout group for each packet: what it returns
 * is taken modulo the members.
 */
struct program {
	struct sock_filter *instructions;
	size_t count;
};

/*
 * What a program may have: the kernel's own limit (BPF_MAXINSNS, 4096), but for what is put
 * behind it by program_bind(), and once more by program_narrow().
 */
enum { PROGRAM_TAIL = 2, PROGRAM_MOST = BPF_MAXINSNS - 2 * PROGRAM_TAIL };

/* Whether a mode (enum fanout_mode) is one of those that a program runs. */
bool program_runs(unsigned int mode);

/*
 * Make the program of a mode, for an interface whose packets have a link header of so many bytes.
 * Returns 0, -EOPNOTSUPP for the kernel's own modes, or another negative errno; a fault of the
 * user's file is not told here, but by program_read().
 */
int program_make(struct program *ret_program, const struct fanout_config *config, size_t header);

/*
 * Have it never return more than `members` - 1, and what the kernel would make of it in a group of
 * so many: who joins beyond them is sent nothing.  Returns 0 or a negative errno; then it is as it
 * was.
 */
int program_bind(struct program *program, uint32_t members);

/* Make one that picks as another does, but for its last members, whose share goes to the others. */
int program_narrow(struct program *ret_program, const struct program *program, uint32_t members);

/* Make one that sends everything to one member.  Returns 0 or a negative errno. */
int program_constant(struct program *ret_program, uint32_t member);

/*
 * Give it to the group of this socket, in one step, in place of what was there.  Blocks until no
 * packet is under way by the old one.  Returns 0 or a negative errno.
 */
int program_attach(int fd, const struct program *program);

/* Free the instructions and leave an empty program. */
void program_release(struct program *program);
