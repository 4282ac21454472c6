/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/interfaces.h"

#include "base/cleanup.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

struct interfaces {
	struct mnl_socket *socket;
	sd_event_source *source;
	interfaces_changed *changed;
	void *user;
};

static int find_name(const struct nlattr *attribute, void *user)
{
	const char **name = user;

	if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
	    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		*name = mnl_attr_get_str(attribute);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *header, void *user)
{
	struct interfaces *interfaces = user;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	enum link_change change = info->ifi_flags & IFF_UP ? LINK_IS_UP : LINK_IS_DOWN;
	const char *name = NULL;

	if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK)
		return MNL_CB_OK;
	/* A bridge's word about its ports: AF_BRIDGE, and no end of a link. */
	if (info->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	if (header->nlmsg_type == RTM_DELLINK)
		change = LINK_IS_GONE;
	(void)mnl_attr_parse(header, sizeof(*info), find_name, &name);
	if (name)
		interfaces->changed(interfaces->user, name, info->ifi_index, change);
	return MNL_CB_OK;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct interfaces *interfaces = user;
	char buffer[32768] __attribute__((aligned(8)));
	ssize_t n;

	(void)source;
	(void)fd;
	(void)events;
	while ((n = mnl_socket_recvfrom(interfaces->socket, buffer, sizeof(buffer))) > 0)
		(void)mnl_cb_run(buffer, (size_t)n, 0, 0, on_link, interfaces);
	if (n < 0 && errno == ENOBUFS)
		interfaces->changed(interfaces->user, NULL, 0, LINK_IS_UP);
	return 0;
}

DEFINE_CLEANUP(struct interfaces *, interfaces_close)

int interfaces_open(
    struct interfaces **ret_interfaces, sd_event *event, interfaces_changed *changed, void *user)
{
	CLEANUP(interfaces_close_at) struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
	int r;

	if (!interfaces)
		return -ENOMEM;
	interfaces->changed = changed;
	interfaces->user = user;
	interfaces->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!interfaces->socket ||
	    mnl_socket_bind(interfaces->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	r = sd_event_add_io(event, &interfaces->source, mnl_socket_get_fd(interfaces->socket),
	    EPOLLIN, on_readable, interfaces);
	if (r < 0)
		return r;
	*ret_interfaces = TAKE(interfaces);
	return 0;
}

void interfaces_close(struct interfaces *interfaces)
{
	if (!interfaces)
		return;
	sd_event_source_disable_unref(interfaces->source);
	if (interfaces->socket)
		mnl_socket_close(interfaces->socket);
	free(interfaces);
}
