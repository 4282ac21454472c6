/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * write_capture FORMAT COUNT GAP_US: writes a capture of frames that differ in length and bytes to
 * stdout, each GAP_US after the one before.  FORMAT is us, ns, pcapng, or one of these with
 * -swapped; all hold the same frames.  write_capture refusals: one pcapng of 5 frames that can be
 * sent where the MTU is 1500, 1 too long, 2 too short, 3 cut, and 4 of another link type.
 */
#include "support/capture_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINK_ETHERNET = 1,
	LINK_COOKED = 113,
	LENGTH_LEAST = 60,
	LENGTHS = 1455, /* up to 1514 */
	STEP = 377,
	COUNT_MOST = 100000,
};

#define BEGIN_US UINT64_C(1700000000000000)

static struct capture_builder capture;

static void write_out(void)
{
	if (write(STDOUT_FILENO, capture.bytes, capture.size) != (ssize_t)capture.size)
		exit(74);
	capture.size = 0;
}

static void write_frames(const char *format, uint32_t count, uint32_t gap_us)
{
	const bool is_pcapng = strncmp(format, "pcapng", 6) == 0;
	const uint32_t unit = strncmp(format, "ns", 2) == 0 ? 1000 : 1;

	capture_begin(&capture, strstr(format, "-swapped") != NULL);
	if (is_pcapng) {
		capture_section(&capture);
		capture_interface(&capture, LINK_ETHERNET, 0, -1, 0);
	} else {
		capture_pcap_header(&capture, unit == 1 ? 0xa1b2c3d4 : 0xa1b23c4d, LINK_ETHERNET);
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t time_us = BEGIN_US + (uint64_t)i * gap_us;
		const uint32_t length = LENGTH_LEAST + i * STEP % LENGTHS;
		/* Never the type of a tag, which the kernel would take out. */
		const uint8_t fill = (uint8_t)(i % 100);

		if (is_pcapng)
			capture_enhanced(&capture, 0, time_us, length, fill);
		else
			capture_pcap_packet(&capture, (uint32_t)(time_us / 1000000),
			    (uint32_t)(time_us % 1000000) * unit, length, fill);
		write_out();
	}
	write_out();
}

static void write_refusals(void)
{
	capture_begin(&capture, false);
	capture_section(&capture);
	capture_interface(&capture, LINK_ETHERNET, 0, -1, 0);
	capture_interface(&capture, LINK_COOKED, 0, -1, 0);
	capture_interface(&capture, LINK_ETHERNET, 64, -1, 0);
	capture_enhanced(&capture, 0, BEGIN_US, 1515, 1);
	for (int i = 0; i < 5; i++)
		capture_enhanced(&capture, 0, BEGIN_US, i ? 1514 : 14, 2);
	for (int i = 0; i < 2; i++)
		capture_enhanced(&capture, 0, BEGIN_US, i ? 13 : 0, 3);
	for (int i = 0; i < 3; i++) {
		capture_enhanced(&capture, 2, BEGIN_US, 64, 4);
		/* The length on the wire stands behind the captured one. */
		capture_set32(&capture, capture.block + 24, 65);
	}
	for (int i = 0; i < 4; i++)
		capture_enhanced(&capture, 1, BEGIN_US, 100, 5);
	write_out();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "refusals") == 0) {
		write_refusals();
	} else if (argc == 4 && strtoul(argv[2], NULL, 10) <= COUNT_MOST) {
		write_frames(argv[1], (uint32_t)strtoul(argv[2], NULL, 10),
		    (uint32_t)strtoul(argv[3], NULL, 10));
	} else {
		fprintf(stderr, "usage: write_capture FORMAT COUNT GAP_US | refusals\n");
		return 64;
	}
	return 0;
}
