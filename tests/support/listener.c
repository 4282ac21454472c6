/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/listener.h"

#include "base/clock.h"
#include "capture/cooked.h"
#include "capture/socket.h"
#include "support/numbered.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct geometry listener_geometry = {
	.block_size = 65536,
	.block_count = 16,
	.frame_size = 2048,
	.frame_count = 16 * 32,
	.retire_timeout_ms = 10,
};

static int open_with(struct listener *listener, block_step *next, const char *interface,
    const struct ring_seat *seat, uint16_t *ret_group)
{
	struct ring_fault fault = { "find the interface", NULL };
	struct ring_seat at = *seat;
	struct link_state link;
	int r = socket_interface(PLACE_OF(interface), &link);

	if (r == 0)
		r = next == cooked_next ? socket_open_cooked(PLACE_OF(interface))
					: socket_open(PLACE_OF(interface));
	*listener = (struct listener) { .fd = r, .next = next };
	if (r >= 0)
		r = ring_open(&listener->ring, listener->fd, &listener_geometry, &fault);
	at.ifindex = link.ifindex;
	if (r >= 0)
		r = ring_join(listener->ring, &at, ret_group, &fault);
	if (r < 0)
		fprintf(stderr, "%s: cannot %s: %s\n", interface, fault.purpose, strerror(-r));
	return r;
}

int listener_open(struct listener *listener, const char *interface, const struct ring_seat *seat,
    uint16_t *ret_group)
{
	return open_with(listener, block_walk_next, interface, seat, ret_group);
}

int listener_open_cooked(struct listener *listener, const char *interface,
    const struct ring_seat *seat, uint16_t *ret_group)
{
	return open_with(listener, cooked_next, interface, seat, ret_group);
}

static void count(struct listener *listener, const struct packet *packet)
{
	/* From where an Ethernet header would begin. */
	const uint32_t more = listener->next == cooked_next ? 20 - 14 : 0;
	uint64_t number;

	listener->walked++;
	/* A second tag, as in these tests, stays in the bytes. */
	for (unsigned int i = 0; i < 2 * (NUMBERED_TAGS_MAX + 1); i++) {
		const struct numbered_plan plan = { .tag_count = i / 2, .ipv6 = i % 2 };

		if (numbered_find(&plan, packet->bytes + more, packet->captured_length - more,
			&number) <= 0 ||
		    number >= LISTENER_NUMBERS)
			continue;
		listener->times[number]++;
		listener->last[number] = *packet;
		listener->last[number].bytes = NULL;
		return;
	}
}

void listener_take(struct listener *listener, void *block, size_t size, uint64_t number)
{
	struct block_walk walk;
	struct packet packet;
	int r;

	block_walk_begin(&walk, block, size);
	while ((r = listener->next(&walk, &packet)) > 0)
		count(listener, &packet);
	listener->blocks_amiss += r < 0 || number != listener->block_number + 1;
	listener->block_number = number;
}

void listener_read(struct listener *listener)
{
	void *block;
	uint64_t number;
	size_t size;

	while ((block = ring_lease(listener->ring, &size, &number))) {
		listener_take(listener, block, size, number);
		ring_release(listener->ring);
	}
}

static void read_statistics(struct listener *listener)
{
	struct ledger_statistics answer = { 0 };

	if (socket_statistics(listener->fd, &answer) < 0)
		return;
	listener->offered += answer.packets - answer.drops;
	listener->dropped += answer.drops;
}

static uint64_t read_all(struct listener *listeners, size_t count, uint64_t *ret_offered)
{
	uint64_t walked = 0;

	*ret_offered = 0;
	/* Not on a readable socket: poll may spin on a block that is kept, or sleep through one. */
	poll(NULL, 0, 1);
	for (size_t i = 0; i < count; i++) {
		listener_read(&listeners[i]);
		read_statistics(&listeners[i]);
		walked += listeners[i].walked;
		*ret_offered += listeners[i].offered;
	}
	return walked;
}

uint64_t listeners_drain(struct listener *listeners, size_t count, uint64_t expected)
{
	const uint64_t deadline = clock_monotonic_ns() + 5 * NSEC_PER_SEC;
	uint64_t walked = 0, offered;

	while (walked < expected && clock_monotonic_ns() < deadline)
		walked = read_all(listeners, count, &offered);
	for (size_t i = 0; i < count; i++)
		(void)filter_attach(listeners[i].fd, &filter_refuse_all);
	do
		walked = read_all(listeners, count, &offered);
	while (walked != offered && clock_monotonic_ns() < deadline);
	return walked;
}

void listener_close(struct listener *listener)
{
	ring_close(listener->ring);
	if (listener->fd >= 0)
		close(listener->fd);
	*listener = (struct listener) { .fd = -1 };
}
