/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

/*
 * One capture file: filled under NAME.part, and given its own name, once and for all, when it is
 * whole.  Every call may block on the disk.  Names are relative to a directory that stays the
 * caller's.
 */
struct segment;

/*
 * Make NAME.part, and the directories above it.  Opened with O_DIRECT where the file system allows.
 * Returns 0, -EEXIST where NAME or NAME.part is taken, or a negative errno.
 */
int segment_create(struct segment **ret_segment, int directory, const char *name);

/*
 * Remove the NAME.part that an earlier life made and had no time to own: empty, and locked by
 * nobody.
 */
void segment_remove_orphan(int directory, const char *name);

/*
 * Open the NAME.part of an earlier life, or what FINAL is where that life may have published it
 * so; NULL: it had not.  Returns 0, or -ENOENT where neither is there with this inode.
 */
int segment_open(struct segment **ret_segment, int directory, const char *name, const char *final,
    uint64_t inode);

/*
 * Open the NAME.part that nobody has open, as it was left; mode is O_RDWR, or O_RDONLY for a look.
 * Returns 0, -EBUSY where somebody has it, -ENOENT, -ELOOP for a link, -EMEDIUMTYPE for what is no
 * regular file, or another negative errno.
 */
int segment_adopt(struct segment **ret_segment, int directory, const char *name, int mode);

/* Close it, as it stands; NULL is allowed. */
void segment_close(struct segment *segment);

/* For who reads it; stays the segment's. */
int segment_descriptor(const struct segment *segment);

uint64_t segment_inode(const struct segment *segment);

/* Whether it bears its own name already. */
bool segment_is_published(const struct segment *segment);

/* Write all of it at a place in the file; memory, length and place are multiples of STAGE_UNIT. */
int segment_write(struct segment *segment, const void *bytes, size_t length, uint64_t at);

/*
 * Write the last bytes there are for now, which end where they end, and start them on their way to
 * the disk without waiting for it.  What follows in the same unit is written over them.
 */
int segment_write_tail(struct segment *segment, const void *bytes, size_t length, uint64_t at);

/* Set its length. */
int segment_cut(struct segment *segment, uint64_t length);

/* Bring what is written to the disk. */
int segment_sync(struct segment *segment);

/* Bring its name to the disk: the directories above it, which may be as new as the file. */
int segment_sync_name(const struct segment *segment);

/*
 * Give it its final name, in the directory of its first one, which overwrites nothing: -EEXIST
 * where that is taken.  Synced as the policy says, its name too.
 */
int segment_publish(struct segment *segment, const char *final, enum sync_policy sync);

/* Remove it: it holds no packet. */
int segment_remove(struct segment *segment);
