/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends flows in tunnels, of each kind, there and back, out of an interface; or reads the files of
 * one worker each and says how the flows were shared out.
 *
 *   send_tunnels --interface=NAME [--flows=N] [--payload=BYTES]
 *   send_tunnels [--flows=N] FILE...    a file's worker is the number after "-w" in its path
 */
#include "support/pcap_file.h"
#include "support/sender.h"
#include "support/tunnel.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 16, RATE = 100000, BATCH = 32 };

struct options {
	const char *interface;
	uint32_t flows;
	size_t payload;
};

static struct options options = { .flows = 10000 };

/* ---- sending ----------------------------------------------------------------------------- */

static uint8_t slots[BATCH][TUNNEL_LENGTH_MAX];

static int send_kind(struct sender *sender, unsigned int kind, uint64_t start)
{
	uint32_t total = 2 * options.flows;
	int r = 0;

	for (uint32_t done = 0; r == 0 && done < total;) {
		struct sender_frame frames[BATCH];
		uint32_t count = LEAST(total - done, (uint32_t)BATCH);

		for (uint32_t i = 0; i < count; i++) {
			const struct tunnel_frame frame = { .kind = kind,
				.flow = (done + i) % options.flows,
				.back = done + i >= options.flows,
				.payload = options.payload };

			frames[i] =
			    (struct sender_frame) { slots[i], tunnel_build(&frame, slots[i]) };
		}
		sender_sleep_until(start + sender->sent * NSEC_PER_SEC / RATE);
		r = sender_send(sender, frames, count);
		done += count;
	}
	return r;
}

static int send_all(void)
{
	uint64_t start = clock_monotonic_ns();
	struct sender sender;
	int r = sender_open(options.interface, 0, &sender);

	for (unsigned int kind = 0; r == 0 && kind < tunnel_count(); kind++)
		r = send_kind(&sender, kind, start);
	if (r < 0)
		fprintf(stderr, "send_tunnels: cannot send: %s\n", strerror(-r));
	else
		printf("{\"sent\":%" PRIu64 "}\n", sender.sent);
	return r < 0 ? 71 : 0;
}

/* ---- judging ----------------------------------------------------------------------------- */

struct verdict {
	uint8_t *owners; /* worker + 1 of each kind's flows */
	uint32_t shares[64][WORKERS_MAX];
	uint64_t packets, foreign, torn;
};

static void note(struct verdict *verdict, const struct pcap_record *record, unsigned int worker)
{
	struct tunnel_frame frame;
	uint8_t *owner;

	verdict->packets++;
	if (!tunnel_find(record->bytes, record->captured, &frame) || frame.flow >= options.flows) {
		verdict->foreign++;
		return;
	}
	owner = &verdict->owners[(size_t)frame.kind * options.flows + frame.flow];
	if (*owner == 0)
		verdict->shares[frame.kind][worker]++;
	else if (*owner != worker + 1)
		verdict->torn++;
	*owner = (uint8_t)(worker + 1);
}

static int read_file(struct verdict *verdict, const char *path)
{
	const char *at = strstr(path, "-w");
	struct pcap_record record;
	struct pcap_file file;
	unsigned int worker = at ? (unsigned int)atoi(at + 2) % WORKERS_MAX : 0;
	int r = pcap_file_open(path, &file);

	while (r >= 0 && (r = pcap_file_next(&file, &record)) > 0)
		note(verdict, &record, worker);
	return r;
}

/* Lines "KIND: SHARE" for each kind, the greatest share of a worker in percent of its flows. */
static void print_shares(const struct verdict *verdict)
{
	for (unsigned int kind = 0; kind < tunnel_count(); kind++) {
		uint32_t most = 0, sum = 0;

		for (size_t i = 0; i < WORKERS_MAX; i++) {
			most = MOST(most, verdict->shares[kind][i]);
			sum += verdict->shares[kind][i];
		}
		printf("%s{\"kind\":\"%s\",\"flows\":%u,\"most\":%.1f}", kind ? "," : "",
		    tunnel_name(kind), sum, sum ? 100.0 * most / sum : 0);
	}
}

static int judge(char **paths, int count)
{
	static struct verdict verdict;
	int r = 0;

	verdict.owners = calloc(tunnel_count(), options.flows);
	if (!verdict.owners || tunnel_count() > COUNT_OF(verdict.shares))
		return 71;
	for (int i = 0; r >= 0 && i < count; i++)
		r = read_file(&verdict, paths[i]);
	printf("{\"packets\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"kinds\":[",
	    verdict.packets, verdict.foreign, verdict.torn);
	print_shares(&verdict);
	printf("]}\n");
	free(verdict.owners);
	return r < 0 ? 65 : 0;
}

int main(int argc, char **argv)
{
	static const struct option rows[] = {
		{ "interface", required_argument, NULL, 'i' },
		{ "flows", required_argument, NULL, 'f' },
		{ "payload", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (option == 'i')
			options.interface = optarg;
		else if (option == 'f')
			options.flows = (uint32_t)atoi(optarg);
		else if (option == 'p')
			options.payload = (size_t)atoi(optarg);
		else
			return 64;
	}
	if (options.flows == 0 || options.payload > 60000)
		return 64;
	return options.interface ? send_all() : judge(argv + optind, argc - optind);
}
