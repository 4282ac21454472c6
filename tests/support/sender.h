/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Sends frames out of an interface of the current namespace through a packet socket that sees
 * nothing itself.  What the kernel has no room for is offered again, so that sent is what was
 * asked.
 */
struct sender {
	int fd;
	uint64_t sent;
	uint64_t bytes;
	uint64_t retries; /* frames offered again */
};

enum {
	SENDER_BATCH_MAX = 64,
	/* What precedes each frame where the socket takes a struct virtio_net_hdr. */
	SENDER_OFFLOAD_HEADER = 10,
};

enum sender_flags {
	SENDER_BYPASS = 1 << 0,  /* around the queueing discipline, and unseen by local sockets */
	SENDER_OFFLOAD = 1 << 1, /* each frame is preceded by a struct virtio_net_hdr */
};

struct sender_frame {
	const void *bytes;
	size_t length;
};

/* 0 or negative errno. */
int sender_open(const char *interface, enum sender_flags flags, struct sender *ret_sender);

/* Send all of at most SENDER_BATCH_MAX frames, blocking.  0, or what the kernel refused. */
int sender_send(struct sender *sender, const struct sender_frame *frames, size_t count);

/* Frames that the device dropped on its way out since it was made, or 0 where it does not tell. */
uint64_t sender_device_drops(const char *interface);

/* Sleep until an instant of the monotonic clock, in nanoseconds. */
void sender_sleep_until(uint64_t instant_ns);

/* Run on one CPU only.  0 or negative errno. */
int sender_pin(unsigned int cpu);
