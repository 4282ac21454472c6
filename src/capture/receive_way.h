/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/receive.h"

/*
 * What a way of receiving is, for receive.c and the files of the ways alone.  `open` leaves what it
 * made in *ret_state, also where it fails; `close` accepts what is half made.
 */
struct receive_way {
	int (*open)(void **ret_state, int fd, const struct receive_plan *plan,
	    struct ring_fault *ret_fault);
	int (*next)(void *state, int patience_ms, struct packet *ret_packet);
	void (*close)(void *state);
};

extern const struct receive_way receive_plain, receive_v1, receive_v2, receive_v3;

/* Bind for all that the interface sees, as the daemon does.  0 or a negative errno. */
int receive_bind(int fd, int ifindex);

/*
 * Wait until the socket has something: 1, 0 where it had not for so long, or a negative errno.
 * What was lent must be given back before, or it says 1 for ever.
 */
int receive_wait(int fd, int patience_ms);
