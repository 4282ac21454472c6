/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <systemd/sd-event.h>

/*
 * Links coming, going and changing, as rtnetlink tells of them.  The one owner of libmnl.
 */
enum link_change { LINK_IS_UP, LINK_IS_DOWN, LINK_IS_GONE };

struct interfaces;

/*
 * `changed` is called for every word about a link, also where nothing changed that matters; with
 * a name of NULL where words were lost, and every link must be looked at.
 */
typedef void interfaces_changed(void *user, const char *name, int ifindex, enum link_change change);

/* Begin to listen.  Returns 0 or a negative errno. */
int interfaces_open(
    struct interfaces **ret_interfaces, sd_event *event, interfaces_changed *changed, void *user);
void interfaces_close(struct interfaces *interfaces);
