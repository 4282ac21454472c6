/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Sending without a ring: one send(2) for a frame, which copies it.  To compare; transmit.[ch] is
 * what sends.
 */

/* Bind a socket of socket_open() for sending alone.  0 or a negative errno. */
int transmit_plain_open(int fd, int ifindex);

/* Send; blocks while the device has no room.  0, or the negative errno of what was refused. */
int transmit_plain(int fd, const uint8_t *bytes, uint32_t length);
