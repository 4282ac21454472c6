/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/message.h"

/*
 * A SOCK_SEQPACKET pair: one end the supervisor's, one a worker's.  The end of the other side shows
 * as -EPIPE.
 */

/* Make both ends, close-on-exec and non-blocking.  Returns 0 or a negative errno. */
int channel_open(int ret_ends[2]);

/*
 * Send one message.  Waits up to a second where the other side is slow to read.  Returns 0, -EPIPE,
 * or -EAGAIN after that second: then it is not sent.
 */
int channel_send(int end, const struct message *message);

/*
 * Take the next message, without waiting.  Returns 1 and fills *ret_message, 0 where there is none,
 * -EPIPE at the end of the other side, -EPROTO for a message of another size.
 */
int channel_receive(int end, struct message *ret_message);
