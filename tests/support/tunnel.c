/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/tunnel.h"

#include "base/array.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define MAGIC 0x54554e4eu

enum { LAYERS_MOST = 12 };

/* A frame that grows from its end to its beginning. */
struct builder {
	const struct tunnel_frame *frame;
	uint8_t room[TUNNEL_LENGTH_MAX];
	size_t begin;
	uint16_t type;     /* the EtherType of what is there */
	uint8_t protocol;  /* the same, where IP carries it */
	bool is_innermost; /* no IP header yet */
	bool has_options, is_fragment;
};

static uint8_t *prepend(struct builder *builder, size_t length)
{
	builder->begin -= length;
	memset(builder->room + builder->begin, 0, length);
	return builder->room + builder->begin;
}

static size_t length_of(const struct builder *builder)
{
	return sizeof(builder->room) - builder->begin;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What each direction chooses for itself. */
static uint32_t whim(const struct builder *builder)
{
	return builder->frame->flow * 2654435761U + builder->frame->back * 40503U;
}

/* ---- ends -------------------------------------------------------------------------------- */

static uint32_t inner_host(const struct tunnel_frame *frame, bool second)
{
	if (frame->ends == TUNNEL_PORTS)
		return second ? 0x0a800001 : 0x0a000001;
	if (frame->ends == TUNNEL_MIRRORED && second)
		return 0x0a80ffff - frame->flow;
	return (second ? 0x0a800000 : 0x0a000000) + frame->flow;
}

static uint16_t inner_port(const struct tunnel_frame *frame, bool second)
{
	if (second)
		return 443;
	return frame->ends == TUNNEL_PORTS ? (uint16_t)(1024 + frame->flow) : 40000;
}

static uint32_t host(const struct builder *builder, bool second)
{
	if (builder->is_innermost)
		return inner_host(builder->frame, second);
	return second ? 0xc0000202 : 0xc0000201;
}

/* ---- layers ------------------------------------------------------------------------------ */

static void put_payload(struct builder *builder)
{
	uint8_t *mark = prepend(builder, TUNNEL_MARK);

	put32(mark, MAGIC);
	put32(mark + 4, builder->frame->kind);
	put32(mark + 8, builder->frame->flow);
	put32(mark + 12, builder->frame->back);
	prepend(builder, builder->frame->payload);
	builder->is_innermost = true;
}

static void put_ports(struct builder *builder, uint8_t *at)
{
	const struct tunnel_frame *frame = builder->frame;

	put16(at, inner_port(frame, frame->back));
	put16(at + 2, inner_port(frame, !frame->back));
}

static void put_tcp(struct builder *builder)
{
	uint8_t *at = prepend(builder, 20);

	put_ports(builder, at);
	at[12] = 0x50;
	at[13] = 0x10;
	builder->protocol = IPPROTO_TCP;
}

static void put_udp(struct builder *builder)
{
	size_t length = length_of(builder) + 8;
	uint8_t *at = prepend(builder, 8);

	put_ports(builder, at);
	put16(at + 4, (uint32_t)length);
	builder->protocol = IPPROTO_UDP;
}

static void put_icmp(struct builder *builder)
{
	uint8_t *at = prepend(builder, 8);

	at[0] = builder->frame->back ? 0 : 8;
	builder->protocol = IPPROTO_ICMP;
}

static void with_options(struct builder *builder)
{
	builder->has_options = true;
}

static void as_fragment(struct builder *builder)
{
	builder->is_fragment = true;
}

static void put_sum(uint8_t *at, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(at + 10, ~(sum + (sum >> 16)));
}

static void put_ipv4(struct builder *builder)
{
	size_t head = builder->has_options ? 32 : 20;
	bool back = builder->frame->back;
	uint8_t *at;

	if (builder->is_fragment)
		/* Where ports would be, it has something else each time. */
		put32(prepend(builder, 8), whim(builder));
	at = prepend(builder, head);
	at[0] = (uint8_t)(0x40 | head / 4);
	put16(at + 2, (uint32_t)length_of(builder));
	put16(at + 6, builder->is_fragment ? 0x2005 : 0x4000);
	at[8] = 64;
	at[9] = builder->protocol;
	put32(at + 12, host(builder, back));
	put32(at + 16, host(builder, !back));
	memset(at + 20, 1, head - 20);
	put_sum(at, head);
	builder->type = ETH_P_IP;
	builder->protocol = IPPROTO_IPIP;
	builder->is_innermost = builder->has_options = builder->is_fragment = false;
}

static void put_ipv6(struct builder *builder)
{
	size_t length = length_of(builder);
	uint8_t *at = prepend(builder, 40);

	at[0] = 0x60;
	put16(at + 4, (uint32_t)length);
	at[6] = builder->protocol;
	at[7] = 64;
	for (int i = 0; i < 2; i++) {
		put32(at + 8 + 16 * i, 0x20010db8);
		put32(at + 20 + 16 * i, host(builder, builder->frame->back != (i == 1)));
	}
	builder->type = ETH_P_IPV6;
	builder->protocol = IPPROTO_IPV6;
	builder->is_innermost = false;
}

/* Hop-by-hop, routing, authentication, destination options. */
static void put_extensions(struct builder *builder)
{
	static const struct {
		uint8_t protocol, length, field;
	} rows[] = { { IPPROTO_DSTOPTS, 16, 1 }, { IPPROTO_AH, 24, 4 }, { IPPROTO_ROUTING, 24, 2 },
		{ IPPROTO_HOPOPTS, 8, 0 } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t *at = prepend(builder, rows[i].length);

		at[0] = builder->protocol;
		at[1] = rows[i].field;
		builder->protocol = rows[i].protocol;
	}
}

static void put_fragment(struct builder *builder)
{
	uint8_t *at;

	put32(prepend(builder, 8), whim(builder));
	at = prepend(builder, 8);
	at[0] = builder->protocol;
	put16(at + 2, 0x0101);
	put32(at + 4, whim(builder));
	builder->protocol = IPPROTO_FRAGMENT;
}

static void put_ethernet(struct builder *builder)
{
	bool back = builder->frame->back;
	uint8_t *at = prepend(builder, ETH_HLEN);

	for (int i = 0; i < 2; i++) {
		at[6 * i] = 2;
		put32(at + 6 * i + 2, host(builder, back != (i == 0)));
	}
	put16(at + 12, builder->type);
	builder->type = ETH_P_TEB;
	builder->protocol = 143;
	builder->is_innermost = false;
}

/* What is no IP: the mark alone. */
static void put_other(struct builder *builder)
{
	prepend(builder, 32);
	builder->type = 0x88b5;
}

static void put_tag_of(struct builder *builder, uint16_t type)
{
	uint8_t *at = prepend(builder, 4);

	put16(at, 0x2005);
	put16(at + 2, builder->type);
	builder->type = type;
}

static void put_vlan(struct builder *builder)
{
	put_tag_of(builder, ETH_P_8021Q);
}

static void put_service_tag(struct builder *builder)
{
	put_tag_of(builder, ETH_P_8021AD);
}

static void put_mpls(struct builder *builder)
{
	for (uint32_t i = 0; i < 3; i++)
		put32(prepend(builder, 4),
		    (100 + i + builder->frame->back) << 12 | (i == 0) << 8 | 64);
	builder->type = ETH_P_MPLS_UC;
	builder->protocol = IPPROTO_MPLS;
}

static void put_control_word(struct builder *builder)
{
	put16(prepend(builder, 4) + 2, whim(builder));
}

static void put_pppoe(struct builder *builder)
{
	size_t length = length_of(builder) + 2;
	uint8_t *at = prepend(builder, 8);

	at[0] = 0x11;
	put16(at + 2, 77);
	put16(at + 4, (uint32_t)length);
	put16(at + 6, builder->type == ETH_P_IP ? 0x0021 : 0x0057);
	builder->type = ETH_P_PPP_SES;
}

static void put_gre(struct builder *builder)
{
	put16(prepend(builder, 4) + 2, builder->type);
	builder->protocol = IPPROTO_GRE;
}

static void put_gre_with_all(struct builder *builder)
{
	uint8_t *at = prepend(builder, 16);

	put16(at, 0xb000);
	put16(at + 2, builder->type);
	put32(at + 8, 7 + builder->frame->back);
	put32(at + 12, whim(builder));
	builder->protocol = IPPROTO_GRE;
}

static void put_gre_with_key(struct builder *builder)
{
	uint8_t *at = prepend(builder, 8);

	put16(at, 0x2000);
	put16(at + 2, builder->type);
	put32(at + 4, 7 + builder->frame->back);
	builder->protocol = IPPROTO_GRE;
}

static void put_udp_to(struct builder *builder, uint16_t port)
{
	size_t length = length_of(builder) + 8;
	uint8_t *at = prepend(builder, 8);

	put16(at, 49152 + whim(builder) % 1000);
	put16(at + 2, port);
	put16(at + 4, (uint32_t)length);
	builder->protocol = IPPROTO_UDP;
}

static void put_vxlan(struct builder *builder)
{
	uint8_t *at = prepend(builder, 8);

	at[0] = 8;
	at[5] = 42;
	put_udp_to(builder, 4789);
}

static void put_geneve(struct builder *builder)
{
	uint8_t *at = prepend(builder, 8 + 12);

	at[0] = 3;
	put16(at + 2, builder->type);
	at[5] = 42;
	at[8 + 3] = 2; /* an option of eight bytes */
	put_udp_to(builder, 6081);
}

static void put_gtp(struct builder *builder)
{
	size_t length = length_of(builder);
	uint8_t *at = prepend(builder, 8);

	at[0] = 0x30;
	at[1] = 255;
	put16(at + 2, (uint32_t)length);
	put32(at + 4, 1000 + whim(builder) % 2);
	put_udp_to(builder, 2152);
}

/* With a sequence number, and two extension headers of 4 and 8 bytes. */
static void put_gtp_extended(struct builder *builder)
{
	size_t length = length_of(builder) + 16;
	uint8_t *at = prepend(builder, 24);

	at[0] = 0x36;
	at[1] = 255;
	put16(at + 2, (uint32_t)length);
	put32(at + 4, 1000 + builder->frame->back);
	put16(at + 8, whim(builder));
	at[11] = 0x85;
	at[12] = 1;
	at[15] = 0xc0;
	at[16] = 2;
	put_udp_to(builder, 2152);
}

/* Sequence number only. */
static void put_gtp_counted(struct builder *builder)
{
	uint8_t *at = prepend(builder, 12);

	at[0] = 0x32;
	at[1] = 255;
	put16(at + 8, whim(builder));
	put_udp_to(builder, 2152);
}

/* ---- kinds ------------------------------------------------------------------------------- */

typedef void layer(struct builder *);

/* From the inside to the outside; all begin with the payload and end with Ethernet. */
static const struct {
	const char *name;
	bool has_no_ports;
	layer *layers[LAYERS_MOST];
} kinds[] = {
	{ "tcp on ipv4", false, { put_tcp, put_ipv4 } },
	{ "udp on ipv4", false, { put_udp, put_ipv4 } },
	{ "tcp on ipv6", false, { put_tcp, put_ipv6 } },
	{ "udp on ipv6", false, { put_udp, put_ipv6 } },
	{ "ipv4 with options", false, { put_tcp, with_options, put_ipv4 } },
	{ "ipv6 with extensions", false, { put_udp, put_extensions, put_ipv6 } },
	{ "icmp", true, { put_icmp, put_ipv4 } },
	{ "ipv4 fragment", true, { put_udp, as_fragment, put_ipv4 } },
	{ "ipv6 fragment", true, { put_udp, put_fragment, put_ipv6 } },
	{ "no ip", true, { put_other } },
	{ "vlan", false, { put_tcp, put_ipv4, put_vlan } },
	{ "qinq", false, { put_udp, put_ipv6, put_vlan, put_service_tag } },
	{ "three tags", false, { put_tcp, put_ipv4, put_vlan, put_vlan, put_vlan } },
	{ "no ip in vlan", true, { put_other, put_vlan } },
	{ "mpls", false, { put_tcp, put_ipv4, put_mpls } },
	{ "mpls, ipv6", false, { put_tcp, put_ipv6, put_mpls } },
	{ "ethernet on mpls", false,
	    { put_tcp, put_ipv4, put_ethernet, put_control_word, put_mpls } },
	{ "pppoe", false, { put_tcp, put_ipv4, put_pppoe } },
	{ "pppoe, ipv6, vlan", false, { put_udp, put_ipv6, put_pppoe, put_vlan } },
	{ "gre", false, { put_tcp, put_ipv4, put_gre, put_ipv4 } },
	{ "gre with key", false, { put_udp, put_ipv6, put_gre_with_key, put_ipv4 } },
	{ "gre with all, on ipv6", false, { put_tcp, put_ipv4, put_gre_with_all, put_ipv6 } },
	{ "ethernet on gre", false,
	    { put_tcp, put_ipv4, put_vlan, put_ethernet, put_gre, put_ipv4 } },
	{ "mpls on gre", false, { put_tcp, put_ipv4, put_mpls, put_gre, put_ipv4 } },
	{ "4in4", false, { put_tcp, put_ipv4, put_ipv4 } },
	{ "6in4", false, { put_tcp, put_ipv6, put_ipv4 } },
	{ "4in6", false, { put_udp, put_ipv4, put_ipv6 } },
	{ "6in6", false, { put_udp, put_ipv6, put_extensions, put_ipv6 } },
	{ "vxlan", false, { put_tcp, put_ipv4, put_ethernet, put_vxlan, put_ipv4 } },
	{ "vxlan on ipv6", false, { put_udp, put_ipv6, put_ethernet, put_vxlan, put_ipv6 } },
	{ "no ip in vxlan", true, { put_other, put_ethernet, put_vxlan, put_ipv4 } },
	{ "geneve", false, { put_tcp, put_ipv4, put_ethernet, put_geneve, put_ipv4 } },
	{ "ip on geneve", false, { put_tcp, put_ipv6, put_geneve, put_ipv6 } },
	{ "gtp-u", false, { put_tcp, put_ipv4, put_gtp, put_ipv4 } },
	{ "gtp-u, counted", false, { put_udp, put_ipv6, put_gtp_counted, put_ipv4 } },
	{ "gtp-u with extensions", false, { put_udp, put_ipv4, put_gtp_extended, put_ipv6 } },
	{ "gtp-u in vxlan in gre, tagged", false,
	    { put_tcp, put_ipv4, put_gtp, put_ipv4, put_ethernet, put_vxlan, put_ipv4, put_gre,
		put_ipv6, put_vlan } },
};

size_t tunnel_count(void)
{
	return COUNT_OF(kinds);
}

const char *tunnel_name(unsigned int kind)
{
	return kinds[kind].name;
}

bool tunnel_has_ports(unsigned int kind)
{
	return !kinds[kind].has_no_ports;
}

size_t tunnel_build(const struct tunnel_frame *frame, uint8_t *bytes)
{
	static struct builder builder;
	size_t length;

	builder.begin = sizeof(builder.room);
	builder.frame = frame;
	put_payload(&builder);
	for (size_t i = 0; i < LAYERS_MOST && kinds[frame->kind].layers[i]; i++)
		kinds[frame->kind].layers[i](&builder);
	put_ethernet(&builder);
	length = length_of(&builder);
	memcpy(bytes, builder.room + builder.begin, length);
	return length;
}

bool tunnel_find(const uint8_t *bytes, size_t length, struct tunnel_frame *ret_frame)
{
	const uint8_t *mark = bytes + length - TUNNEL_MARK;

	if (length < TUNNEL_MARK || get32(mark) != MAGIC || get32(mark + 4) >= COUNT_OF(kinds))
		return false;
	*ret_frame = (struct tunnel_frame) {
		.kind = get32(mark + 4),
		.flow = get32(mark + 8),
		.back = get32(mark + 12),
	};
	return true;
}
