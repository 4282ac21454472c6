/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "ledger/ledger.h"
#include "storage/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STAGE = 64 * 1024, PACKET = 100, START = 1700000000 };

static char directory[128];
static struct output_config output;
static struct writer_seat seat;
static unsigned int finished, refused;
static char last_name[LEDGER_NAME_LENGTH];

static void on_finished(void *user, const struct writer_file *file)
{
	(void)user;
	finished++;
	snprintf(last_name, sizeof(last_name), "%s", file->segment->name);
}

static void on_refused(void *user, int error, const char *what)
{
	(void)user;
	(void)error;
	(void)what;
	refused++;
}

static void on_works(void *user)
{
	(void)user;
}

static int set_up(void **state)
{
	void *record = mmap(NULL, sizeof(struct ledger_worker), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char name[] = "%{sensor}-%{worker}-%Y";
	int stage;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/fancap-writer-XXXXXX");
	if (record == MAP_FAILED || !mkdtemp(directory))
		return -1;
	output = (struct output_config) { .stage = STAGE, .name = strdup(name) };
	stage = memfd_create("stage", MFD_CLOEXEC);
	if (stage < 0 || ftruncate(stage, STAGE) < 0)
		return -1;
	seat = (struct writer_seat) { .output = &output,
		.sensor = "s",
		.interface = "i",
		.link_type = 1,
		.snaplen = 262144,
		.directory = open(directory, O_DIRECTORY),
		.stage = stage,
		.record = record,
		.events = { .finished = on_finished, .refused = on_refused, .works = on_works } };
	finished = refused = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	close(seat.directory);
	close(seat.stage);
	munmap(seat.record, sizeof(struct ledger_worker));
	free(output.name);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* A block of packets with these numbers in them, as a worker would store it. */
static void store(struct writer *writer, uint64_t number, unsigned int count)
{
	struct append append;
	uint8_t bytes[PACKET] = { 0 };

	writer_begin_block(writer, &append, (uint64_t)count * (PACKET + PCAP_RECORD_SIZE), count,
	    (uint64_t)START * 1000000000, (uint64_t)START * 1000000000);
	for (unsigned int i = 0; i < count; i++) {
		const struct packet packet = { .time_ns = (uint64_t)START * 1000000000 + number,
			.bytes = bytes,
			.captured_length = PACKET,
			.wire_length = PACKET };
		uint64_t value = number * 1000 + i;

		memcpy(bytes, &value, sizeof(value));
		append_packet(&append, &packet);
	}
	writer_statistics_slot(writer)->packets = count;
	writer_commit_block(writer, &append, number, 1);
}

/* Every number once, in order, in a file that holds nothing else. */
static void check_file(const char *name, uint64_t first, uint64_t blocks, unsigned int count)
{
	char path[1024];
	struct pcap_record record;
	uint8_t bytes[PACKET], header[PCAP_HEADER_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
	for (uint64_t number = first; number < first + blocks; number++) {
		for (unsigned int i = 0; i < count; i++) {
			uint64_t value;

			assert_int_equal(fread(&record, sizeof(record), 1, file), 1);
			assert_int_equal(record.captured_length, PACKET);
			assert_int_equal(fread(bytes, PACKET, 1, file), 1);
			memcpy(&value, bytes, sizeof(value));
			assert_int_equal(value, number * 1000 + i);
		}
	}
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
}

static const uint64_t *books(struct writer *writer)
{
	return writer_counters(writer)->value;
}

static void what_is_stored_is_in_the_file_once(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &seat), 0);
	for (uint64_t number = 1; number <= 200; number++)
		store(writer, number, 50);
	writer_finish(writer, "stopped");
	assert_int_equal(books(writer)[COUNTER_WRITTEN], 200 * 50);
	assert_int_equal(books(writer)[COUNTER_WRITTEN_BYTES], 200 * 50 * PACKET);
	assert_true(counters_are_settled(writer_counters(writer)));
	assert_int_equal(finished, 1);
	assert_string_equal(last_name, "s-0-2023.pcap");
	check_file(last_name, 1, 200, 50);
	writer_close(writer);
}

static void a_taken_name_is_left_alone(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &seat), 0);
	for (uint64_t number = 1; number <= 3; number++) {
		store(writer, number, 1);
		writer_rotate(writer);
		check_file(last_name, number, 1, 1);
	}
	assert_string_equal(last_name, "s-0-2023-2.pcap");
	writer_close(writer);
}

static void a_file_is_never_empty_of_packets(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &seat), 0);
	writer_rotate(writer);
	writer_finish(writer, "stopped");
	assert_int_equal(finished, 0);
	writer_close(writer);
}

static void size_and_packets_rotate_between_blocks(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	output.rotate.packets = 10;
	assert_int_equal(writer_open(&writer, &seat), 0);
	for (uint64_t number = 1; number <= 6; number++)
		store(writer, number, 4);
	writer_finish(writer, "stopped");
	assert_int_equal(finished, 3);
	check_file("s-0-2023.pcap", 1, 2, 4);
	check_file("s-0-2023-2.pcap", 5, 2, 4);
	output.rotate.packets = 0;
	output.rotate.size = PCAP_HEADER_SIZE + 4 * (PACKET + PCAP_RECORD_SIZE);
	store(writer, 7, 4);
	store(writer, 8, 4);
	writer_finish(writer, "stopped");
	check_file(last_name, 8, 1, 4);
	writer_close(writer);
}

static void quiet_traffic_reads_well_after_the_tail(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &seat), 0);
	store(writer, 1, 3);
	assert_true(writer_deadline(writer) < UINT64_C(1000000000));
	writer_tick(writer, UINT64_C(2000000000), (uint64_t)START * 1000000000);
	check_file("s-0-2023.pcap.part", 1, 1, 3);
	store(writer, 2, 3);
	writer_finish(writer, "stopped");
	check_file("s-0-2023.pcap", 1, 2, 3);
	writer_close(writer);
}

static void a_full_disk_is_counted_and_the_file_stays_readable(void **state)
{
	struct writer *writer = NULL;
	uint64_t total;

	(void)state;
	assert_int_equal(writer_open(&writer, &seat), 0);
	for (uint64_t number = 1; number <= 30; number++)
		store(writer, number, 20);
	/* A directory that refuses new files stands for a disk that does. */
	writer_rotate(writer);
	assert_int_equal(unlinkat(seat.directory, "s-0-2023.pcap", 0), 0);
	close(seat.directory);
	writer_close(writer);
	seat.directory = open("/proc/self", O_DIRECTORY);
	assert_int_equal(writer_open(&writer, &seat), 0);
	store(writer, 31, 20);
	store(writer, 32, 20);
	assert_int_equal(refused, 1);
	assert_int_equal(books(writer)[COUNTER_DISCARDED], 40);
	assert_int_equal(books(writer)[COUNTER_DISCARDED_BYTES], 40 * PACKET);
	total = books(writer)[COUNTER_WRITTEN] + books(writer)[COUNTER_DISCARDED];
	assert_int_equal(books(writer)[COUNTER_SEEN], total);
	writer_close(writer);
}

/* A life that is killed at a random moment, as often as it takes to store every block. */
static void live_until_killed(uint64_t blocks)
{
	struct writer *writer = NULL;
	struct ledger_commit commit;
	uint64_t next = 1;

	if (ledger_commit_read(seat.record, &commit) == 0)
		next = commit.block_number + 1;
	if (writer_open(&writer, &seat) < 0)
		_exit(2);
	for (; next <= blocks; next++)
		store(writer, next, 20);
	writer_finish(writer, "stopped");
	_exit(0);
}

static void a_writer_killed_at_any_moment_is_gone_on_with(void **state)
{
	const uint64_t blocks = 3000;
	unsigned int kills = 0;
	int status = -1;

	(void)state;
	while (status != 0) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			live_until_killed(blocks);
		if (kills < 200) {
			const struct timespec moment = { .tv_nsec =
							     (long)(kills * 37 % 100) * 20000 };

			nanosleep(&moment, NULL);
			kill(pid, SIGKILL);
			kills++;
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(status == 0 || WIFSIGNALED(status));
	}
	check_file("s-0-2023.pcap", 1, blocks, 20);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(what_is_stored_is_in_the_file_once),
		WRITER_TEST(a_taken_name_is_left_alone),
		WRITER_TEST(a_file_is_never_empty_of_packets),
		WRITER_TEST(size_and_packets_rotate_between_blocks),
		WRITER_TEST(quiet_traffic_reads_well_after_the_tail),
		WRITER_TEST(a_full_disk_is_counted_and_the_file_stays_readable),
		WRITER_TEST(a_writer_killed_at_any_moment_is_gone_on_with),
	};

	return RUN_TESTS(tests);
}
