/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the blocks of statistics in a pcapng of numbered frames say, a line of JSON for each, and
 * what is missing of the frames around it.  One sender and one worker, so that numbers only grow.
 */
#include "support/numbered.h"
#include "support/pcap_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STATISTICS = 5, PACKET = 6 };

struct statistics {
	uint64_t received, dropped, delivered, time_ns;
	char comment[256];
};

struct look {
	struct numbered_plan plan;
	struct pcap_file file;
	struct statistics last;
	bool has_last;
	uint64_t next; /* number, if nothing is missing */
	uint64_t packets, time_ns;
};

static uint64_t wide_at(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t word_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void read_option(
    struct statistics *statistics, uint16_t code, const uint8_t *value, uint16_t size)
{
	enum { COMMENT = 1, RECEIVED = 4, DROPPED = 5, DELIVERED = 8 };

	if (code == COMMENT)
		snprintf(statistics->comment, sizeof(statistics->comment), "%.*s", size,
		    (const char *)value);
	else if (code == RECEIVED)
		statistics->received = wide_at(value);
	else if (code == DROPPED)
		statistics->dropped = wide_at(value);
	else if (code == DELIVERED)
		statistics->delivered = wide_at(value);
}

static void read_statistics(struct look *look, const uint8_t *block, uint32_t size)
{
	const uint32_t unit = look->file.nanoseconds ? 1 : 1000;
	uint16_t head[2];

	look->last = (struct statistics) {
		.time_ns = ((uint64_t)word_at(block + 12) << 32 | word_at(block + 16)) * unit,
	};
	look->has_last = true;
	for (uint32_t at = 20; at + 8 <= size; at += 4 + ((head[1] + 3U) & ~3U)) {
		memcpy(head, block + at, sizeof(head));
		read_option(&look->last, head[0], block + at + 4, head[1]);
	}
}

/* Once the packet behind is known, or that there is none. */
static void print_last(struct look *look, uint64_t number, uint64_t time_ns)
{
	const struct statistics *last = &look->last;

	if (!look->has_last)
		return;
	look->has_last = false;
	printf("{\"received\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"delivered\":%" PRIu64
	       ",\"packets_before\":%" PRIu64 ",\"missing_here\":%" PRIu64
	       ",\"in_order\":%s,\"comment\":\"%s\"}\n",
	    last->received, last->dropped, last->delivered, look->packets, number - look->next,
	    last->time_ns >= look->time_ns && last->time_ns <= time_ns ? "true" : "false",
	    last->comment);
}

static int take_packet(struct look *look, const uint8_t *block)
{
	const uint32_t unit = look->file.nanoseconds ? 1 : 1000;
	uint64_t number, time_ns;

	if (!numbered_find(&look->plan, block + 28, word_at(block + 20), &number))
		return -1;
	time_ns = ((uint64_t)word_at(block + 12) << 32 | word_at(block + 16)) * unit;
	print_last(look, number, time_ns);
	look->next = number + 1;
	look->packets++;
	look->time_ns = time_ns;
	return 0;
}

static int walk(struct look *look)
{
	const struct pcap_file *file = &look->file;
	size_t at = file->offset;

	while (at + 12 <= file->size) {
		const uint8_t *block = file->bytes + at;
		uint32_t size = word_at(block + 4);

		if (size < 24 || size > file->size - at)
			return -1;
		if (word_at(block) == STATISTICS)
			read_statistics(look, block, size);
		else if (word_at(block) != PACKET || take_packet(look, block) < 0)
			return -1;
		at += size;
	}
	print_last(look, look->next, UINT64_MAX);
	return at == file->size ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct option rows[] = { NUMBERED_OPTIONS, { NULL, 0, NULL, 0 } };
	struct look look = { .plan = NUMBERED_PLAN_DEFAULT };
	int option, status = 0;

	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1)
		if (numbered_option(&look.plan, option, optarg) < 0)
			return 64;
	look.next = look.plan.first;
	for (; optind < argc; optind++) {
		if (pcap_file_open(argv[optind], &look.file) < 0 || !look.file.is_pcapng ||
		    walk(&look) < 0) {
			fprintf(stderr, "losses: %s: not as it should be\n", argv[optind]);
			status = 65;
		}
	}
	return status;
}
