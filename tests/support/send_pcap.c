/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send_pcap INTERFACE FILE...: sends every frame of at least 14 captured bytes of the Ethernet
 * captures among the files, at its captured length.  send_pcap --compare EXPECTED... -- CAPTURED...
 * says whether the same frames, in the same order, are in the captured files.  The last line is
 * JSON.
 */
#include "support/pcap_file.h"
#include "support/sender.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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
	uint64_t skipped_files;
};

static int walk_next(struct walk *walk, struct pcap_record *ret_record)
{
	for (;;) {
		int r = walk->is_open ? pcap_file_next(&walk->file, ret_record) : 0;

		if (r > 0 && ret_record->captured >= FRAME_MIN && ret_record->captured <= FRAME_MAX)
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

static int compare_files(char **expected_paths, char **captured_paths)
{
	struct walk expected = { .paths = expected_paths };
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

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "--compare") == 0) {
		for (char **at = argv + 2; *at != NULL; at++)
			if (strcmp(*at, "--") == 0)
				return compare_files(argv + 2, at + 1);
	} else if (argc > 2) {
		return send_files(argv[1], argv + 2);
	}
	fprintf(stderr, "usage: send_pcap INTERFACE FILE... | --compare FILE... -- FILE...\n");

	return 64;
}
