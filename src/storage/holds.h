/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Time ranges whose files must stay, whatever output.retain says: evidence, until it is released.
 * Each is a file holds/NAME.json in the output directory, made and removed by people
 * (`fancap hold`), and read by who removes files.
 */
enum { HOLD_NAME_LENGTH = 65 };

struct hold {
	char name[HOLD_NAME_LENGTH];
	uint64_t since_ns, until_ns; /* since the epoch; both ends are in it */
	uint64_t made_ns;
};

struct holds {
	struct hold *list; /* by name */
	size_t count;
	bool is_unsure; /* one could not be read: then everything is held */
};

/*
 * Lock the output directory: who removes files (HOLDS_SHARED) has holds and files stay as they are
 * between its look and its deed; who makes a hold (HOLDS_ALONE) waits for that to end, so that what
 * it finds there stays.  Blocks for as long.  Returns a descriptor that bears the lock, or a
 * negative errno.
 */
enum holds_lock { HOLDS_SHARED, HOLDS_ALONE };
int holds_lock(int directory, enum holds_lock lock);

/* Read them all.  Returns 0, or a negative errno where they cannot be known. */
int holds_read(struct holds *ret_holds, int directory);

/* Whether a file with stamps from first to last is held. */
bool holds_cover(const struct holds *holds, uint64_t first_ns, uint64_t last_ns);

/* A name has letters, digits, "-", "_" and ".", begins with none of the latter, and is short. */
bool holds_is_name(const char *name);

/*
 * Make one, owned like the directory.  Returns 0, -EEXIST where the name is taken, or a negative
 * errno.
 */
int holds_add(int directory, const struct hold *hold);

/* Returns 0, -ENOENT where there is none of the name, or another negative errno. */
int holds_remove(int directory, const char *name);

void holds_release(struct holds *holds);
