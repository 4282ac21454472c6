/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes of a program one on a machine whose devices can stamp: FANCAP_TEST_DEVICE names the diary,
 * whose "TRANSMIT RECEIVE [ERRNO]" is the mode that the device is in, and how it refuses orders.
 */
#include "support/fake_device.h"

#include <linux/net_tstamp.h>
#include <stdio.h>
#include <stdlib.h>

static void begin(void) __attribute__((constructor));

static void begin(void)
{
	const char *path = getenv("FANCAP_TEST_DEVICE");
	FILE *diary = path ? fopen(path, "re") : NULL;

	if (!diary)
		return;
	fake_device = (struct fake_device) {
		.abilities = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE,
		.receive_filters = 1U << HWTSTAMP_FILTER_NONE | 1U << HWTSTAMP_FILTER_ALL,
		.transmit_types = 1U << HWTSTAMP_TX_OFF | 1U << HWTSTAMP_TX_ON,
		.clock = 4711,
		.needs_rights = true,
		.diary = path,
	};
	if (fscanf(diary, "%d %d %d", &fake_device.transmit, &fake_device.receive,
		&fake_device.refusal) < 2)
		abort();
	fclose(diary);
}
