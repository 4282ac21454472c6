/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Two interfaces, each the other end of the other, in a network namespace that only this process
 * and its children are in.  No name leads there, so that all of it is gone with the last of them,
 * however that ends.
 */
struct cable {
	int near, far; /* interface indices, both up */
};

/*
 * Move this process into a namespace of its own, a user namespace too where it has not the right
 * to make one without, and lay a cable there.  There is no way back.  Logs.  Returns 0, -EPERM
 * where it may not, -EOPNOTSUPP where the kernel has no such thing, or another negative errno.
 */
int cable_lay(struct cable *ret_cable, uint32_t mtu);
