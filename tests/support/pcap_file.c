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

#define SECTION 0x0a0d0d0au
#define ORDER_MAGIC 0x1a2b3c4du

/* The section, then the interface, whose stamps are in units of a power of ten. */
static int begin_pcapng(struct pcap_file *file)
{
	enum { RESOLUTION = 9, OPTIONS = 16 };
	size_t section = word_at(file, 4), at, end;
	uint8_t power = 6;

	if (word_at(file, 8) != ORDER_MAGIC || section < 28 || section + OPTIONS + 4 > file->size ||
	    word_at(file, section) != 1)
		return -EBADMSG;
	end = section + word_at(file, section + 4);
	if (end > file->size || word_at(file, end - 4) != end - section)
		return -EBADMSG;
	for (at = section + OPTIONS; at + 8 <= end; at += 4 + ((file->bytes[at + 2] + 3u) & ~3u))
		if (file->bytes[at] == RESOLUTION)
			power = file->bytes[at + 4];
	if (power != 6 && power != 9)
		return -EBADMSG;
	file->nanoseconds = power == 9;
	file->link_type = word_at(file, section + 8) & 0xffff;
	file->offset = end;
	file->is_pcapng = true;

	return 0;
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
	if (magic == SECTION) {
		int r = begin_pcapng(&file);

		if (r == 0)
			*ret_file = file;
		return r;
	}
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

/* Statistics are left out; anything else but a packet is an error. */
static int next_pcapng(struct pcap_file *file, struct pcap_record *ret_record)
{
	enum { STATISTICS = 5, PACKET = 6, AROUND = 32 };

	while (file->offset < file->size) {
		size_t at = file->offset, left = file->size - at, size;

		if (left < 12 || (size = word_at(file, at + 4)) < 12 || size > left ||
		    size % 4 != 0 || word_at(file, at + size - 4) != size)
			return -EBADMSG;
		file->offset += size;
		if (word_at(file, at) == STATISTICS)
			continue;
		if (word_at(file, at) != PACKET || size < AROUND || word_at(file, at + 8) != 0)
			return -EBADMSG;
		*ret_record = (struct pcap_record) {
			.bytes = file->bytes + at + 28,
			.captured = word_at(file, at + 20),
			.length = word_at(file, at + 24),
			.time_ns =
			    ((uint64_t)word_at(file, at + 12) << 32 | word_at(file, at + 16)) *
			    (file->nanoseconds ? 1 : 1000),
		};
		if (ret_record->captured > size - AROUND ||
		    ret_record->captured > ret_record->length)
			return -EBADMSG;
		return 1;
	}

	return 0;
}

int pcap_file_next(struct pcap_file *file, struct pcap_record *ret_record)
{
	size_t left = file->size - file->offset;
	struct pcap_record record;
	uint32_t fraction;

	if (file->is_pcapng)
		return next_pcapng(file, ret_record);
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
