/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/fake_device.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

struct fake_device fake_device;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);

static int fail(int error)
{
	errno = error;
	return -1;
}

static int tell_abilities(struct ethtool_ts_info *info)
{
	info->so_timestamping = fake_device.abilities;
	info->phc_index = fake_device.clock;
	info->tx_types = fake_device.transmit_types;
	info->rx_filters = fake_device.receive_filters;
	return 0;
}

static int tell_mode(struct hwtstamp_config *config)
{
	if (fake_device.keeps_mode_secret)
		return fail(EOPNOTSUPP);
	config->tx_type = fake_device.transmit;
	config->rx_filter = fake_device.receive;
	return 0;
}

/* The kernel refuses who may not order a device about, before it asks the device. */
static bool may_order(int fd, struct ifreq *envelope)
{
	return !fake_device.needs_rights || __real_ioctl(fd, SIOCSHWTSTAMP, envelope) >= 0 ||
	       errno != EPERM;
}

static int obey(int fd, struct ifreq *envelope)
{
	struct hwtstamp_config *config = (void *)envelope->ifr_data;
	FILE *diary;

	fake_device.orders++;
	if (fake_device.refusal)
		return fail(fake_device.refusal);
	if (!may_order(fd, envelope))
		return -1;
	if (config->rx_filter == HWTSTAMP_FILTER_ALL && fake_device.makes_of_it)
		config->rx_filter = fake_device.makes_of_it;
	fake_device.transmit = config->tx_type;
	fake_device.receive = config->rx_filter;
	diary = fake_device.diary ? fopen(fake_device.diary, "we") : NULL;
	if (diary) {
		fprintf(diary, "%d %d\n", fake_device.transmit, fake_device.receive);
		fclose(diary);
	}
	return 0;
}

/* ---- its clock ----------------------------------------------------------------------------- */

/* Some time of which only the distance matters. */
static struct ptp_clock_time at(int64_t ns)
{
	const int64_t all = INT64_C(1700000000) * (int64_t)NSEC_PER_SEC + ns;

	return (struct ptp_clock_time) { .sec = all / (int64_t)NSEC_PER_SEC,
		.nsec = (uint32_t)(all % (int64_t)NSEC_PER_SEC) };
}

static int read_precisely(struct ptp_sys_offset_precise *answer)
{
	if (!fake_device.reads_precisely)
		return fail(EOPNOTSUPP);
	answer->device = at(fake_device.ahead_ns);
	answer->sys_realtime = at(0);
	return 0;
}

/* Each reading takes 1 us on either side but for one, which is the one to believe: 100 ns. */
static int64_t width_of(unsigned int sample)
{
	return sample == 2 ? 100 : 1000 + sample;
}

static int read_extended(struct ptp_sys_offset_extended *answer)
{
	if (!fake_device.reads_extended)
		return fail(EOPNOTSUPP);
	for (unsigned int i = 0; i < answer->n_samples; i++) {
		answer->ts[i][0] = at(i * 100000);
		/* Late within all but the closest. */
		answer->ts[i][1] = at(i * 100000 + fake_device.ahead_ns + width_of(i) * 2 - 100);
		answer->ts[i][2] = at(i * 100000 + width_of(i) * 2);
	}
	return 0;
}

static int read_plainly(struct ptp_sys_offset *answer)
{
	for (unsigned int i = 0; i < answer->n_samples; i++) {
		answer->ts[2 * i] = at(i * 2000);
		answer->ts[2 * i + 1] = at(i * 2000 + 1000 + fake_device.ahead_ns);
	}
	answer->ts[2 * answer->n_samples] = at(answer->n_samples * INT64_C(2000));
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *envelope;
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	envelope = argument;
	switch (request) {
	case SIOCETHTOOL:
		if (*(const uint32_t *)envelope->ifr_data == ETHTOOL_GET_TS_INFO)
			return tell_abilities((void *)envelope->ifr_data);
		break;
	case SIOCGHWTSTAMP:
		return tell_mode((void *)envelope->ifr_data);
	case SIOCSHWTSTAMP:
		return obey(fd, envelope);
	case PTP_SYS_OFFSET_PRECISE:
		return fake_device.has_no_clock ? fail(ENOTTY) : read_precisely(argument);
	case PTP_SYS_OFFSET_EXTENDED:
		return fake_device.has_no_clock ? fail(ENOTTY) : read_extended(argument);
	case PTP_SYS_OFFSET:
		return fake_device.has_no_clock ? fail(ENOTTY) : read_plainly(argument);
	}
	return __real_ioctl(fd, request, argument);
}
