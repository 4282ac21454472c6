/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/rotation.h"

bool rotation_is_full(const struct rotate_config *config, const struct rotation_file *file,
    uint64_t bytes, uint64_t packets)
{
	if (file->packets == 0)
		return false;
	return (config->size > 0 && file->bytes + bytes > config->size) ||
	       (config->packets > 0 && file->packets + packets > config->packets);
}

uint64_t rotation_deadline(const struct rotate_config *config, uint64_t begun_ns)
{
	if (config->interval == 0)
		return UINT64_MAX;
	return (begun_ns / config->interval + 1) * config->interval;
}

bool rotation_is_old(
    const struct rotate_config *config, const struct rotation_file *file, uint64_t now_ns)
{
	if (config->interval == 0 || file->packets == 0)
		return false;
	return now_ns / config->interval != file->begun_ns / config->interval;
}
