/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Remove a finished file, and the directories above it that are empty then, but for the output
 * directory.  Only a regular file with this inode, in directories of the output directory's own
 * file system below it, reached through no link, and not by a name that ends in .part.
 *
 * Returns 0, -ENOENT where there is nothing of the name, -ESTALE where there is something else, or
 * another negative errno.  Blocks on the disk: a large file takes its time.
 */
int removal_run(int directory, const char *file, uint64_t inode);

/*
 * Whether it would be removed: 0, 1 where that would free nothing, as it has another name, too, or
 * what removal_run() would return.  Removes nothing.
 */
int removal_check(int directory, const char *file, uint64_t inode);
