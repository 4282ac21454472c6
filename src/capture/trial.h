/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"
#include "capture/ring.h"

/*
 * Asking the kernel for a ring of any version, to see whether it makes one, and saying which limit
 * was hit where it does not.
 */

/*
 * Memory that the kernel takes for a request before it answers; 0 where it refuses without.  More
 * than is free is taken from others, and may have the kernel kill any of them.
 */
uint64_t trial_memory(const struct geometry_request *request);

/*
 * Have a ring made and mapped, and given back, on a packet socket that has none; the socket may be
 * asked again.  Blocks for as long as memory takes.  Returns 0; -EFBIG, unasked, for one that takes
 * more than `most` bytes; -EOVERFLOW for numbers that the kernel's fields do not hold; or a
 * negative errno of the step in *ret_fault.
 */
int trial_ask(
    int fd, const struct geometry_request *request, uint64_t most, struct ring_fault *ret_fault);

enum { TRIAL_TEXT = 512 };

/*
 * The limit behind an error of trial_ask(): the rule with its numbers, or what this machine has not
 * got, of which `free` bytes of memory are known (0: not known).  Pure.
 */
void trial_explain(
    const struct geometry_request *request, int error, uint64_t free, char text[TRIAL_TEXT]);

/*
 * What would be right where a ring failed with -ENOMEM: less memory where so much is not free, else
 * the largest block size of which a ring of the same memory can be made now, which is tried on the
 * socket.  `free` is as for trial_explain().  Blocks for as long as memory takes.
 */
void trial_advise(int fd, const struct geometry *geometry, uint64_t free, char text[TRIAL_TEXT]);
