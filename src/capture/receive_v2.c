/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "capture/receive_frames.h"
#include "capture/receive_way.h"

#include <linux/if_packet.h>

/* TPACKET_V2: the same on every machine, nanoseconds, VLAN tags. */

static int open_ring(
    void **ret_state, int fd, const struct receive_plan *plan, struct ring_fault *ret_fault)
{
	return frames_open(ret_state, fd, TPACKET_V2, sizeof(struct tpacket2_hdr), plan, ret_fault);
}

static int next(void *state, int patience_ms, struct packet *ret_packet)
{
	struct frames *frames = state;
	struct tpacket2_hdr *head = frames_current(frames);

	if (frames->is_lent) {
		__atomic_store_n(&head->tp_status, (uint32_t)TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		frames_step(frames);
		head = frames_current(frames);
	}
	while (!(__atomic_load_n(&head->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
		int r = receive_wait(frames->fd, patience_ms);

		if (r <= 0)
			return r;
	}
	*ret_packet = (struct packet) {
		.time_ns = head->tp_sec * NSEC_PER_SEC + head->tp_nsec,
		.bytes = (const uint8_t *)head + head->tp_mac,
		.captured_length = head->tp_snaplen,
		.wire_length = head->tp_len,
		.vlan_tci = head->tp_vlan_tci,
		.vlan_tpid = head->tp_vlan_tpid,
		.flags = head->tp_status,
	};
	frames->is_lent = true;
	return 1;
}

const struct receive_way receive_v2 = {
	.open = open_ring,
	.next = next,
	.close = frames_close,
};
