/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * What a group inherits from an earlier life of the service: the sockets that its workers captured
 * with, which came back from the descriptor store with their rings still filling.
 */

/*
 * Claim the sockets that are this group's and fit its ledger, and start a worker on each; what does
 * not fit is closed, with a word and the number of packets lost in it.  *ret_seat is where they
 * have their place.  Logs.  Returns how many workers were started.
 */
size_t inheritance_enter(struct group *group, struct socket_seat *ret_seat);
