/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/sender.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int sender_open(const char *interface, enum sender_flags flags, struct sender *ret_sender)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int room = 4 << 20;
	int one = 1;
	int r = 0;

	if (fd < 0)
		return -errno;
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (address.sll_ifindex == 0)
		r = -ENODEV;
	if (r == 0 && (flags & SENDER_BYPASS))
		r = setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	if (r == 0 && (flags & SENDER_OFFLOAD))
		r = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one));
	if (r == 0)
		r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (r < 0) {
		r = r == -1 ? -errno : r;
		close(fd);
		return r;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	*ret_sender = (struct sender) { .fd = fd };

	return 0;
}

int sender_send(struct sender *sender, const struct sender_frame *frames, size_t count)
{
	struct mmsghdr messages[SENDER_BATCH_MAX] = { 0 };
	struct iovec parts[SENDER_BATCH_MAX];
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct iovec) { (void *)(uintptr_t)frames[i].bytes, frames[i].length };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		sender->bytes += frames[i].length;
	}
	while (done < count) {
		int r = sendmmsg(sender->fd, messages + done, (unsigned int)(count - done), 0);

		if (r > 0) {
			done += (size_t)r;
			continue;
		}
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return -errno;
		sender->retries++;
		sched_yield();
	}
	sender->sent += count;

	return 0;
}

uint64_t sender_device_drops(const char *interface)
{
	struct ifaddrs *all;
	uint64_t drops = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_PACKET)
			continue;
		if (strcmp(one->ifa_name, interface) == 0 && one->ifa_data != NULL)
			drops = ((struct rtnl_link_stats *)one->ifa_data)->tx_dropped;
	}
	freeifaddrs(all);

	return drops;
}

void sender_sleep_until(uint64_t instant_ns)
{
	struct timespec instant = {
		.tv_sec = (time_t)(instant_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(instant_ns % NSEC_PER_SEC),
	};

	/* Even a sleep that is over before it begins takes some 20 us. */
	if (clock_monotonic_ns() >= instant_ns)
		return;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL) == EINTR)
		;
}

int sender_pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);

	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}
