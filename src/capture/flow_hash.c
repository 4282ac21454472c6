/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/flow_words.h"
#include "capture/link.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

/* Odd, their bits as good as random. */
static const uint32_t factor_port = 0x9e3779b1, factor_end = 0x85ebca6b, factor_both = 0xc2b2ae35,
		      factor_last = 0x27d4eb2f;
static const uint32_t factors[] = { 0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09 };

/* ---- the hash ---------------------------------------------------------------------------- */

/* A ^= A >> bits */
static void fold(struct flow *flow, uint32_t bits)
{
	flow_keep(flow, CELL_MIX);
	flow_calculate(flow, BPF_RSH, bits);
	flow_to_index(flow);
	flow_recall(flow, CELL_MIX);
	flow_calculate_index(flow, BPF_XOR);
}

static void mix_end(struct flow *flow)
{
	fold(flow, 16);
	flow_calculate(flow, BPF_MUL, factor_end);
}

/* Of both: the sum alone, or the difference alone, is the same for many pairs of addresses. */
static void put_finish(struct flow *flow)
{
	flow_place(flow, flow->finish);
	flow_keep(flow, CELL_OTHER);
	flow_recall_index(flow, CELL_ONE);
	flow_calculate_index(flow, BPF_XOR);
	flow_calculate(flow, BPF_MUL, factor_both);
	flow_keep(flow, CELL_MIX);
	flow_recall(flow, CELL_OTHER);
	flow_calculate_index(flow, BPF_ADD);
	flow_recall_index(flow, CELL_MIX);
	flow_calculate_index(flow, BPF_ADD);
	fold(flow, 15);
	flow_calculate(flow, BPF_MUL, factor_last);
	/* The kernel takes the remainder, which for few members is the last bits. */
	fold(flow, 16);
	flow_put(flow, BPF_RET | BPF_A, 0);
}

/* A + the sum of the words at CELL_BEST, each by its factor. */
static void add_words(struct flow *flow, uint32_t offset, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		flow_keep(flow, CELL_SUM);
		flow_recall_index(flow, CELL_BEST);
		flow_load(flow, BPF_W, offset + 4 * (uint32_t)i);
		flow_calculate(flow, BPF_MUL, factors[i]);
		flow_recall_index(flow, CELL_SUM);
		flow_calculate_index(flow, BPF_ADD);
	}
	mix_end(flow);
}

static void put_addresses(struct flow *flow, unsigned int at, uint32_t offset, size_t words)
{
	flow_place(flow, at);
	flow_recall(flow, CELL_ONE);
	add_words(flow, offset, words);
	flow_keep(flow, CELL_ONE);
	flow_recall(flow, CELL_OTHER);
	add_words(flow, offset + 4 * (uint32_t)words, words);
	flow_go(flow, flow->finish);
}

/* Six bytes, from X or from a known offset. */
static void add_mac(struct flow *flow, uint16_t mode, uint32_t offset)
{
	flow_put(flow, BPF_LD | BPF_W | mode, offset);
	flow_calculate(flow, BPF_MUL, factors[0]);
	flow_keep(flow, CELL_SUM);
	flow_put(flow, BPF_LD | BPF_H | mode, offset + 4);
	flow_calculate(flow, BPF_MUL, factors[1]);
	flow_recall_index(flow, CELL_SUM);
	flow_calculate_index(flow, BPF_ADD);
	mix_end(flow);
}

static void put_macs(struct flow *flow, unsigned int at, uint16_t mode, uint32_t offset)
{
	flow_place(flow, at);
	add_mac(flow, mode, offset);
	flow_keep(flow, CELL_ONE);
	flow_recall_index(flow, CELL_BEST);
	add_mac(flow, mode, offset + ETH_ALEN);
	flow_go(flow, flow->finish);
}

static void put_port(struct flow *flow, uint32_t offset, enum cell cell)
{
	flow_load(flow, BPF_H, offset);
	flow_calculate(flow, BPF_MUL, factor_port);
	flow_keep(flow, cell);
}

/* What is no IP at all, by the frame's own addresses where it has some. */
static void put_outer(struct flow *flow, unsigned int at, size_t header)
{
	unsigned int ethernet = at, bare = flow_label(flow);

	if (header == LINK_HEADER_MIXED) {
		ethernet = flow_label(flow);
		flow_place(flow, at);
		flow_test_ethernet(flow, ethernet, bare);
	}
	if (header != 0)
		put_macs(flow, ethernet, BPF_ABS, (uint32_t)SKF_LL_OFF);
	flow_place(flow, header == 0 ? at : bare);
	flow_put(flow, BPF_RET | BPF_K, 0);
}

void flow_put_endings(struct flow *flow, size_t header)
{
	unsigned int ipv4 = flow_label(flow), ipv6 = flow_label(flow), inner = flow_label(flow),
		     outer = flow_label(flow), by_kind = flow_label(flow);

	flow_place(flow, flow->ports);
	flow_need(flow, 4, flow->undecided);
	put_port(flow, 0, CELL_ONE);
	put_port(flow, 2, CELL_OTHER);
	flow_go(flow, by_kind);
	flow_place(flow, flow->undecided);
	flow_put(flow, BPF_LD | BPF_IMM, 0);
	flow_keep(flow, CELL_ONE);
	flow_keep(flow, CELL_OTHER);
	flow_place(flow, by_kind);
	flow_recall_index(flow, CELL_BEST);
	flow_recall(flow, CELL_KIND);
	flow_equal(flow, KIND_IPV4, ipv4);
	flow_equal(flow, KIND_IPV6, ipv6);
	flow_test(flow, BPF_JEQ, KIND_INNER, inner, outer);
	put_addresses(flow, ipv4, 12, 1);
	put_addresses(flow, ipv6, 8, 4);
	put_macs(flow, inner, BPF_IND, 0);
	put_outer(flow, outer, header);
	put_finish(flow);
}

/* ---- the short way ----------------------------------------------------------------------- */

/* The end whose address and port are at known offsets, in A. */
static void put_known_end(struct flow *flow, uint32_t port, uint32_t address, size_t words)
{
	flow_load_known(flow, BPF_H, port);
	flow_calculate(flow, BPF_MUL, factor_port);
	for (size_t i = 0; i < words; i++) {
		flow_to_index(flow);
		flow_load_known(flow, BPF_W, address + 4 * (uint32_t)i);
		flow_calculate(flow, BPF_MUL, factors[i]);
		flow_calculate_index(flow, BPF_ADD);
	}
	mix_end(flow);
}

/* A: the protocol. */
static void put_known(struct flow *flow, uint32_t address, size_t words, unsigned int otherwise)
{
	unsigned int simple = flow_label(flow);
	uint32_t port = address + 8 * (uint32_t)words;

	flow_equal(flow, IPPROTO_TCP, simple);
	flow_test(flow, BPF_JEQ, IPPROTO_UDP, ASSEMBLER_NEXT, otherwise);
	flow_load_known(flow, BPF_H, port + 2);
	flow_equal(flow, PORT_VXLAN, otherwise);
	flow_equal(flow, PORT_GENEVE, otherwise);
	flow_equal(flow, PORT_GTP, otherwise);
	flow_place(flow, simple);
	put_known_end(flow, port, address, words);
	flow_keep(flow, CELL_ONE);
	put_known_end(flow, port + 2, address + 4 * (uint32_t)words, words);
	flow_go(flow, flow->finish);
}

static void put_known_ipv4(struct flow *flow, uint32_t base, unsigned int otherwise)
{
	flow_put(flow, BPF_LD | BPF_W | BPF_LEN, 0);
	flow_test(flow, BPF_JGE, base + 24, ASSEMBLER_NEXT, otherwise);
	flow_load_known(flow, BPF_B, base);
	flow_test(flow, BPF_JEQ, 0x45, ASSEMBLER_NEXT, otherwise);
	flow_load_known(flow, BPF_H, base + 6);
	flow_test(flow, BPF_JSET, 0x3fff, otherwise, ASSEMBLER_NEXT);
	flow_load_known(flow, BPF_B, base + 9);
	put_known(flow, base + 12, 1, otherwise);
}

static void put_known_ipv6(struct flow *flow, uint32_t base, unsigned int otherwise)
{
	flow_put(flow, BPF_LD | BPF_W | BPF_LEN, 0);
	flow_test(flow, BPF_JGE, base + 44, ASSEMBLER_NEXT, otherwise);
	flow_load_known(flow, BPF_B, base);
	flow_calculate(flow, BPF_AND, 0xf0);
	flow_test(flow, BPF_JEQ, 0x60, ASSEMBLER_NEXT, otherwise);
	flow_load_known(flow, BPF_B, base + 6);
	put_known(flow, base + 8, 4, otherwise);
}

static void put_type_of_packet(struct flow *flow, uint32_t base)
{
	if (base == FLOW_ETHERNET)
		flow_load_known(flow, BPF_H, 12);
	else
		flow_load_about(flow, SKF_AD_PROTOCOL);
}

void flow_put_entry(struct flow *flow, uint32_t base)
{
	unsigned int ipv4 = flow_label(flow), ipv6 = flow_label(flow), otherwise = flow_label(flow);

	put_type_of_packet(flow, base);
	flow_equal(flow, ETH_P_IP, ipv4);
	flow_test(flow, BPF_JEQ, ETH_P_IPV6, ipv6, otherwise);
	flow_place(flow, ipv4);
	put_known_ipv4(flow, base, otherwise);
	flow_place(flow, ipv6);
	put_known_ipv6(flow, base, otherwise);
	flow_place(flow, otherwise);
	flow_put(flow, BPF_LDX | BPF_IMM, base);
	flow_put(flow, BPF_LD | BPF_IMM, KIND_OUTER);
	flow_keep(flow, CELL_KIND);
	flow_keep(flow, CELL_BEST);
	put_type_of_packet(flow, base);
	flow_go(flow, flow->levels[0].type);
}
