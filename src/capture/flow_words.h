/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/assembler.h"
#include "capture/flow.h"

#include <linux/filter.h>
#include <net/if_arp.h>

/*
 * What the two files of the flow program have in common, and the words in which they write it: each
 * puts the instructions that its name says.  For these two only.
 */
enum {
	PORT_VXLAN = 4789,
	PORT_GENEVE = 6081,
	PORT_GTP = 2152,
};

/* Words of the program's own memory. */
enum cell {
	CELL_BEST, /* where the innermost addresses are that were found */
	CELL_KIND, /* what they are: enum kind */
	CELL_KEEP, /* over what needs both registers */
	CELL_ONE,  /* each end, and before that its port */
	CELL_OTHER,
	CELL_SUM,
	CELL_MIX,
};

enum kind { KIND_OUTER, KIND_INNER, KIND_IPV4, KIND_IPV6 };

struct level {
	unsigned int ethernet, type, mpls, ip, ipv4, ipv6;
};

struct flow {
	struct assembler assembler;
	struct level levels[FLOW_DEPTH + 1];
	unsigned int ports;     /* X: the transport header */
	unsigned int undecided; /* by what is in CELL_BEST */
	unsigned int finish;    /* A: one end, CELL_ONE: the other */
};

static inline unsigned int flow_label(struct flow *flow)
{
	return assembler_label(&flow->assembler);
}

static inline void flow_place(struct flow *flow, unsigned int at)
{
	assembler_place(&flow->assembler, at);
}

static inline void flow_put(struct flow *flow, uint16_t code, uint32_t k)
{
	assembler_put(&flow->assembler, code, k);
}

static inline void flow_test(
    struct flow *flow, uint16_t code, uint32_t k, unsigned int yes, unsigned int no)
{
	assembler_test(&flow->assembler, code, k, yes, no);
}

static inline void flow_equal(struct flow *flow, uint32_t k, unsigned int yes)
{
	flow_test(flow, BPF_JEQ, k, yes, ASSEMBLER_NEXT);
}

static inline void flow_go(struct flow *flow, unsigned int to)
{
	assembler_go(&flow->assembler, to);
}

/* size: BPF_B, BPF_H, BPF_W; the offset is from X. */
static inline void flow_load(struct flow *flow, uint16_t size, uint32_t offset)
{
	flow_put(flow, BPF_LD | BPF_IND | size, offset);
}

static inline void flow_load_known(struct flow *flow, uint16_t size, uint32_t offset)
{
	flow_put(flow, BPF_LD | BPF_ABS | size, offset);
}

static inline void flow_load_about(struct flow *flow, uint32_t word)
{
	flow_put(flow, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + word);
}

static inline void flow_recall(struct flow *flow, enum cell cell)
{
	flow_put(flow, BPF_LD | BPF_MEM, cell);
}

static inline void flow_recall_index(struct flow *flow, enum cell cell)
{
	flow_put(flow, BPF_LDX | BPF_MEM, cell);
}

static inline void flow_keep(struct flow *flow, enum cell cell)
{
	flow_put(flow, BPF_ST, cell);
}

static inline void flow_calculate(struct flow *flow, uint16_t operation, uint32_t k)
{
	flow_put(flow, BPF_ALU | BPF_K | operation, k);
}

static inline void flow_calculate_index(struct flow *flow, uint16_t operation)
{
	flow_put(flow, BPF_ALU | BPF_X | operation, 0);
}

static inline void flow_to_index(struct flow *flow)
{
	flow_put(flow, BPF_MISC | BPF_TAX, 0);
}

static inline void flow_advance(struct flow *flow, uint32_t bytes)
{
	flow_put(flow, BPF_MISC | BPF_TXA, 0);
	flow_calculate(flow, BPF_ADD, bytes);
	flow_to_index(flow);
}

/* As far as A says. */
static inline void flow_advance_by_a(struct flow *flow)
{
	flow_calculate_index(flow, BPF_ADD);
	flow_to_index(flow);
}

/* A load beyond the packet ends the program, and X may be beyond it. */
static inline void flow_need(struct flow *flow, uint32_t bytes, unsigned int otherwise)
{
	flow_put(flow, BPF_LD | BPF_W | BPF_LEN, 0);
	flow_test(flow, BPF_JGE | BPF_X, 0, ASSEMBLER_NEXT, otherwise);
	flow_calculate_index(flow, BPF_SUB);
	flow_test(flow, BPF_JGE, bytes, ASSEMBLER_NEXT, otherwise);
}

static inline void flow_remember_addresses(struct flow *flow, enum kind kind)
{
	flow_put(flow, BPF_STX, CELL_BEST);
	flow_put(flow, BPF_LD | BPF_IMM, kind);
	flow_keep(flow, CELL_KIND);
}

/* Whether the packet's device has Ethernet headers. */
static inline void flow_test_ethernet(struct flow *flow, unsigned int yes, unsigned int no)
{
	flow_load_about(flow, SKF_AD_HATYPE);
	flow_equal(flow, ARPHRD_ETHER, yes);
	flow_test(flow, BPF_JEQ, ARPHRD_LOOPBACK, yes, no);
}

/* The places where a walk ends: flow->ports, flow->undecided. */
void flow_put_endings(struct flow *flow, size_t header);

/* Where the network header is at base: the hash of what is simple, else the walk's beginning. */
void flow_put_entry(struct flow *flow, uint32_t base);
