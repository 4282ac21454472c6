/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/cable.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEAR "near0"
#define FAR "far0"
#define RIGHTS "it needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW, or user namespaces"

/* ---- the namespace ----------------------------------------------------------------------- */

static int put(const char *path, const char *text)
{
	CLEANUP(close_at) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Without a map of users one is nobody there, and has no right at all. */
static int map_user(uid_t uid, gid_t gid)
{
	char users[64], groups[64];
	int r;

	snprintf(users, sizeof(users), "0 %u 1", (unsigned int)uid);
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned int)gid);
	r = put("/proc/self/setgroups", "deny");
	if (r == 0)
		r = put("/proc/self/uid_map", users);
	return r < 0 ? r : put("/proc/self/gid_map", groups);
}

/* By a right, by a limit that is 0, or by a kernel that has no user namespaces. */
static bool is_refusal(int error)
{
	return error == EPERM || error == ENOSPC || error == EUSERS || error == EINVAL;
}

static int enter_namespace(void)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	int r;

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (!is_refusal(errno))
		return -errno;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return is_refusal(errno) ? -EPERM : -errno;
	r = map_user(uid, gid);
	return r == -EACCES ? -EPERM : r;
}

/* ---- the cable --------------------------------------------------------------------------- */

struct link {
	struct mnl_socket *socket;
	struct nlmsghdr *message;
	unsigned int sequence;
	char buffer[4096] __attribute__((aligned(8)));
};

static void close_netlink(struct mnl_socket *socket)
{
	if (socket)
		(void)mnl_socket_close(socket);
}

DEFINE_CLEANUP(struct mnl_socket *, close_netlink)

static struct ifinfomsg *begin_message(struct link *link, uint16_t flags)
{
	struct ifinfomsg *info;

	link->message = mnl_nlmsg_put_header(link->buffer);
	link->message->nlmsg_type = RTM_NEWLINK;
	link->message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	link->message->nlmsg_seq = ++link->sequence;
	info = mnl_nlmsg_put_extra_header(link->message, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	return info;
}

static int send_message(struct link *link)
{
	const unsigned int port = mnl_socket_get_portid(link->socket);
	ssize_t n;

	if (mnl_socket_sendto(link->socket, link->message, link->message->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(link->socket, link->buffer, sizeof(link->buffer));
	if (n < 0 || mnl_cb_run(link->buffer, (size_t)n, link->sequence, port, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int make_pair(struct link *link, uint32_t mtu)
{
	struct nlattr *kind, *data, *peer;

	begin_message(link, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(link->message, IFLA_IFNAME, NEAR);
	mnl_attr_put_u32(link->message, IFLA_MTU, mtu);
	kind = mnl_attr_nest_start(link->message, IFLA_LINKINFO);
	mnl_attr_put_strz(link->message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(link->message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(link->message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(link->message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(link->message, IFLA_IFNAME, FAR);
	mnl_attr_put_u32(link->message, IFLA_MTU, mtu);
	mnl_attr_nest_end(link->message, peer);
	mnl_attr_nest_end(link->message, data);
	mnl_attr_nest_end(link->message, kind);
	return send_message(link);
}

/* Without an address there is nothing that IPv6 would send by itself; nor is there without IPv6. */
static void hush(struct link *link, int ifindex)
{
	struct nlattr *families, *family;

	begin_message(link, 0)->ifi_index = ifindex;
	families = mnl_attr_nest_start(link->message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(link->message, AF_INET6);
	mnl_attr_put_u8(link->message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(link->message, family);
	mnl_attr_nest_end(link->message, families);
	(void)send_message(link);
}

static int bring_up(struct link *link, int ifindex)
{
	struct ifinfomsg *info = begin_message(link, 0);

	info->ifi_index = ifindex;
	info->ifi_flags = info->ifi_change = IFF_UP;
	return send_message(link);
}

/* The far end comes second, with its carrier: it can send at once. */
static int lay(struct link *link, struct cable *ret_cable, uint32_t mtu)
{
	struct cable cable;
	int r = make_pair(link, mtu);

	if (r < 0)
		return r;
	cable.near = (int)if_nametoindex(NEAR);
	cable.far = (int)if_nametoindex(FAR);
	hush(link, cable.near);
	hush(link, cable.far);
	r = bring_up(link, cable.near);
	if (r == 0)
		r = bring_up(link, cable.far);
	if (r == 0)
		*ret_cable = cable;
	return r;
}

int cable_lay(struct cable *ret_cable, uint32_t mtu)
{
	CLEANUP(close_netlink_at) struct mnl_socket *socket = NULL;
	struct link link = { 0 };
	int r = enter_namespace();

	if (r < 0)
		return log_failure(
		    r, "cannot make a network namespace%s", r == -EPERM ? "; " RIGHTS : "");
	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return log_failure(-errno, "cannot talk to the kernel of links");
	link.socket = socket;
	r = lay(&link, ret_cable, mtu);
	if (r < 0)
		return log_failure(r, "cannot make a veth pair%s",
		    r == -EPERM        ? "; " RIGHTS
		    : r == -EOPNOTSUPP ? "; the kernel needs CONFIG_VETH"
				       : "");
	return 0;
}
