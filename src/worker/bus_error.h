/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where a worker dies by SIGBUS in memory that a file stands behind, such as its stage on a file
 * system without room or with a fault, the block that it has in hand is not to blame: nothing is in
 * hand then, as far as the ledger says.  SIGBUS ends the process all the same.
 *
 * The memory is that from `from` on, and `leased` the ledger's word of the block in hand.  Once in
 * a process.  Returns 0 or a negative errno.
 */
int bus_error_acquit(const void *from, size_t size, _Atomic uint32_t *leased);
