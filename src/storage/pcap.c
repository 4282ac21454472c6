/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/pcap.h"

void pcap_header(uint8_t *to, uint32_t link_type, uint32_t snaplen, enum file_resolution resolution)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t reserved[2];
		uint32_t snaplen, link_type;
	} header = {
		.magic = resolution == RESOLUTION_NS ? 0xa1b23c4d : 0xa1b2c3d4,
		.major = 2,
		.minor = 4,
		.snaplen = snaplen,
		.link_type = link_type,
	};

	_Static_assert(sizeof(header) == PCAP_HEADER_SIZE, "as the format has it");
	memcpy(to, &header, sizeof(header));
}
