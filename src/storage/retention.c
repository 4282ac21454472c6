/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/retention.h"

#include "base/array.h"

static const uint64_t whole_share = 10000; /* hundredths of a percent */

/* a + b, and no more than there is. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t ahead(const struct retention_facts *facts)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(facts->open_files, facts->open_bytes, &bytes))
		return UINT64_MAX;
	return MOST(bytes, facts->open_now);
}

static bool is_size_broken(const struct retain_config *retain, const struct retention_facts *facts)
{
	return retain->size > 0 && sum(facts->bytes, ahead(facts)) > retain->size;
}

static bool is_age_broken(const struct retain_config *retain, const struct retention_facts *facts)
{
	return retain->age > 0 && facts->knows_time &&
	       sum(facts->oldest_ns, retain->age) < facts->now_ns;
}

static bool is_files_broken(const struct retain_config *retain, const struct retention_facts *facts)
{
	return retain->files > 0 && sum(facts->files, facts->open_files) > retain->files;
}

/* What is to be free of the disk, with room for the open files. */
static uint64_t wanted_free(const struct retain_config *retain, const struct retention_facts *facts)
{
	/* In this order nothing overflows, and what is lost is below a block. */
	uint64_t share = facts->disk_bytes / whole_share * retain->free;

	return sum(share, ahead(facts));
}

bool retention_is_out_of_reach(
    const struct retain_config *retain, const struct retention_facts *facts)
{
	return retain->free > 0 && sum(facts->disk_free, facts->ours) < wanted_free(retain, facts);
}

static bool is_free_broken(const struct retain_config *retain, const struct retention_facts *facts)
{
	if (retain->free == 0)
		return false;
	if (retention_is_out_of_reach(retain, facts))
		return facts->disk_free < ahead(facts);
	return facts->disk_free < wanted_free(retain, facts);
}

static const struct {
	const char *name;
	bool (*is_broken)(const struct retain_config *, const struct retention_facts *);
} bounds[RETENTION_COUNT_] = {
	[RETENTION_SIZE] = { "size", is_size_broken },
	[RETENTION_AGE] = { "age", is_age_broken },
	[RETENTION_FILES] = { "files", is_files_broken },
	[RETENTION_FREE] = { "free", is_free_broken },
};

enum retention_bound retention_broken(
    const struct retain_config *retain, const struct retention_facts *facts)
{
	for (enum retention_bound bound = RETENTION_SIZE; bound < RETENTION_COUNT_; bound++)
		if (bounds[bound].is_broken(retain, facts))
			return bound;
	return RETENTION_KEPT;
}

const char *retention_name(enum retention_bound bound)
{
	return bounds[bound].name ? bounds[bound].name : "";
}
