/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends numbered frames out of an interface, or writes them to a pcap file, at a rate.  The last
 * line on stdout is an object of JSON with what was sent.
 *
 * SIGTERM ends it before the count is reached.  What a pause by SIGSTOP held up is not caught up
 * with: from SIGCONT on the rate is what it was.
 */
#include "support/numbered.h"

#include "base/clock.h"
#include "support/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct options {
	struct numbered_plan plan;
	const char *interface;
	const char *pcap;
	uint64_t rate;    /* frames a second; 0 is as fast as possible */
	uint64_t segment; /* of a frame that goes out as a whole; 0 is none */
	uint64_t cpu;
	enum sender_flags flags;
};

struct slot {
	uint8_t offload[SENDER_OFFLOAD_HEADER]; /* right before the frame, when it is sent */
	uint8_t frame[NUMBERED_LENGTH_MAX];
};

static int usage(void)
{
	fprintf(stderr,
	    "usage: send_numbered --interface=NAME | --pcap=FILE\n  " NUMBERED_OPTIONS_HELP
	    "\n  [--rate=PPS] [--cpu=N] [--bypass] [--segment=BYTES]\n");

	return 64;
}

static int take_own(struct options *options, int option)
{
	switch (option) {
	case '1':
		options->interface = optarg;
		return 0;
	case '2':
		options->pcap = optarg;
		return 0;
	case '3':
		return numbered_parse(optarg, &options->rate);
	case '4':
		return numbered_parse(optarg, &options->cpu);
	case '5':
		options->flags |= SENDER_BYPASS;
		return 0;
	case '6':
		options->flags |= SENDER_OFFLOAD;
		return numbered_parse(optarg, &options->segment);
	default:
		return numbered_option(&options->plan, option, optarg);
	}
}

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option rows[] = {
		{ "interface", required_argument, NULL, '1' },
		{ "pcap", required_argument, NULL, '2' },
		{ "rate", required_argument, NULL, '3' },
		{ "cpu", required_argument, NULL, '4' },
		{ "bypass", no_argument, NULL, '5' },
		{ "segment", required_argument, NULL, '6' },
		NUMBERED_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1)
		if (take_own(options, option) < 0)
			return -EINVAL;

	return optind == argc && !options->interface != !options->pcap ? 0 : -EINVAL;
}

/* A file that a capture of these frames might have left, one microsecond between them. */
static int write_pcap(const struct options *options)
{
	static const uint32_t head[6] = { 0xa1b23c4d, 0x00040002, 0, 0, 262144, 1 };
	static struct slot slot;
	FILE *file = fopen(options->pcap, "we");

	if (file == NULL)
		return -errno;
	fwrite(head, sizeof(head), 1, file);
	for (uint64_t i = 0; i < options->plan.count; i++) {
		uint64_t number = options->plan.first + i;
		uint32_t length = (uint32_t)numbered_build(&options->plan, number, slot.frame);
		uint32_t record[4] = { (uint32_t)(1700000000 + number / 1000000),
			(uint32_t)(number % 1000000 * 1000), length, length };

		fwrite(record, sizeof(record), 1, file);
		fwrite(slot.frame, length, 1, file);
	}

	return fclose(file) == 0 ? 0 : -errno;
}

static struct sender_frame make_frame(
    const struct options *options, uint64_t number, struct slot *slot)
{
	size_t length = numbered_build(&options->plan, number, slot->frame);
	uint16_t udp = (uint16_t)numbered_udp_offset(&options->plan);
	struct virtio_net_hdr head = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = (uint16_t)(udp + 8),
		.gso_size = (uint16_t)options->segment,
		.csum_start = udp,
		.csum_offset = 6,
	};

	if (!(options->flags & SENDER_OFFLOAD))
		return (struct sender_frame) { slot->frame, length };
	memcpy(slot->offload, &head, sizeof(head));

	return (struct sender_frame) { slot->offload, sizeof(slot->offload) + length };
}

/* Of this process, since a handler is given nothing else. */
static volatile sig_atomic_t must_end, was_paused;

static void on_signal(int number)
{
	if (number == SIGCONT)
		was_paused = 1;
	else
		must_end = 1;
}

static void listen_to_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
}

/* The instant of the frames that come now; the start is moved by what a pause took. */
static uint64_t due_ns(uint64_t *start, uint64_t done, uint64_t rate)
{
	uint64_t after = (uint64_t)((double)done * (double)NSEC_PER_SEC / (double)rate);

	if (was_paused) {
		was_paused = 0;
		*start = clock_monotonic_ns() - after;
	}
	return *start + after;
}

static int send_all(const struct options *options, struct sender *sender)
{
	const struct numbered_plan *plan = &options->plan;
	/* Half a millisecond at a time: a sleep is no finer. */
	uint64_t batch = options->rate == 0 ? SENDER_BATCH_MAX : options->rate / 2000 + 1;
	struct slot *slots = calloc(SENDER_BATCH_MAX, sizeof(*slots));
	uint64_t start = clock_monotonic_ns();
	int r = slots == NULL ? -ENOMEM : 0;

	if (batch > SENDER_BATCH_MAX)
		batch = SENDER_BATCH_MAX;
	for (uint64_t done = 0; r == 0 && done < plan->count && !must_end;) {
		struct sender_frame frames[SENDER_BATCH_MAX];
		uint64_t count = plan->count - done < batch ? plan->count - done : batch;

		for (uint64_t i = 0; i < count; i++)
			frames[i] = make_frame(options, plan->first + done + i, &slots[i]);
		if (options->rate > 0)
			sender_sleep_until(due_ns(&start, done, options->rate));
		r = sender_send(sender, frames, count);
		done += count;
	}
	free(slots);

	return r;
}

static int send_out(const struct options *options)
{
	uint64_t dropped = sender_device_drops(options->interface);
	uint64_t start = clock_monotonic_ns();
	struct sender sender;
	int r = sender_open(options->interface, options->flags, &sender);

	if (r == 0 && options->cpu != UINT64_MAX)
		r = sender_pin((unsigned int)options->cpu);
	if (r < 0)
		return r;
	listen_to_signals();
	prctl(PR_SET_TIMERSLACK, 1);
	r = send_all(options, &sender);
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"retries\":%" PRIu64
	       ",\"device_dropped\":%" PRIu64 ",\"seconds\":%.6f}\n",
	    sender.sent, sender.bytes, sender.retries,
	    sender_device_drops(options->interface) - dropped,
	    (double)(clock_monotonic_ns() - start) / (double)NSEC_PER_SEC);

	return r;
}

int main(int argc, char **argv)
{
	struct options options = { .plan = NUMBERED_PLAN_DEFAULT, .cpu = UINT64_MAX };
	int r;

	if (parse(argc, argv, &options) < 0)
		return usage();
	r = options.pcap != NULL ? write_pcap(&options) : send_out(&options);
	if (r < 0)
		fprintf(stderr, "send_numbered: cannot send: %s\n", strerror(-r));

	return r < 0 ? 71 : 0;
}
