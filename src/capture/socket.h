/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"
#include "ledger/ledger.h"

#include <stdbool.h>

/*
 * The packet socket: the one thing whose making needs a right, so that the supervisor makes it and
 * a worker inherits it.
 */

/* An interface, as it is at the moment. */
struct link_state {
	uint64_t namespace; /* a number that its network namespace alone ever has; 0: not known */
	int ifindex;        /* 0: all of them */
	uint16_t arphrd;    /* ARPHRD_ */
	uint32_t link_type; /* LINKTYPE_ by which it is captured, once link_choose() has said it */
	uint32_t mtu;       /* 0: not one for all */
	bool is_up;
	bool has_carrier; /* or the device cannot tell */
	bool is_loopback;
};

/*
 * Make a packet socket that receives nothing yet, of protocol 0, in the place's namespace: one of
 * packets with their link header, or a cooked one, without (SOCK_DGRAM).  Needs CAP_NET_RAW.
 * Returns a descriptor or a negative errno.
 */
int socket_open(const struct place *place);
int socket_open_cooked(const struct place *place);

/*
 * A socket to ask for what concerns interfaces, in the place's namespace.  Returns a descriptor or
 * a negative errno.
 */
int socket_open_questions(const struct place *place);

/* Look at an interface.  Returns 0, -ENODEV where there is none, or a negative errno. */
int socket_interface(const struct place *place, struct link_state *ret_link);

/* The MTU that an interface has now, asked through any socket.  Returns 0 or a negative errno. */
int socket_mtu(int fd, int ifindex, uint32_t *ret_mtu);

/*
 * Bind a socket to a device for all protocols, so that it receives.  Returns 0, -ENODEV, -ENETDOWN
 * or another negative errno.
 */
int socket_bind(int fd, const struct place *place);

/*
 * Read PACKET_STATISTICS straight into a slot of the ledger, which must hold zeroes: reading clears
 * them in the kernel, and a kill between that and a copy would lose the count.  One reader at a
 * time.  Returns 0 or a negative errno.
 */
int socket_statistics(int fd, struct ledger_statistics *answer);

/* SO_COOKIE: the same in every duplicate; 0 where it cannot be told. */
uint64_t socket_cookie(int fd);

/* By what the kernel's list of packet sockets knows it; 0 where it cannot be told. */
uint64_t socket_inode(int fd);

/*
 * Mark a socket that is about to be closed, so that socket_is_held() can tell when it is out of its
 * fanout group, too.  Returns its inode; 0 where it cannot be told.
 */
uint64_t socket_mark(int fd);

/*
 * Whether any process still holds a descriptor of the packet socket of that inode, or the kernel is
 * not yet done with what a marked one was in.
 *
 * Whoever closes it last may be kept from the processor after the kernel has taken it from that
 * list, and before it takes it out of its fanout group.  Its memberships end after that, in every
 * kernel: the mark is one, in a group of the loopback interface, where it costs nothing, that no
 * other socket is in.
 *
 * Both lists are those of the place's namespace.  Returns 1, 0, or a negative errno where one of
 * them cannot be read.
 */
int socket_is_held(const struct place *place, uint64_t inode);

/* Where a socket has its place. */
struct socket_seat {
	uint64_t namespace; /* as of an interface in it */
	int ifindex;        /* -1: its interface is gone */
	uint16_t group;     /* the id of its fanout group */
};

/*
 * Ask a socket that has joined a group for its place; of another the kernel says 0, which is an id,
 * too.  Returns 0 or a negative errno.
 */
int socket_seat(int fd, struct socket_seat *ret_seat);

/*
 * Have the socket's interface show what is not for this host, too, or no more; all interfaces as
 * one are left as they are.  Ends with the socket.  Returns 0 or a negative errno.
 */
int socket_set_promiscuous(int fd, int ifindex, bool is_on);

/* Read and clear the pending error, such as -ENETDOWN; 0 where there is none. */
int socket_take_error(int fd);
