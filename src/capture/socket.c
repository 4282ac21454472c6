/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/socket.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* The same in each namespace: it is made with it. */
enum { LOOPBACK_INDEX = 1 };

int socket_open(const struct place *place)
{
	return place_socket(place, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

int socket_open_cooked(const struct place *place)
{
	return place_socket(place, AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int socket_open_questions(const struct place *place)
{
	/* Any family answers these; this one is open to every unit. */
	return place_socket(place, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static uint64_t namespace_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

int socket_interface(const struct place *place, struct link_state *ret_link)
{
	CLEANUP(close_at) int fd = socket_open_questions(place);
	struct link_state link = { 0 };
	struct ifreq request = { 0 };

	if (fd < 0)
		return fd;
	link.namespace = namespace_of(fd);
	if (strcmp(place->device, INTERFACE_ANY) == 0) {
		link.arphrd = ARPHRD_VOID;
		link.is_up = true;
		*ret_link = link;
		return 0;
	}
	/* Cut, it could be the name of another. */
	if (strlen(place->device) >= sizeof(request.ifr_name))
		return -ENODEV;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", place->device);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	link.ifindex = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	link.is_up = request.ifr_flags & IFF_UP;
	link.has_carrier = request.ifr_flags & IFF_RUNNING;
	link.is_loopback = request.ifr_flags & IFF_LOOPBACK;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	link.arphrd = request.ifr_hwaddr.sa_family;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	link.mtu = (uint32_t)request.ifr_mtu;
	*ret_link = link;
	return 0;
}

int socket_mtu(int fd, int ifindex, uint32_t *ret_mtu)
{
	struct ifreq request = { .ifr_ifindex = ifindex };

	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	*ret_mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

int socket_bind(int fd, const struct place *place)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	struct link_state link;
	int r = socket_interface(place, &link);

	if (r < 0)
		return r;
	address.sll_ifindex = link.ifindex;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

_Static_assert(
    sizeof(struct ledger_statistics) == sizeof(struct tpacket_stats_v3) &&
	offsetof(struct ledger_statistics, packets) ==
	    offsetof(struct tpacket_stats_v3, tp_packets) &&
	offsetof(struct ledger_statistics, drops) == offsetof(struct tpacket_stats_v3, tp_drops) &&
	offsetof(struct ledger_statistics, freezes) ==
	    offsetof(struct tpacket_stats_v3, tp_freeze_q_cnt),
    "the kernel's answer goes straight into the ledger");

int socket_statistics(int fd, struct ledger_statistics *answer)
{
	socklen_t length = sizeof(*answer);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, answer, &length) < 0 ? -errno : 0;
}

uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

uint64_t socket_inode(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

/* A group address that nobody else has; the least of its first byte's bits make it one. */
static void make_mark(uint8_t mark[ETH_ALEN], uint64_t inode)
{
	mark[0] = 0x03;
	for (size_t i = 1; i < ETH_ALEN; i++)
		mark[i] = (uint8_t)(inode >> 8 * (ETH_ALEN - 1 - i));
}

uint64_t socket_mark(int fd)
{
	struct packet_mreq membership = {
		.mr_ifindex = LOOPBACK_INDEX,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = ETH_ALEN,
	};
	const uint64_t inode = socket_inode(fd);

	make_mark(membership.mr_address, inode);
	/* Without it, for want of memory, there is still the list of sockets. */
	(void)setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership));
	return inode;
}

/* Of this thread, which may be visiting another namespace. */
static int open_list(void *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool names_socket(const char *line, uint64_t inode)
{
	uint64_t one;

	return sscanf(line, "%*s %*d %*d %*x %*d %*d %*u %*u %" SCNu64, &one) == 1 && one == inode;
}

static bool names_mark(const char *line, uint64_t inode)
{
	uint8_t mark[ETH_ALEN];
	uint64_t one, own = 0;
	int ifindex;

	make_mark(mark, inode);
	for (size_t i = 0; i < ETH_ALEN; i++)
		own = own << 8 | mark[i];
	return sscanf(line, "%d %*s %*d %*d %" SCNx64, &ifindex, &one) == 2 &&
	       ifindex == LOOPBACK_INDEX && one == own;
}

static int is_in_list(const struct place *place, char *path,
    bool (*names)(const char *line, uint64_t inode), uint64_t inode)
{
	int fd = place_visit(place, open_list, path);
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	char line[256];
	int is_there = 0;

	if (fd < 0)
		return fd;
	if (!list) {
		close(fd);
		return -ENOMEM;
	}
	while (!is_there && fgets(line, sizeof(line), list))
		is_there = names(line, inode);
	if (ferror(list))
		is_there = -EIO;
	fclose(list);
	return is_there;
}

int socket_is_held(const struct place *place, uint64_t inode)
{
	static char sockets[] = "/proc/thread-self/net/packet";
	static char marks[] = "/proc/thread-self/net/dev_mcast";
	int r = is_in_list(place, sockets, names_socket, inode);

	/* In this order: the mark is what goes last. */
	return r != 0 ? r : is_in_list(place, marks, names_mark, inode);
}

int socket_seat(int fd, struct socket_seat *ret_seat)
{
	struct sockaddr_ll address = { 0 };
	socklen_t length = sizeof(address);
	uint32_t fanout = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	if (address.sll_family != AF_PACKET)
		return -EPROTOTYPE;
	length = sizeof(fanout);
	if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &fanout, &length) < 0)
		return -errno;
	*ret_seat = (struct socket_seat) {
		.namespace = namespace_of(fd),
		.ifindex = address.sll_ifindex,
		.group = (uint16_t)(fanout & 0xffff),
	};
	return 0;
}

int socket_set_promiscuous(int fd, int ifindex, bool is_on)
{
	const struct packet_mreq membership = {
		.mr_ifindex = ifindex,
		.mr_type = PACKET_MR_PROMISC,
	};
	const int option = is_on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;

	if (ifindex == 0)
		return 0;
	return setsockopt(fd, SOL_PACKET, option, &membership, sizeof(membership)) < 0 ? -errno : 0;
}

int socket_take_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -errno : -error;
}
