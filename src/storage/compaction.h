/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Rewrite catalog.jsonl without the lines of files that are no more, under a name of its own, and
 * rename it into place.  What is appended meanwhile is taken along; a moment when nobody
 * appends is waited for, 0.2 s at most.
 *
 * Returns 0, -ENOENT where there is no catalog, -EAGAIN where it stayed in use, or another negative
 * errno: then it is as it was.  Blocks on the disk.
 */
int compaction_run(int directory);
