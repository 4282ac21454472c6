/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The way of a packet before the kernel can offer it: what the device and the stack do to it, and
 * what the device lost.  Read by SIOCETHTOOL and rtnetlink; needs no right; does not wait for
 * anything but the kernel.
 */
enum device_feature {
	DEVICE_GRO,     /* packets that came are joined */
	DEVICE_LRO,     /* the same by the device */
	DEVICE_GSO,     /* what is sent is cut up late, behind where it is captured */
	DEVICE_TSO,     /* the same by the device */
	DEVICE_RX_VLAN, /* tags are taken out */
	DEVICE_FEATURE_COUNT_,
};

struct device_facts {
	char name[16];
	char territory[48];                  /* its namespace; "" for our own */
	char driver[32];                     /* "" where it does not say */
	bool feature[DEVICE_FEATURE_COUNT_]; /* whether it is on */
	uint32_t ring_size, ring_most;       /* descriptors to receive into; 0: it does not say */
	uint32_t receive_queues;             /* 0: it does not say */
	uint64_t dropped;                    /* as device_dropped() */
};

/* Look at a device.  Returns 0, -ENODEV where there is none, or a negative errno. */
int device_look(const struct place *place, struct device_facts *ret_facts);

/*
 * What was lost before a packet socket could see it, since the device was made: rx_dropped and
 * rx_missed_errors of struct rtnl_link_stats64, the `drop` of /proc/net/dev.  Returns 0, -ENODEV,
 * or a negative errno.
 */
int device_dropped(const struct place *place, int ifindex, uint64_t *ret_dropped);

/* The feature's name as ethtool(8) spells it in -K, such as "gro". */
const char *device_feature_name(enum device_feature feature);

/*
 * Put into words what a sensor's owner should know of a device that so many workers read from, one
 * sentence a call.
 */
typedef void device_tell(void *user, const char *sentence);
void device_advise(
    const struct device_facts *facts, uint64_t workers, device_tell *tell, void *user);
