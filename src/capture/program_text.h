/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/program.h"

/*
 * A program from a file, as bpf_asm or tcpdump -ddd print it: the number of instructions, then each
 * as "code jt jf k", in decimal; commas or ends of lines between them.
 */

/* Told of a fault: "what is wrong; what is allowed".  Line 0 is the file itself. */
typedef void program_fault(void *user, size_t line, const char *text);

/*
 * Read a program, checked by the kernel's rules, so that no fault is left for the day on which it
 * is used.  `tell` may be NULL.  Returns 0; -EINVAL where it is faulty, every fault told; another
 * negative errno where it cannot be read, which is told too.
 */
int program_read(struct program *ret_program, const char *path, program_fault *tell, void *user);
