/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/pcap_file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEADER = 24,
	RECORD = 16,
};

#define MICROSECONDS 0xa1b2c3d4u
#define NANOSECONDS 0xa1b23c4du

static uint32_t word_at(const struct pcap_file *file, size_t offset)
{
	uint32_t word;

	memcpy(&word, file->bytes + offset, sizeof(word));

	return file->swapped ? __builtin_bswap32(word) : word;
}

int pcap_file_open(const char *path, struct pcap_file *ret_file)
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pcap_file file = { .offset = HEADER };
	struct stat info;
	uint32_t magic;

	if (fd < 0 || fstat(fd, &info) < 0)
		return -errno;
	if (info.st_size < HEADER)
		return -EBADMSG;
	file.size = (size_t)info.st_size;
	file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file.bytes == MAP_FAILED)
		return -errno;

	magic = word_at(&file, 0);
	file.swapped =
	    magic == __builtin_bswap32(MICROSECONDS) || magic == __builtin_bswap32(NANOSECONDS);
	magic = word_at(&file, 0);
	if (magic != MICROSECONDS && magic != NANOSECONDS)
		return -EBADMSG;
	file.nanoseconds = magic == NANOSECONDS;
	file.link_type = word_at(&file, 20);
	*ret_file = file;

	return 0;
}

int pcap_file_next(struct pcap_file *file, struct pcap_record *ret_record)
{
	size_t left = file->size - file->offset;
	struct pcap_record record;
	uint32_t fraction;

	if (left == 0)
		return 0;
	if (left < RECORD)
		return -EBADMSG;
	fraction = word_at(file, file->offset + 4);
	record = (struct pcap_record) {
		.bytes = file->bytes + file->offset + RECORD,
		.captured = word_at(file, file->offset + 8),
		.length = word_at(file, file->offset + 12),
		.time_ns = word_at(file, file->offset) * UINT64_C(1000000000) +
			   (file->nanoseconds ? fraction : fraction * UINT64_C(1000)),
	};
	if (record.captured > left - RECORD || record.captured > record.length)
		return -EBADMSG;
	if (fraction >= (file->nanoseconds ? 1000000000u : 1000000u))
		return -EBADMSG;
	file->offset += RECORD + record.captured;
	*ret_record = record;

	return 1;
}
