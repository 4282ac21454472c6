/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"
#include "config/config.h"

#include <systemd/sd-event.h>

/*
 * Where a sensor's interfaces are, and how they come, go and change, as rtnetlink tells of them in
 * each network namespace that one of them is in.  The one owner of libmnl.
 */
enum link_change { LINK_IS_UP, LINK_IS_DOWN, LINK_IS_GONE };

struct interfaces;

/*
 * `changed` is called for every word about a link, also where nothing changed that matters; with
 * a device of NULL where every link of that namespace must be looked at, since words were lost or
 * the namespace came or went.
 */
typedef void interfaces_changed(
    void *user, const char *territory, const char *device, int ifindex, enum link_change change);

/*
 * Begin to listen in the namespace of each interface; one that is not there is waited for.  Logs.
 * Returns 0 or a negative errno.
 */
int interfaces_open(struct interfaces **ret_interfaces, sd_event *event,
    const struct config *config, interfaces_changed *changed, void *user);
void interfaces_close(struct interfaces *interfaces);

/* The same for those of another configuration too; and no more for any that is not in one. */
int interfaces_add(struct interfaces *interfaces, const struct config *config);
void interfaces_keep(struct interfaces *interfaces, const struct config *config);

/* Look whether namespaces came or went, since nothing tells of that; a call or two for each. */
void interfaces_check(struct interfaces *interfaces);

/*
 * Where an interface is at present.  The place is good until the next interfaces_check(), or for
 * ever in our own namespace, for which `interfaces` may be NULL.
 */
struct place interfaces_place(
    const struct interfaces *interfaces, const struct interface_config *interface);
