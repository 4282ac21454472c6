/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send_pcap INTERFACE FILE...: sends every frame of at least 14 captured bytes of the Ethernet
 * captures among the files, at its captured length.  send_pcap --compare EXPECTED... -- CAPTURED...
 * says whether the same frames, in the same order, are in the captured files; --compare-whole
 * leaves out of the expected what was cut when it was recorded.  send_pcap --gaps EXPECTED... --
 * CAPTURED... tells by how much the gaps of at least a millisecond between neighbours differ.  The
 * last line is JSON.  send_pcap --seconds FILE... says how long each file took to record.
 */
#include "support/pcap_file.h"
#include "support/sender.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINK_ETHERNET = 1,
	FRAME_MIN = 14,
	FRAME_MAX = 65535 + 14,
	BATCH = 16,
};

/* All frames of a list of files that ends with NULL or "--", one after the other. */
struct walk {
	char **paths;
	struct pcap_file file;
	bool is_open;
	bool only_whole;
	uint64_t skipped_files;
	uint64_t files; /* opened */
};

static int walk_next(struct walk *walk, struct pcap_record *ret_record)
{
	for (;;) {
		int r = walk->is_open ? pcap_file_next(&walk->file, ret_record) : 0;

		if (r > 0 && ret_record->captured >= FRAME_MIN &&
		    ret_record->captured <= FRAME_MAX &&
		    (!walk->only_whole || ret_record->captured == ret_record->length))
			return 1;
		if (r > 0)
			continue;
		/* A capture that ends within a record is a fact of life, also in a corpus. */
		walk->is_open = false;
		if (*walk->paths == NULL || strcmp(*walk->paths, "--") == 0)
			return 0;
		r = pcap_file_open(*walk->paths++, &walk->file);
		walk->is_open = r == 0 && (walk->file.link_type & 0xffff) == LINK_ETHERNET;
		walk->skipped_files += !walk->is_open;
		walk->files++;
	}
}

static int send_files(const char *interface, char **paths)
{
	struct walk walk = { .paths = paths };
	uint64_t dropped = sender_device_drops(interface);
	struct pcap_record record;
	struct sender sender;
	uint64_t refused = 0;
	int r = sender_open(interface, 0, &sender);

	if (r < 0) {
		fprintf(stderr, "send_pcap: cannot open %s: %s\n", interface, strerror(-r));
		return 71;
	}
	while (walk_next(&walk, &record) > 0) {
		struct sender_frame frame = { record.bytes, record.captured };

		r = sender_send(&sender, &frame, 1);
		if (r < 0) {
			fprintf(stderr, "send_pcap: %u bytes: %s\n", record.captured, strerror(-r));
			refused++;
		}
		if (sender.sent % BATCH == 0)
			sender_sleep_until(clock_monotonic_ns() + 100000);
	}
	printf("{\"sent\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"device_dropped\":%" PRIu64
	       ",\"skipped_files\":%" PRIu64 "}\n",
	    sender.sent, refused, sender_device_drops(interface) - dropped, walk.skipped_files);

	return refused != 0;
}

static int compare_files(char **expected_paths, char **captured_paths, bool only_whole)
{
	struct walk expected = { .paths = expected_paths, .only_whole = only_whole };
	struct walk captured = { .paths = captured_paths };
	struct pcap_record want;
	struct pcap_record have;
	uint64_t equal = 0;

	for (;; equal++) {
		int more = walk_next(&expected, &want);

		if (more != walk_next(&captured, &have)) {
			fprintf(stderr, "send_pcap: frame %" PRIu64 " is %s\n", equal,
			    more ? "missing" : "one too many");
			return 1;
		}
		if (!more)
			break;
		if (have.captured != want.captured || have.length != want.captured ||
		    memcmp(have.bytes, want.bytes, want.captured) != 0) {
			fprintf(stderr,
			    "send_pcap: frame %" PRIu64 " differs: %" PRIu32 " bytes, not %" PRIu32
			    "\n",
			    equal, have.captured, want.captured);
			return 1;
		}
	}
	printf("{\"equal\":%" PRIu64 "}\n", equal);

	return 0;
}

static int compare_numbers(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void print_gaps(uint64_t *errors, size_t count)
{
	qsort(errors, count, sizeof(*errors), compare_numbers);
	printf("{\"gaps\":%zu", count);
	if (count > 0)
		printf(",\"median_us\":%.1f,\"p99_us\":%.1f,\"most_us\":%.1f",
		    (double)errors[count / 2] / 1e3, (double)errors[count * 99 / 100] / 1e3,
		    (double)errors[count - 1] / 1e3);
	printf("}\n");
}

static int compare_gaps(char **expected_paths, char **captured_paths)
{
	enum { GAPS_MOST = 100000, GAP_LEAST_NS = 1000000 };
	struct walk expected = { .paths = expected_paths, .only_whole = true };
	struct walk captured = { .paths = captured_paths };
	uint64_t *errors = calloc(GAPS_MOST, sizeof(*errors));
	struct pcap_record want, have;
	uint64_t wanted = 0, had = 0, file = 0;
	size_t count = 0;

	if (!errors)
		return 71;
	for (size_t i = 0; walk_next(&expected, &want) > 0; i++) {
		int64_t gap = (int64_t)(want.time_ns - wanted), error;

		if (walk_next(&captured, &have) <= 0) {
			fprintf(stderr, "send_pcap: frame %zu is missing\n", i);
			free(errors);
			return 1;
		}
		error = (int64_t)(have.time_ns - had) - gap;
		/* No recording says what is between two of them. */
		if (expected.files == file && gap >= GAP_LEAST_NS && count < GAPS_MOST)
			errors[count++] = (uint64_t)(error < 0 ? -error : error);
		wanted = want.time_ns;
		had = have.time_ns;
		file = expected.files;
	}
	print_gaps(errors, count);
	free(errors);

	return count == 0;
}

/* A line for each file: from its first stamp to its last, in seconds, and its name. */
static int print_seconds(char **paths)
{
	for (; *paths != NULL; paths++) {
		char *one[] = { *paths, NULL };
		struct walk walk = { .paths = one, .only_whole = true };
		uint64_t first = UINT64_MAX, last = 0;
		struct pcap_record record;

		while (walk_next(&walk, &record) > 0) {
			first = first < record.time_ns ? first : record.time_ns;
			last = last > record.time_ns ? last : record.time_ns;
		}
		if (last > 0)
			printf("%.3f %s\n", (double)(last - first) / 1e9, *paths);
	}

	return 0;
}

static int compare(const char *how, char **paths)
{
	char **at = paths;

	while (*at != NULL && strcmp(*at, "--") != 0)
		at++;
	if (*at == NULL)
		return 64;
	if (strcmp(how, "--gaps") == 0)
		return compare_gaps(paths, at + 1);
	if (strcmp(how, "--compare") == 0 || strcmp(how, "--compare-whole") == 0)
		return compare_files(paths, at + 1, strcmp(how, "--compare-whole") == 0);
	return 64;
}

int main(int argc, char **argv)
{
	int status = 64;

	if (argc > 2 && strcmp(argv[1], "--seconds") == 0)
		status = print_seconds(argv + 2);
	else if (argc > 3 && argv[1][0] == '-')
		status = compare(argv[1], argv + 2);
	else if (argc > 2)
		status = send_files(argv[1], argv + 2);
	if (status == 64)
		fprintf(stderr, "usage: send_pcap INTERFACE FILE... | "
				"--compare|--compare-whole|--gaps FILE... -- FILE... | "
				"--seconds FILE...\n");

	return status;
}
