/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/stage.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/mman.h>

struct stage {
	uint8_t *bytes;
	size_t size;
};

DEFINE_CLEANUP(struct stage *, stage_close)

int stage_open(struct stage **ret_stage, int fd, size_t size)
{
	CLEANUP(stage_close_at) struct stage *stage = calloc(1, sizeof(*stage));
	const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	void *room;

	if (!stage)
		return -ENOMEM;
	if (size == 0 || size % STAGE_UNIT != 0)
		return -EINVAL;
	/* Room for both first, so that the second cannot land on something else. */
	room = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	stage->bytes = room;
	stage->size = size;
	for (int i = 0; i < 2; i++)
		if (mmap(stage->bytes + (size_t)i * size, size, PROT_READ | PROT_WRITE, flags, fd,
			0) == MAP_FAILED)
			return -errno;
	/* A core dump delays the reap, and holds packets (DESIGN section 6). */
	(void)madvise(stage->bytes, 2 * size, MADV_DONTDUMP);
	*ret_stage = TAKE(stage);
	return 0;
}

void stage_close(struct stage *stage)
{
	if (!stage)
		return;
	if (stage->bytes)
		munmap(stage->bytes, 2 * stage->size);
	free(stage);
}

uint8_t *stage_at(const struct stage *stage, uint64_t offset)
{
	return stage->bytes + offset % stage->size;
}

size_t stage_size(const struct stage *stage)
{
	return stage->size;
}
