/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/flow.h"

#include "base/array.h"
#include "capture/flow_words.h"
#include "capture/link.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

/*
 * Two ways lead to the same hash.  Most packets are TCP or UDP without tunnel, option or extension:
 * they are read at offsets that are known beforehand.  All others are walked through, their place
 * in the index register, level by level: each level may lead to the next, never back.
 */

enum {
	TAGS_MOST = 3,
	LABELS_MOST = 6,
	EXTENSIONS_MOST = 6,
	GTP_EXTENSIONS_MOST = 3,
	PROTOCOL_MOBILITY = 135,
	PROTOCOL_HIP = 139,
	PROTOCOL_SHIM6 = 140,
	PROTOCOL_ETHERNET = 143, /* Ethernet, as segment routing has it */
	ETHERTYPE_OLD_TAG = 0x9100,
};

/* ---- below IP ---------------------------------------------------------------------------- */

static void put_ethernet(struct flow *flow, const struct level *level)
{
	flow_place(flow, level->ethernet);
	flow_need(flow, ETH_HLEN, flow->undecided);
	flow_remember_addresses(flow, KIND_INNER);
	flow_load(flow, BPF_H, 12);
	flow_keep(flow, CELL_KEEP);
	flow_advance(flow, ETH_HLEN);
	flow_recall(flow, CELL_KEEP);
}

static void put_pppoe(struct flow *flow, const struct level *level, unsigned int pppoe)
{
	flow_place(flow, pppoe);
	flow_need(flow, 8, flow->undecided);
	flow_load(flow, BPF_H, 6);
	flow_keep(flow, CELL_KEEP);
	flow_advance(flow, 8);
	flow_recall(flow, CELL_KEEP);
	flow_equal(flow, 0x0021, level->ipv4);
	flow_equal(flow, 0x0057, level->ipv6);
	flow_test(flow, BPF_JEQ, 0x0281, level->mpls, flow->undecided);
}

/* A: an EtherType, X: what is behind it. */
static void put_type(struct flow *flow, const struct level *level)
{
	unsigned int untagged = flow_label(flow), pppoe = flow_label(flow);

	flow_place(flow, level->type);
	for (int i = 0; i < TAGS_MOST; i++) {
		unsigned int tag = flow_label(flow);

		flow_equal(flow, ETH_P_8021Q, tag);
		flow_equal(flow, ETH_P_8021AD, tag);
		flow_test(flow, BPF_JEQ, ETHERTYPE_OLD_TAG, tag, untagged);
		flow_place(flow, tag);
		flow_need(flow, 4, flow->undecided);
		flow_load(flow, BPF_H, 2);
		flow_keep(flow, CELL_KEEP);
		flow_advance(flow, 4);
		flow_recall(flow, CELL_KEEP);
	}
	flow_place(flow, untagged);
	flow_equal(flow, ETH_P_IP, level->ipv4);
	flow_equal(flow, ETH_P_IPV6, level->ipv6);
	flow_equal(flow, ETH_P_MPLS_UC, level->mpls);
	flow_equal(flow, ETH_P_MPLS_MC, level->mpls);
	flow_test(flow, BPF_JEQ, ETH_P_PPP_SES, pppoe, flow->undecided);
	put_pppoe(flow, level, pppoe);
}

/* What is below the last label is told by its first four bits: IP, or a control word. */
static void put_mpls(struct flow *flow, const struct level *level, const struct level *next)
{
	unsigned int bottom = flow_label(flow);

	flow_place(flow, level->mpls);
	for (int i = 0; i < LABELS_MOST; i++) {
		flow_need(flow, 5, flow->undecided);
		flow_load(flow, BPF_B, 2);
		flow_test(flow, BPF_JSET, 1, bottom, ASSEMBLER_NEXT);
		flow_advance(flow, 4);
	}
	flow_go(flow, flow->undecided);
	flow_place(flow, bottom);
	flow_advance(flow, 4);
	flow_load(flow, BPF_B, 0);
	flow_test(flow, BPF_JSET, 0xf0, level->ip, ASSEMBLER_NEXT);
	flow_advance(flow, 4);
	flow_go(flow, next->ethernet);
}

/* ---- IP ---------------------------------------------------------------------------------- */

static void put_ip(struct flow *flow, const struct level *level)
{
	flow_place(flow, level->ip);
	flow_need(flow, 1, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_calculate(flow, BPF_AND, 0xf0);
	flow_equal(flow, 0x40, level->ipv4);
	flow_test(flow, BPF_JEQ, 0x60, level->ipv6, flow->undecided);
}

static void put_ipv4(struct flow *flow, const struct level *level, unsigned int transport)
{
	flow_place(flow, level->ipv4);
	flow_need(flow, 20, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_test(flow, BPF_JGE, 0x45, ASSEMBLER_NEXT, flow->undecided);
	flow_test(flow, BPF_JGT, 0x4f, flow->undecided, ASSEMBLER_NEXT);
	flow_remember_addresses(flow, KIND_IPV4);
	flow_load(flow, BPF_H, 6);
	flow_test(flow, BPF_JSET, 0x3fff, flow->undecided, ASSEMBLER_NEXT);
	flow_load(flow, BPF_B, 9);
	flow_keep(flow, CELL_KEEP);
	flow_load(flow, BPF_B, 0);
	flow_calculate(flow, BPF_AND, 0x0f);
	flow_calculate(flow, BPF_LSH, 2);
	flow_advance_by_a(flow);
	flow_recall(flow, CELL_KEEP);
	flow_go(flow, transport);
}

static void put_extension(struct flow *flow, unsigned int transport)
{
	static const uint32_t plain[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
		PROTOCOL_MOBILITY, PROTOCOL_HIP, PROTOCOL_SHIM6 };
	unsigned int by_eight = flow_label(flow), by_four = flow_label(flow),
		     behind = flow_label(flow);

	for (size_t i = 0; i < COUNT_OF(plain); i++)
		flow_equal(flow, plain[i], by_eight);
	flow_test(flow, BPF_JEQ, IPPROTO_AH, by_four, transport);
	flow_place(flow, by_four);
	flow_need(flow, 8, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_keep(flow, CELL_KEEP);
	flow_load(flow, BPF_B, 1);
	flow_calculate(flow, BPF_ADD, 2);
	flow_calculate(flow, BPF_LSH, 2);
	flow_go(flow, behind);
	flow_place(flow, by_eight);
	flow_need(flow, 8, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_keep(flow, CELL_KEEP);
	flow_load(flow, BPF_B, 1);
	flow_calculate(flow, BPF_ADD, 1);
	flow_calculate(flow, BPF_LSH, 3);
	flow_place(flow, behind);
	flow_advance_by_a(flow);
	flow_recall(flow, CELL_KEEP);
}

/* A fragment header is no transport that has ports, and so ends at the addresses. */
static void put_ipv6(struct flow *flow, const struct level *level, unsigned int transport)
{
	flow_place(flow, level->ipv6);
	flow_need(flow, 40, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_calculate(flow, BPF_AND, 0xf0);
	flow_test(flow, BPF_JEQ, 0x60, ASSEMBLER_NEXT, flow->undecided);
	flow_remember_addresses(flow, KIND_IPV6);
	flow_load(flow, BPF_B, 6);
	flow_keep(flow, CELL_KEEP);
	flow_advance(flow, 40);
	flow_recall(flow, CELL_KEEP);
	for (int i = 0; i < EXTENSIONS_MOST; i++)
		put_extension(flow, transport);
}

/* ---- what carries packets ---------------------------------------------------------------- */

static void put_gre(struct flow *flow, unsigned int gre, const struct level *next)
{
	/* Checksum, key and sequence number: four bytes each, where their bit is set. */
	static const uint32_t shifts[] = { 13, 11, 10 };

	flow_place(flow, gre);
	flow_need(flow, 4, flow->undecided);
	flow_load(flow, BPF_H, 2);
	flow_keep(flow, CELL_KEEP);
	flow_load(flow, BPF_H, 0);
	/* With a route, or of another version, it is another header. */
	flow_test(flow, BPF_JSET, 0x4007, flow->undecided, ASSEMBLER_NEXT);
	flow_keep(flow, CELL_MIX);
	flow_advance(flow, 4);
	for (size_t i = 0; i < COUNT_OF(shifts); i++) {
		flow_recall(flow, CELL_MIX);
		flow_calculate(flow, BPF_RSH, shifts[i]);
		flow_calculate(flow, BPF_AND, 4);
		flow_advance_by_a(flow);
	}
	flow_recall(flow, CELL_KEEP);
	flow_test(flow, BPF_JEQ, ETH_P_TEB, next->ethernet, next->type);
}

/* A port alone makes no tunnel: who has it for once as its own must not be torn apart. */
static void put_vxlan(struct flow *flow, unsigned int vxlan, const struct level *next)
{
	flow_place(flow, vxlan);
	flow_need(flow, 16, flow->ports);
	flow_load(flow, BPF_W, 8);
	/* The bits of a group's policy may be set. */
	flow_calculate(flow, BPF_AND, 0x7fb70000);
	flow_test(flow, BPF_JEQ, 0x08000000, ASSEMBLER_NEXT, flow->ports);
	flow_load(flow, BPF_B, 15);
	flow_test(flow, BPF_JEQ, 0, ASSEMBLER_NEXT, flow->ports);
	flow_advance(flow, 16);
	flow_go(flow, next->ethernet);
}

static void put_geneve(struct flow *flow, unsigned int geneve, const struct level *next)
{
	static const uint32_t types[] = { ETH_P_TEB, ETH_P_IP, ETH_P_IPV6 };
	unsigned int known = flow_label(flow);

	flow_place(flow, geneve);
	flow_need(flow, 16, flow->ports);
	flow_load(flow, BPF_H, 8);
	flow_test(flow, BPF_JSET, 0xc03f, flow->ports, ASSEMBLER_NEXT);
	flow_load(flow, BPF_B, 15);
	flow_test(flow, BPF_JEQ, 0, ASSEMBLER_NEXT, flow->ports);
	flow_load(flow, BPF_H, 10);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		flow_equal(flow, types[i], known);
	flow_test(flow, BPF_JEQ, ETH_P_MPLS_UC, known, flow->ports);
	flow_place(flow, known);
	flow_keep(flow, CELL_KEEP);
	flow_load(flow, BPF_B, 8);
	flow_calculate(flow, BPF_LSH, 2);
	flow_calculate(flow, BPF_ADD, 16);
	flow_advance_by_a(flow);
	flow_recall(flow, CELL_KEEP);
	flow_test(flow, BPF_JEQ, ETH_P_TEB, next->ethernet, next->type);
}

/* X stands at the type of the next extension header, which ends the one before. */
static void put_gtp_extensions(struct flow *flow, const struct level *next)
{
	unsigned int end = flow_label(flow);

	flow_advance(flow, 19);
	for (int i = 0; i < GTP_EXTENSIONS_MOST; i++) {
		flow_need(flow, 2, flow->undecided);
		flow_load(flow, BPF_B, 0);
		flow_equal(flow, 0, end);
		flow_load(flow, BPF_B, 1);
		flow_equal(flow, 0, flow->undecided);
		flow_calculate(flow, BPF_LSH, 2);
		flow_advance_by_a(flow);
	}
	flow_need(flow, 1, flow->undecided);
	flow_load(flow, BPF_B, 0);
	flow_test(flow, BPF_JEQ, 0, end, flow->undecided);
	flow_place(flow, end);
	flow_advance(flow, 1);
	flow_go(flow, next->ip);
}

/* User data only: what GTP says to itself goes by the ends of that. */
static void put_gtp(struct flow *flow, unsigned int gtp, const struct level *next)
{
	unsigned int longer = flow_label(flow), extended = flow_label(flow);

	flow_place(flow, gtp);
	flow_need(flow, 16, flow->ports);
	flow_load(flow, BPF_B, 9);
	flow_test(flow, BPF_JEQ, 255, ASSEMBLER_NEXT, flow->ports);
	flow_load(flow, BPF_B, 8);
	flow_calculate(flow, BPF_AND, 0xf8);
	flow_test(flow, BPF_JEQ, 0x30, ASSEMBLER_NEXT, flow->ports);
	flow_load(flow, BPF_B, 8);
	flow_test(flow, BPF_JSET, 7, longer, ASSEMBLER_NEXT);
	flow_advance(flow, 16);
	flow_go(flow, next->ip);
	flow_place(flow, longer);
	flow_test(flow, BPF_JSET, 4, extended, ASSEMBLER_NEXT);
	flow_advance(flow, 20);
	flow_go(flow, next->ip);
	flow_place(flow, extended);
	put_gtp_extensions(flow, next);
}

/* A: a protocol, X: what is behind the IP header. */
static void put_transport(struct flow *flow, unsigned int transport, const struct level *next)
{
	unsigned int udp = flow_label(flow), gre = flow_label(flow), vxlan = flow_label(flow),
		     geneve = flow_label(flow), gtp = flow_label(flow);

	flow_place(flow, transport);
	flow_equal(flow, IPPROTO_TCP, flow->ports);
	flow_equal(flow, IPPROTO_UDP, udp);
	flow_equal(flow, IPPROTO_IPIP, next->ipv4);
	flow_equal(flow, IPPROTO_IPV6, next->ipv6);
	flow_equal(flow, IPPROTO_GRE, gre);
	flow_equal(flow, IPPROTO_SCTP, flow->ports);
	flow_equal(flow, IPPROTO_UDPLITE, flow->ports);
	flow_equal(flow, IPPROTO_DCCP, flow->ports);
	flow_equal(flow, IPPROTO_MPLS, next->mpls);
	flow_test(flow, BPF_JEQ, PROTOCOL_ETHERNET, next->ethernet, flow->undecided);
	flow_place(flow, udp);
	flow_need(flow, 8, flow->undecided);
	flow_load(flow, BPF_H, 2);
	flow_equal(flow, PORT_VXLAN, vxlan);
	flow_equal(flow, PORT_GENEVE, geneve);
	flow_test(flow, BPF_JEQ, PORT_GTP, gtp, flow->ports);
	put_vxlan(flow, vxlan, next);
	put_geneve(flow, geneve, next);
	put_gtp(flow, gtp, next);
	put_gre(flow, gre, next);
}

static void put_level(struct flow *flow, const struct level *level, const struct level *next)
{
	unsigned int transport = flow_label(flow);

	put_ethernet(flow, level);
	put_type(flow, level);
	put_mpls(flow, level, next);
	put_ip(flow, level);
	put_ipv4(flow, level, transport);
	put_ipv6(flow, level, transport);
	put_transport(flow, transport, next);
}

/* ---- all of it --------------------------------------------------------------------------- */

static void name_labels(struct flow *flow)
{
	const unsigned int undecided = flow_label(flow);

	flow->undecided = undecided;
	flow->ports = flow_label(flow);
	flow->finish = flow_label(flow);
	for (size_t i = 0; i < FLOW_DEPTH; i++)
		flow->levels[i] = (struct level) { flow_label(flow), flow_label(flow),
			flow_label(flow), flow_label(flow), flow_label(flow), flow_label(flow) };
	flow->levels[FLOW_DEPTH] =
	    (struct level) { undecided, undecided, undecided, undecided, undecided, undecided };
}

int flow_program(struct program *ret_program, size_t header)
{
	struct flow flow = { 0 };
	unsigned int bare, outgoing;

	assembler_begin(&flow.assembler);
	name_labels(&flow);
	bare = flow_label(&flow);
	outgoing = flow_label(&flow);
	flow_load_about(&flow, SKF_AD_PKTTYPE);
	if (header == LINK_HEADER_MIXED) {
		flow_test(&flow, BPF_JEQ, PACKET_OUTGOING, ASSEMBLER_NEXT, bare);
		flow_test_ethernet(&flow, outgoing, bare);
	} else {
		flow_test(&flow, BPF_JEQ, PACKET_OUTGOING, outgoing, bare);
	}
	flow_place(&flow, bare);
	flow_put_entry(&flow, 0);
	flow_place(&flow, outgoing);
	flow_put_entry(&flow, header == LINK_HEADER_MIXED ? FLOW_ETHERNET : (uint32_t)header);
	for (size_t i = 0; i < FLOW_DEPTH; i++)
		put_level(&flow, &flow.levels[i], &flow.levels[i + 1]);
	flow_put_endings(&flow, header);
	return assembler_end(&flow.assembler, ret_program);
}
