/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/probe.h"

#include <linux/if_ether.h>
#include <string.h>

/* Who sees it by accident should see that it is nobody's: an address of local use, and the
 * EtherType that IEEE 802 leaves to experiments. */
static const uint8_t header[ETH_HLEN] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
static const char mark[8] = { 'f', 'a', 'n', 'c', 'a', 'p', ' ', 'm' };

enum {
	MARK_AT = ETH_HLEN,
	PROBE_AT = MARK_AT + sizeof(mark),
	END = PROBE_AT + sizeof(struct probe),
};

void probe_begin(uint8_t *frame, uint32_t size)
{
	memset(frame, 0, size);
	memcpy(frame, header, sizeof(header));
	memcpy(frame + MARK_AT, mark, sizeof(mark));
}

void probe_write(uint8_t *frame, const struct probe *probe)
{
	memcpy(frame + PROBE_AT, probe, sizeof(*probe));
}

bool probe_read(const struct packet *packet, struct probe *ret_probe)
{
	if (packet->captured_length < END ||
	    memcmp(packet->bytes + MARK_AT, mark, sizeof(mark)) != 0)
		return false;
	memcpy(ret_probe, packet->bytes + PROBE_AT, sizeof(*ret_probe));
	return true;
}

void probe_count(struct probe_tally *tally, const struct probe *probe)
{
	tally->received++;
	if (probe->number < tally->next)
		tally->disordered++;
	else
		tally->next = probe->number + 1;
}
