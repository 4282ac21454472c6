/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of any bytes: the reading ends, each packet lies within what was read, and together they
 * are no longer than the file, unless that is compressed.
 */
#include "storage/decoder.h"
#include "storage/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_compressed(const uint8_t *data, size_t size)
{
	return size >= DECODER_MAGIC_SIZE && decoder_compression(data) != COMPRESSION_NONE;
}

/* size: 0 where it is not known. */
static void check_end(struct reader *reader, int result, size_t size)
{
	struct reader_record record;

	if (result != 0 && result != -EBADMSG)
		abort();
	if ((result == -EBADMSG) != (reader_fault(reader)[0] != 0))
		abort();
	if (reader_next(reader, &record) != result)
		abort();
	if (size > 0 && reader_offset(reader) > size)
		abort();
	if (size > 0 && result == 0 && reader_offset(reader) != size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	volatile uint8_t sum = 0;
	struct reader_record record;
	struct reader *reader;
	uint64_t bytes = 0;
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (reader_open(&reader, fd) < 0)
		abort();
	while ((r = reader_next(reader, &record)) > 0) {
		if (record.packet.captured_length > record.packet.wire_length)
			abort();
		for (uint32_t i = 0; i < record.packet.captured_length; i++)
			sum = (uint8_t)(sum + record.packet.bytes[i]);
		bytes += record.packet.captured_length;
		if (bytes > reader_offset(reader))
			abort();
	}
	check_end(reader, r, is_compressed(data, size) ? 0 : size);
	reader_close(reader);
	close(fd);
	return 0;
}
