/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/stamps.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* How often a clock is read beside the system's; the closest pair counts. */
enum { SAMPLES = 9 };

/* ---- the device ---------------------------------------------------------------------------- */

/* By its index, as it may have another name by now. */
static int name_it(const struct stamps_order *order, struct ifreq *request)
{
	*request = (struct ifreq) { .ifr_ifindex = order->ifindex };
	return ioctl(order->fd, SIOCGIFNAME, request) < 0 ? -errno : 0;
}

static int ask_ability(const struct stamps_order *order, struct ethtool_ts_info *ret_info)
{
	struct ifreq request;
	int r = name_it(order, &request);

	if (r < 0)
		return r;
	*ret_info = (struct ethtool_ts_info) { .cmd = ETHTOOL_GET_TS_INFO };
	request.ifr_data = (void *)ret_info;
	return ioctl(order->fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* Ask for the mode, or order one: the driver may answer with another than was ordered. */
static int talk(const struct stamps_order *order, unsigned long what, struct stamps_mode *mode)
{
	struct hwtstamp_config config = {
		.tx_type = mode->transmit,
		.rx_filter = mode->receive,
	};
	struct ifreq request;
	int r = name_it(order, &request);

	if (r < 0)
		return r;
	request.ifr_data = (void *)&config;
	if (ioctl(order->fd, what, &request) < 0)
		return -errno;
	*mode = (struct stamps_mode) { config.tx_type, config.rx_filter };
	return 0;
}

static bool are_same(const struct stamps_mode *a, const struct stamps_mode *b)
{
	return a->transmit == b->transmit && a->receive == b->receive;
}

static int refuse(struct stamps_fault *ret_fault, const char *reason)
{
	ret_fault->reason = reason;
	return -EINVAL;
}

static int check_ability(
    struct stamps_order *order, struct ethtool_ts_info *info, struct stamps_fault *ret_fault)
{
	const uint32_t needed = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
	int r = ask_ability(order, info);

	if (r == -EOPNOTSUPP || (r == 0 && (info->so_timestamping & needed) != needed))
		return refuse(ret_fault, "the device stamps nothing that it receives");
	if (r < 0)
		return r;
	if (!(info->rx_filters & 1U << HWTSTAMP_FILTER_ALL))
		return refuse(ret_fault, "the device stamps PTP packets alone, not all");
	order->clock = info->phc_index;
	return 0;
}

/* What the order changes: nothing of what is sent, as far as that can be known. */
static int order_all(
    struct stamps_order *order, const struct ethtool_ts_info *info, struct stamps_fault *ret_fault)
{
	int r;

	order->now = (struct stamps_mode) { HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_ALL };
	if (order->knows_before)
		order->now.transmit = order->before.transmit;
	else if (info->tx_types & 1U << HWTSTAMP_TX_ON)
		order->now.transmit = HWTSTAMP_TX_ON;
	if (order->knows_before && are_same(&order->before, &order->now))
		return 0;
	r = talk(order, SIOCSHWTSTAMP, &order->now);
	if (r == -EOPNOTSUPP || r == -ERANGE || r == -EINVAL)
		return refuse(ret_fault, "its driver takes no order to stamp all packets");
	if (r < 0 || order->now.receive == HWTSTAMP_FILTER_ALL)
		return r;
	if (order->knows_before)
		(void)talk(order, SIOCSHWTSTAMP, &order->before);
	return refuse(ret_fault, "its driver was told to stamp all packets, and does not");
}

int stamps_begin(
    struct stamps_order *ret_order, const struct place *place, struct stamps_fault *ret_fault)
{
	struct stamps_order order = { .fd = socket_open_questions(place), .clock = -1 };
	struct ethtool_ts_info info;
	struct link_state link;
	int r = order.fd < 0 ? order.fd : socket_interface(place, &link);

	ret_fault->reason = NULL;
	if (r >= 0) {
		order.ifindex = link.ifindex;
		r = check_ability(&order, &info, ret_fault);
	}
	if (r >= 0) {
		order.knows_before = talk(&order, SIOCGHWTSTAMP, &order.before) == 0;
		r = order_all(&order, &info, ret_fault);
	}
	if (r < 0) {
		stamps_leave(&order);
		return r;
	}
	*ret_order = order;
	return 0;
}

int stamps_again(const struct stamps_order *order)
{
	struct stamps_mode mode = order->now, found = { 0 };

	if (order->fd < 0 ||
	    (talk(order, SIOCGHWTSTAMP, &found) == 0 && are_same(&found, &order->now)))
		return 0;
	return talk(order, SIOCSHWTSTAMP, &mode);
}

int stamps_end(struct stamps_order *order)
{
	struct stamps_mode found = { 0 };
	int r = 0;

	if (order->fd >= 0 && order->knows_before && !are_same(&order->before, &order->now))
		r = talk(order, SIOCGHWTSTAMP, &found);
	if (r == 0 && are_same(&found, &order->now))
		r = talk(order, SIOCSHWTSTAMP, &order->before);
	stamps_leave(order);
	/* With its device the order is gone, too. */
	return r == -ENODEV ? 0 : r;
}

void stamps_leave(struct stamps_order *order)
{
	close_at(&order->fd);
}

/* ---- its clock ----------------------------------------------------------------------------- */

int stamps_open_clock(int clock)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ptp%d", clock);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int64_t to_ns(const struct ptp_clock_time *time)
{
	return (int64_t)time->sec * (int64_t)NSEC_PER_SEC + time->nsec;
}

/* The closest pair of readings: the system's, the clock's, the system's again. */
struct closest {
	int64_t width, offset;
};

static void consider(struct closest *closest, const struct ptp_clock_time reading[3])
{
	int64_t before = to_ns(&reading[0]), after = to_ns(&reading[2]);

	if (after - before >= closest->width)
		return;
	closest->width = after - before;
	closest->offset = to_ns(&reading[1]) - (before + closest->width / 2);
}

static int read_precise(int fd, struct closest *ret_closest)
{
	struct ptp_sys_offset_precise answer = { 0 };

	if (ioctl(fd, PTP_SYS_OFFSET_PRECISE, &answer) < 0)
		return -errno;
	ret_closest->offset = to_ns(&answer.device) - to_ns(&answer.sys_realtime);
	return 0;
}

static int read_extended(int fd, struct closest *ret_closest)
{
	struct ptp_sys_offset_extended answer = { .n_samples = SAMPLES };

	if (ioctl(fd, PTP_SYS_OFFSET_EXTENDED, &answer) < 0)
		return -errno;
	for (size_t i = 0; i < SAMPLES; i++)
		consider(ret_closest, answer.ts[i]);
	return 0;
}

static int read_plain(int fd, struct closest *ret_closest)
{
	struct ptp_sys_offset answer = { .n_samples = SAMPLES };

	if (ioctl(fd, PTP_SYS_OFFSET, &answer) < 0)
		return -errno;
	for (size_t i = 0; i < SAMPLES; i++)
		consider(ret_closest, &answer.ts[2 * i]);
	return 0;
}

int stamps_offset(int fd, int64_t *ret_ns)
{
	static int (*const ways[])(int fd, struct closest *ret_closest) = {
		read_precise,
		read_extended,
		read_plain,
	};
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < COUNT_OF(ways) && r < 0; i++) {
		struct closest closest = { .width = INT64_MAX };

		r = ways[i](fd, &closest);
		if (r == 0)
			*ret_ns = closest.offset;
	}
	return r;
}
