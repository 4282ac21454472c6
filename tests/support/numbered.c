/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/numbered.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x464e554du

enum {
	ETHERNET = 14,
	TAG = 4,
	IPV4 = 20,
	IPV6 = 40,
	UDP = 8,
	MAGIC_AND_NUMBER = 12,
};

/* splitmix64: neighbours have nothing in common. */
static uint64_t mix(uint64_t number)
{
	uint64_t z = number + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

	return z ^ (z >> 31);
}

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;

	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, (uint16_t)(value >> 16)), (uint16_t)value);
}

static uint8_t *put64(uint8_t *at, uint64_t value)
{
	return put32(put32(at, (uint32_t)(value >> 32)), (uint32_t)value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | at[i];

	return value;
}

static size_t network_length(const struct numbered_plan *plan)
{
	return plan->ipv6 ? IPV6 : IPV4;
}

size_t numbered_udp_offset(const struct numbered_plan *plan)
{
	return ETHERNET + TAG * (size_t)plan->tag_count + network_length(plan);
}

size_t numbered_length(const struct numbered_plan *plan, uint64_t number)
{
	size_t least = numbered_udp_offset(plan) + UDP + MAGIC_AND_NUMBER;
	size_t length = plan->size;

	if (length == 0)
		length = number % 12 < 7 ? 60 : number % 12 < 11 ? 590 : 1514;
	length += TAG * (size_t)plan->tag_count;

	return length < least ? least : length;
}

uint32_t numbered_flow(const struct numbered_plan *plan, uint64_t number)
{
	return (uint32_t)((mix(number) >> 33) % plan->flows);
}

static uint8_t *put_link(const struct numbered_plan *plan, uint8_t *at, bool back)
{
	static const uint8_t ends[2][6] = { { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 1 } };

	memcpy(at, ends[back], 6);
	memcpy(at + 6, ends[!back], 6);
	at += 12;
	for (unsigned int i = 0; i < plan->tag_count; i++)
		at = put16(put16(at, plan->tags[i].tpid), plan->tags[i].tci);

	return put16(at, plan->ipv6 ? 0x86dd : 0x0800);
}

static uint16_t header_sum(const uint8_t *at, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;

	return (uint16_t)~sum;
}

static uint8_t *put_ipv4(uint8_t *at, size_t length, uint64_t number, uint32_t flow, bool back)
{
	uint32_t ends[2] = { 0x0a010000u + flow, 0x0a800000u + flow };

	put16(at, 0x4500);
	put16(at + 2, (uint16_t)length);
	put16(at + 4, (uint16_t)number);
	put16(at + 6, 0x4000);
	put16(at + 8, 0x4011);
	put16(at + 10, 0);
	put32(at + 12, ends[back]);
	put32(at + 16, ends[!back]);
	put16(at + 10, header_sum(at, IPV4));

	return at + IPV4;
}

static uint8_t *put_ipv6(uint8_t *at, size_t length, uint32_t flow, bool back)
{
	put32(at, 0x60000000u);
	put16(at + 4, (uint16_t)(length - IPV6));
	put16(at + 6, 0x1140);
	for (int i = 0; i < 2; i++) {
		uint8_t *address = at + 8 + 16 * i;

		/* The documentation's prefix, one host for each flow on each side. */
		put32(address, 0x20010db8u);
		put64(address + 4, (uint64_t)((i == 1) != back) + 1);
		put32(address + 12, flow);
	}

	return at + IPV6;
}

static void put_payload(uint8_t *at, const uint8_t *end, uint64_t number)
{
	uint64_t word = mix(~number);

	at = put64(put32(at, MAGIC), number);
	for (; at + sizeof(word) <= end; at += sizeof(word)) {
		memcpy(at, &word, sizeof(word));
		word += UINT64_C(0x9e3779b97f4a7c15);
	}
	memcpy(at, &word, (size_t)(end - at));
}

size_t numbered_build(const struct numbered_plan *plan, uint64_t number, uint8_t *frame)
{
	size_t length = numbered_length(plan, number);
	size_t packet = length - ETHERNET - TAG * (size_t)plan->tag_count;
	uint32_t flow = numbered_flow(plan, number);
	bool back = plan->both_directions && (mix(number) & 1);
	uint16_t ports[2] = { (uint16_t)(1024 + flow % 50000), (uint16_t)(4000 + flow % 7) };
	uint8_t *at = put_link(plan, frame, back);

	if (plan->ipv6)
		at = put_ipv6(at, packet, flow, back);
	else
		at = put_ipv4(at, packet, number, flow, back);
	at = put16(put16(at, ports[back]), ports[!back]);
	at = put16(put16(at, (uint16_t)(packet - network_length(plan))), 0);
	put_payload(at, frame + length, number);

	return length;
}

int numbered_find(
    const struct numbered_plan *plan, const uint8_t *frame, size_t length, uint64_t *ret_number)
{
	size_t offset = numbered_udp_offset(plan) + UDP;
	uint8_t magic[4];

	put32(magic, MAGIC);
	if (length < offset + MAGIC_AND_NUMBER || memcmp(frame + offset, magic, sizeof(magic)) != 0)
		return 0;
	*ret_number = get64(frame + offset + sizeof(magic));

	return 1;
}

int numbered_parse(const char *text, uint64_t *ret_value)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-')
		return -EINVAL;
	*ret_value = value;

	return 0;
}

static int add_tag(struct numbered_plan *plan, const char *text)
{
	char *end;
	unsigned long tpid = strtoul(text, &end, 16);
	unsigned long tci;

	if (*end != ':' || plan->tag_count == NUMBERED_TAGS_MAX)
		return -EINVAL;
	tci = strtoul(end + 1, &end, 16);
	if (*end != '\0' || tpid > UINT16_MAX || tci > UINT16_MAX)
		return -EINVAL;
	plan->tags[plan->tag_count++] =
	    (struct numbered_tag) { .tpid = (uint16_t)tpid, .tci = (uint16_t)tci };

	return 0;
}

static int parse_bounded(const char *text, uint64_t least, uint64_t most, uint32_t *ret_value)
{
	uint64_t value;

	if (numbered_parse(text, &value) < 0 || value < least || value > most)
		return -EINVAL;
	*ret_value = (uint32_t)value;

	return 0;
}

int numbered_option(struct numbered_plan *plan, int option, const char *value)
{
	switch (option) {
	case 'A':
		return numbered_parse(value, &plan->first);
	case 'B':
		return numbered_parse(value, &plan->count);
	case 'C':
		if (strcmp(value, "imix") == 0) {
			plan->size = 0;
			return 0;
		}
		return parse_bounded(value, 60, 65535 + ETHERNET, &plan->size);
	case 'D':
		return parse_bounded(value, 1, 1 << 22, &plan->flows);
	case 'E':
		plan->both_directions = true;
		return 0;
	case 'F':
		plan->ipv6 = true;
		return 0;
	case 'G':
		return add_tag(plan, value);
	default:
		return -EINVAL;
	}
}
