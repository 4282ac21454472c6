/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "capture/receive_frames.h"
#include "capture/receive_way.h"

#include <linux/if_packet.h>

/* TPACKET_V1: a status of the machine's word size, microseconds, no VLAN tag. */

static int open_ring(
    void **ret_state, int fd, const struct receive_plan *plan, struct ring_fault *ret_fault)
{
	return frames_open(ret_state, fd, TPACKET_V1, sizeof(struct tpacket_hdr), plan, ret_fault);
}

static int next(void *state, int patience_ms, struct packet *ret_packet)
{
	struct frames *frames = state;
	struct tpacket_hdr *head = frames_current(frames);

	if (frames->is_lent) {
		__atomic_store_n(
		    &head->tp_status, (unsigned long)TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		frames_step(frames);
		head = frames_current(frames);
	}
	while (!(__atomic_load_n(&head->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
		int r = receive_wait(frames->fd, patience_ms);

		if (r <= 0)
			return r;
	}
	*ret_packet = (struct packet) {
		.time_ns = head->tp_sec * NSEC_PER_SEC + head->tp_usec * NSEC_PER_USEC,
		.bytes = (const uint8_t *)head + head->tp_mac,
		.captured_length = head->tp_snaplen,
		.wire_length = head->tp_len,
		.flags = (uint32_t)head->tp_status,
	};
	frames->is_lent = true;
	return 1;
}

const struct receive_way receive_v1 = {
	.open = open_ring,
	.next = next,
	.close = frames_close,
};
