/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Rewrite catalog.jsonl without the lines of files that are no more, under a name of its own, and
 * rename it into place.  What is appended meanwhile is taken along; whoever appends at the last
 * moment is not waited for.
 *
 * Returns 0, -ENOENT where there is no catalog, -EAGAIN where it is in use, or another negative
 * errno: then it is as it was.  Blocks on the disk.
 */
int compaction_run(int directory);
