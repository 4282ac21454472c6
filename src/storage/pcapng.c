/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/pcapng.h"

#include "base/array.h"

#define BYTE_ORDER_MAGIC 0x1a2b3c4dU

enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_RESOLUTION = 9,
	INTERFACE_FILTER = 11,
	STATISTICS_BEGUN = 2,
	STATISTICS_ENDED = 3,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
	STATISTICS_DELIVERED = 8,
};

/* A block that grows; every part of it is whole words. */
struct growth {
	uint8_t *start;
	size_t size;
};

static void put(struct growth *growth, const void *bytes, size_t size)
{
	const size_t padded = pcapng_padded((uint32_t)size);

	memcpy(growth->start + growth->size, bytes, size);
	memset(growth->start + growth->size + size, 0, padded - size);
	growth->size += padded;
}

static void put_option(struct growth *growth, uint16_t code, const void *value, size_t size)
{
	const uint16_t head[] = { code, (uint16_t)size };

	put(growth, head, sizeof(head));
	put(growth, value, size);
}

static void put_text(struct growth *growth, uint16_t code, const char *text, size_t most)
{
	if (text && text[0])
		put_option(growth, code, text, strnlen(text, most));
}

/* Of 64 bits that the format has as two words, the high one first. */
static void put_wide(struct growth *growth, uint16_t code, uint64_t value)
{
	const uint32_t words[] = { (uint32_t)(value >> 32), (uint32_t)value };

	put_option(growth, code, words, sizeof(words));
}

static void put_count(struct growth *growth, uint16_t code, uint64_t value)
{
	put_option(growth, code, &value, sizeof(value));
}

static struct growth begin(uint8_t *to, uint32_t type)
{
	struct growth growth = { .start = to };
	const uint32_t head[] = { type, 0 };

	put(&growth, head, sizeof(head));
	return growth;
}

static size_t end(struct growth *growth)
{
	const uint32_t none = OPTION_END, size = (uint32_t)growth->size + 8;

	put(growth, &none, sizeof(none));
	put(growth, &size, sizeof(size));
	memcpy(growth->start + 4, &size, sizeof(size));
	return size;
}

static size_t describe_section(uint8_t *to, const struct pcapng_head *head)
{
	/* Of no known length: the file still grows. */
	static const uint32_t unknown[] = { UINT32_MAX, UINT32_MAX };
	static const uint16_t version[] = { 1, 0 };
	const uint32_t magic = BYTE_ORDER_MAGIC;
	struct growth growth = begin(to, PCAPNG_SECTION);

	put(&growth, &magic, sizeof(magic));
	put(&growth, version, sizeof(version));
	put(&growth, unknown, sizeof(unknown));
	put_text(&growth, SECTION_APPLICATION, head->application, 64);
	return end(&growth);
}

static size_t describe_interface(uint8_t *to, const struct pcapng_head *head)
{
	const uint16_t link[] = { (uint16_t)head->link_type, 0 };
	const uint8_t power = head->resolution == RESOLUTION_NS ? 9 : 6;
	size_t length = head->filter ? strlen(head->filter) : 0;
	uint8_t filter[1 + PCAPNG_FILTER_MOST] = { 0 }; /* 0: a pcap-filter(7) follows */
	struct growth growth = begin(to, PCAPNG_INTERFACE);

	put(&growth, link, sizeof(link));
	put(&growth, &head->snaplen, sizeof(head->snaplen));
	put_text(&growth, INTERFACE_NAME, head->interface, 64);
	/* A part of one would be another. */
	if (length > 0 && length <= PCAPNG_FILTER_MOST) {
		memcpy(filter + 1, head->filter, length);
		put_option(&growth, INTERFACE_FILTER, filter, 1 + length);
	}
	put_option(&growth, INTERFACE_RESOLUTION, &power, sizeof(power));
	return end(&growth);
}

size_t pcapng_head(uint8_t *to, const struct pcapng_head *head)
{
	size_t size = describe_section(to, head);

	return size + describe_interface(to + size, head);
}

size_t pcapng_statistics(
    uint8_t *to, const struct pcapng_statistics *statistics, enum file_resolution resolution)
{
	const uint32_t interface = 0, unit = resolution == RESOLUTION_US ? 1000 : 1;
	const uint64_t begun = statistics->begun_ns / unit, now = statistics->now_ns / unit;
	const uint32_t stamp[] = { (uint32_t)(now >> 32), (uint32_t)now };
	struct growth growth = begin(to, PCAPNG_STATISTICS);

	put(&growth, &interface, sizeof(interface));
	put(&growth, stamp, sizeof(stamp));
	put_text(&growth, OPTION_COMMENT, statistics->comment, PCAPNG_COMMENT_MOST - 1);
	put_wide(&growth, STATISTICS_BEGUN, begun);
	put_wide(&growth, STATISTICS_ENDED, now);
	put_count(&growth, STATISTICS_RECEIVED,
	    statistics->delivered + statistics->dropped + statistics->discarded);
	put_count(&growth, STATISTICS_DROPPED, statistics->dropped);
	put_count(&growth, STATISTICS_DELIVERED, statistics->delivered);
	return end(&growth);
}
