/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/interfaces.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One namespace, and what listens in it. */
struct watch {
	struct interfaces *interfaces;
	char *territory;  /* "": our own */
	int namespace;    /* as in a place */
	int error;        /* of the last try to listen, which was told */
	bool is_unwanted; /* to be closed when no word of it is being told */
	struct mnl_socket *socket;
	sd_event_source *source;
};

struct interfaces {
	sd_event *event;
	interfaces_changed *changed;
	void *user;
	struct watch **watches; /* each stays where it is, since its source points to it */
	size_t count;
};

/* ---- what is told of links --------------------------------------------------------------- */

static void tell(
    const struct watch *watch, const char *device, int ifindex, enum link_change change)
{
	const struct interfaces *interfaces = watch->interfaces;

	interfaces->changed(interfaces->user, watch->territory, device, ifindex, change);
}

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
		tell(user, name, info->ifi_index, change);
	return MNL_CB_OK;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct watch *watch = user;
	char buffer[32768] __attribute__((aligned(8)));
	ssize_t n;

	(void)source;
	(void)fd;
	(void)events;
	while ((n = mnl_socket_recvfrom(watch->socket, buffer, sizeof(buffer))) > 0)
		(void)mnl_cb_run(buffer, (size_t)n, 0, 0, on_link, watch);
	if (n < 0 && errno == ENOBUFS)
		tell(watch, NULL, 0, LINK_IS_UP);
	return 0;
}

/* ---- listening --------------------------------------------------------------------------- */

static void stop_listening(struct watch *watch)
{
	watch->source = sd_event_source_disable_unref(watch->source);
	if (watch->socket)
		mnl_socket_close(watch->socket);
	watch->socket = NULL;
	if (watch->namespace >= 0)
		close(watch->namespace);
	watch->namespace = PLACE_NOWHERE;
}

static int open_socket(struct watch *watch)
{
	const struct place place = { watch->namespace, watch->territory, "" };
	int fd = place_socket(
	    &place, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return fd;
	watch->socket = mnl_socket_fdopen(fd);
	if (!watch->socket) {
		close(fd);
		return -ENOMEM;
	}
	if (mnl_socket_bind(watch->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return sd_event_add_io(
	    watch->interfaces->event, &watch->source, fd, EPOLLIN, on_readable, watch);
}

/* Returns 0, -ENODEV where the namespace is not there, or another negative errno, told once. */
static int listen_to(struct watch *watch)
{
	int r = 0;

	watch->namespace = PLACE_HERE;
	if (watch->territory[0]) {
		r = place_open(watch->territory);
		watch->namespace = r;
	}
	if (r >= 0)
		r = open_socket(watch);
	if (r < 0)
		stop_listening(watch);
	if (r < 0 && r != -ENODEV && r != watch->error)
		(void)log_failure(r, "cannot listen to the links of %s%s",
		    watch->territory[0] ? "network namespace " : "this machine", watch->territory);
	watch->error = r;
	return r < 0 ? r : 0;
}

static struct watch *find_watch(const struct interfaces *interfaces, const char *territory)
{
	for (size_t i = 0; interfaces && i < interfaces->count; i++)
		if (strcmp(interfaces->watches[i]->territory, territory) == 0)
			return interfaces->watches[i];
	return NULL;
}

static struct watch *make_watch(struct interfaces *interfaces, const char *territory)
{
	struct watch **all =
	    reallocarray(interfaces->watches, interfaces->count + 1, sizeof(struct watch *));
	struct watch *watch = calloc(1, sizeof(*watch));
	char *own = strdup(territory);

	if (all)
		interfaces->watches = all;
	if (!all || !watch || !own) {
		free(watch);
		free(own);
		return NULL;
	}
	*watch = (struct watch) {
		.interfaces = interfaces, .territory = own, .namespace = PLACE_NOWHERE
	};
	interfaces->watches[interfaces->count++] = watch;
	return watch;
}

static int begin_watch(struct interfaces *interfaces, const struct interface_config *interface)
{
	struct watch *watch = find_watch(interfaces, interface->namespace);
	int r = 0;

	if (watch) {
		watch->is_unwanted = false;
		return 0;
	}
	watch = make_watch(interfaces, interface->namespace);
	if (!watch)
		return log_failure(-ENOMEM, "cannot plan to listen to links");
	/* Now, and not only once the namespace is there. */
	if (interface->namespace[0])
		r = place_may_visit();
	if (r < 0)
		return log_failure(r,
		    "%s: cannot enter other network namespaces; that needs CAP_SYS_ADMIN, and in "
		    "the unit RestrictNamespaces=net: see the drop-in namespace.conf",
		    interface->name);
	r = listen_to(watch);
	return r == -ENODEV ? 0 : r;
}

DEFINE_CLEANUP(struct interfaces *, interfaces_close)

int interfaces_open(struct interfaces **ret_interfaces, sd_event *event,
    const struct config *config, interfaces_changed *changed, void *user)
{
	CLEANUP(interfaces_close_at) struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
	int r;

	if (!interfaces)
		return log_failure(-ENOMEM, "cannot plan to listen to links");
	interfaces->event = event;
	interfaces->changed = changed;
	interfaces->user = user;
	r = interfaces_add(interfaces, config);
	if (r < 0)
		return r;
	*ret_interfaces = TAKE(interfaces);
	return 0;
}

int interfaces_add(struct interfaces *interfaces, const struct config *config)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < config->interface_count; i++)
		r = begin_watch(interfaces, &config->interfaces[i]);
	return r;
}

static void close_watch(struct watch *watch)
{
	stop_listening(watch);
	free(watch->territory);
	free(watch);
}

static bool is_wanted(const struct watch *watch, const struct config *config)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (strcmp(config->interfaces[i].namespace, watch->territory) == 0)
			return true;
	return false;
}

void interfaces_keep(struct interfaces *interfaces, const struct config *config)
{
	for (size_t i = 0; i < interfaces->count; i++)
		interfaces->watches[i]->is_unwanted = !is_wanted(interfaces->watches[i], config);
}

static void close_unwanted(struct interfaces *interfaces)
{
	size_t count = 0;

	for (size_t i = 0; i < interfaces->count; i++) {
		struct watch *watch = interfaces->watches[i];

		if (watch->is_unwanted)
			close_watch(watch);
		else
			interfaces->watches[count++] = watch;
	}
	interfaces->count = count;
}

void interfaces_close(struct interfaces *interfaces)
{
	if (!interfaces)
		return;
	for (size_t i = 0; i < interfaces->count; i++)
		close_watch(interfaces->watches[i]);
	free(interfaces->watches);
	free(interfaces);
}

void interfaces_check(struct interfaces *interfaces)
{
	close_unwanted(interfaces);
	for (size_t i = 0; i < interfaces->count; i++) {
		struct watch *watch = interfaces->watches[i];

		if (!watch->territory[0])
			continue;
		/* Our sockets keep it alive; but what is configured is a name. */
		if (watch->namespace >= 0 && !place_still_is(watch->territory, watch->namespace)) {
			stop_listening(watch);
			tell(watch, NULL, 0, LINK_IS_GONE);
		}
		if (watch->namespace < 0 && listen_to(watch) == 0)
			tell(watch, NULL, 0, LINK_IS_UP);
	}
}

struct place interfaces_place(
    const struct interfaces *interfaces, const struct interface_config *interface)
{
	struct place place = { PLACE_HERE, "", interface->device };
	const struct watch *watch;

	if (!interface->namespace[0])
		return place;
	watch = find_watch(interfaces, interface->namespace);
	place.territory = interface->namespace;
	place.namespace = watch ? watch->namespace : PLACE_NOWHERE;
	return place;
}
