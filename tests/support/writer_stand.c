/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/writer_stand.h"

#include "storage/decoder.h"
#include "storage/name.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint64_t start_ns = (uint64_t)STAND_START * 1000000000;

static void on_finished(void *user, const struct finished_file *file)
{
	struct stand_shared *shared = user;
	struct stand_file *entry = &shared->files[shared->finished % STAND_FILES];

	snprintf(entry->name, sizeof(entry->name), "%s", file->name);
	entry->number = file->number;
	entry->inode = file->segment->inode;
	entry->packets = file->segment->packets;
	entry->bytes = file->bytes;
	shared->finished++;
}

static void on_refused(void *user, int error, const char *what)
{
	struct stand_shared *shared = user;

	shared->refused++;
	shared->error = error;
	snprintf(shared->what, sizeof(shared->what), "%s", what);
}

static void on_works(void *user)
{
	struct stand_shared *shared = user;

	shared->works++;
}

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int stand_open(struct stand *stand, const char *above)
{
	*stand = (struct stand) { .output = { .stage = STAND_STAGE,
				      .name = strdup("%{sensor}-%{worker}-%Y") } };
	snprintf(stand->directory, sizeof(stand->directory), "%s/fancap-writer-XXXXXX", above);
	stand->shared = share(sizeof(*stand->shared));
	stand->seat = (struct writer_seat) {
		.sensor = "s",
		.interface = "i",
		.link_type = 1,
		.snaplen = 262144,
		.stage = memfd_create("stage", MFD_CLOEXEC),
		.record = share(sizeof(struct ledger_worker)),
		.events = { on_finished, on_refused, on_works, stand->shared },
	};
	if (!stand->shared || !stand->seat.record || !mkdtemp(stand->directory) ||
	    ftruncate(stand->seat.stage, STAND_STAGE) < 0)
		return -1;
	stand->seat.directory = open(stand->directory, O_DIRECTORY | O_CLOEXEC);
	return stand->seat.directory < 0 ? -1 : 0;
}

static void remove_files(const struct stand *stand)
{
	DIR *directory = opendir(stand->directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

void stand_clear(struct stand *stand)
{
	remove_files(stand);
	memset(stand->shared, 0, sizeof(*stand->shared));
	memset(stand->seat.record, 0, sizeof(struct ledger_worker));
}

void stand_close(struct stand *stand)
{
	remove_files(stand);
	(void)rmdir(stand->directory);
	close(stand->seat.directory);
	close(stand->seat.stage);
	munmap(stand->seat.record, sizeof(struct ledger_worker));
	munmap(stand->shared, sizeof(*stand->shared));
	free(stand->output.name);
}

/* As the kernel does it: a packet is counted once, and reading takes the count away. */
static void read_statistics(struct stand *stand, struct ledger_statistics *slot)
{
	atomic_store(&stand->shared->in_kernel, 1);
	slot->packets = (uint32_t)stand->shared->kernel_counts;
	stand->shared->kernel_counts = 0;
	atomic_store(&stand->shared->in_kernel, 0);
}

void stand_store(struct stand *stand, struct writer *writer, uint64_t number, unsigned int count)
{
	const bool is_pcapng = stand->output.format == FORMAT_PCAPNG;
	uint8_t bytes[STAND_PACKET] = { 0 };
	struct append append;

	if (number > stand->shared->arrived) {
		atomic_store(&stand->shared->in_kernel, 1);
		stand->shared->arrived = number;
		stand->shared->kernel_counts += count;
		atomic_store(&stand->shared->in_kernel, 0);
	}
	writer_begin_block(writer, &append,
	    count * (uint64_t)(is_pcapng ? pcapng_packet_size(STAND_PACKET)
					 : STAND_PACKET + PCAP_RECORD_SIZE),
	    count, start_ns, start_ns);
	for (unsigned int i = 0; i < count; i++) {
		const struct packet packet = { .time_ns = start_ns + number,
			.bytes = bytes,
			.captured_length = STAND_PACKET,
			.wire_length = STAND_PACKET };
		uint64_t value = stand_value(number, i);

		memcpy(bytes, &value, sizeof(value));
		if (is_pcapng)
			append_to_pcapng(&append, &packet);
		else
			append_packet(&append, &packet);
	}
	writer_seal_block(writer, &append);
	read_statistics(stand, writer_statistics_slot(writer));
	writer_commit_block(writer, &append, number, 1);
}

/* The packet behind a record's head, in the file; false where it is cut. */
static bool read_packet(FILE *file, uint64_t *ret_value)
{
	uint8_t bytes[STAND_PACKET];

	if (fread(bytes, STAND_PACKET, 1, file) != 1)
		return false;
	memcpy(ret_value, bytes, sizeof(*ret_value));
	return true;
}

/* 1 with a packet, 0 at the end, -1 where there is no whole record. */
static int next_pcap(FILE *file, uint64_t *ret_value)
{
	struct pcap_record record;
	size_t got = fread(&record, 1, sizeof(record), file);

	if (got == 0)
		return 0;
	return got == sizeof(record) && record.captured_length == STAND_PACKET &&
		       read_packet(file, ret_value)
		   ? 1
		   : -1;
}

/* The same; what is in no packet is read past. */
static int next_pcapng(FILE *file, uint64_t *ret_value)
{
	uint8_t block[1024];
	uint32_t head[2], end;
	size_t got;

	while ((got = fread(head, 1, sizeof(head), file)) > 0) {
		if (got != sizeof(head) || head[1] < 12 || head[1] - 8 > sizeof(block) ||
		    fread(block, head[1] - 8, 1, file) != 1)
			return -1;
		memcpy(&end, block + head[1] - 12, sizeof(end));
		if (end != head[1])
			return -1;
		if (head[0] != PCAPNG_PACKET)
			continue;
		memcpy(ret_value, block + PCAPNG_PACKET_HEAD - 8, sizeof(*ret_value));
		return head[1] == pcapng_packet_size(STAND_PACKET) ? 1 : -1;
	}
	return 0;
}

/* False where the last frame is not whole. */
static bool unpack(struct decoder *decoder, int from, int to)
{
	static uint8_t in[1 << 20], out[1 << 20];
	ssize_t n = read(from, in, sizeof(in));
	int r = 1;

	for (ssize_t at = 0; r >= 0 && at < n;) {
		size_t taken = (size_t)(n - at), put = sizeof(out);

		r = decoder_step(decoder, in + at, &taken, out, &put);
		if (r < 0 || write(to, out, put) != (ssize_t)put)
			return false;
		at += (ssize_t)taken;
	}
	return n >= 0 && r > 0;
}

int stand_open_file(const struct stand *stand, const char *name)
{
	int fd = openat(stand->seat.directory, name, O_RDONLY | O_CLOEXEC), unpacked;
	struct decoder *decoder;
	struct name_kind kind;
	bool is_whole;

	if (fd < 0 || !name_is_capture(name, &kind) || kind.compression == COMPRESSION_NONE)
		return fd;
	unpacked = memfd_create("unpacked", MFD_CLOEXEC);
	if (decoder_new(&decoder, kind.compression) < 0)
		return -1;
	is_whole = unpack(decoder, fd, unpacked) && lseek(unpacked, 0, SEEK_SET) == 0;
	decoder_free(decoder);
	close(fd);
	if (!is_whole)
		close(unpacked);
	return is_whole ? unpacked : -1;
}

int64_t stand_read(const struct stand *stand, const char *name,
    void (*take)(void *user, uint64_t value), void *user)
{
	int (*next)(FILE *, uint64_t *) = strstr(name, ".pcapng") ? next_pcapng : next_pcap;
	uint8_t header[PCAP_HEADER_SIZE];
	int64_t packets = 0;
	int fd = stand_open_file(stand, name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	uint64_t value;
	int r;

	if (!file)
		return -1;
	if (next == next_pcap && fread(header, 1, sizeof(header), file) != sizeof(header))
		packets = -1;
	while (packets >= 0 && (r = next(file, &value)) != 0) {
		packets = r < 0 ? -1 : packets + 1;
		if (r > 0 && take)
			take(user, value);
	}
	fclose(file);
	return packets;
}
