/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/interpreter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel knows beside the bytes. */
struct known {
	const uint8_t *bytes; /* as the program sees them */
	size_t length;
	uint32_t protocol;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

bool interpreter_open(struct interpreter *interpreter, const struct program *program)
{
	*interpreter = (struct interpreter) {
		.code = calloc(program->count, sizeof(*interpreter->code)),
		.program = program,
		.asks = calloc(program->count, sizeof(*interpreter->asks)),
	};
	if (!interpreter->code || !interpreter->asks)
		return false;
	for (size_t i = 0; i < program->count; i++) {
		const struct sock_filter *from = &program->instructions[i];

		interpreter->code[i] =
		    (struct bpf_insn) { from->code, from->jt, from->jf, from->k };
		if (BPF_CLASS(from->code) == BPF_LD && BPF_MODE(from->code) == BPF_ABS &&
		    from->k >= (uint32_t)SKF_LL_OFF)
			interpreter->asks[interpreter->ask_count++] = i;
	}
	return true;
}

/* A received packet has lost its link header, and its first tag to the side. */
static struct known receive(const struct passing *passing)
{
	const uint8_t *frame = passing->frame;
	size_t at = ETH_HLEN;
	uint32_t type;

	if (passing->header == 0)
		return (struct known) { frame, passing->length,
			passing->length > 0 && frame[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP };
	if (passing->length < ETH_HLEN)
		return (struct known) { frame, 0, 0 };
	type = get16(frame + 12);
	if ((type == ETH_P_8021Q || type == ETH_P_8021AD) && passing->length >= ETH_HLEN + 4) {
		at += 4;
		type = get16(frame + at - 2);
	}
	return (struct known) { frame + at, passing->length - at,
		type < ETH_P_802_3_MIN ? ETH_P_802_2 : type };
}

static uint32_t load(const struct passing *passing, uint16_t code, uint32_t offset)
{
	size_t size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
	uint32_t value = 0;

	for (size_t i = 0; i < size && offset + i < passing->length; i++)
		value = value << 8 | passing->frame[offset + i];
	return value;
}

static uint32_t answer(
    const struct passing *passing, const struct known *known, const struct sock_filter *ask)
{
	if (ask->k < (uint32_t)SKF_AD_OFF)
		return load(passing, ask->code, ask->k - (uint32_t)SKF_LL_OFF);
	switch (ask->k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PKTTYPE:
		return passing->outgoing ? PACKET_OUTGOING : PACKET_HOST;
	case SKF_AD_PROTOCOL:
		return known->protocol;
	case SKF_AD_HATYPE:
		return passing->header ? ARPHRD_ETHER : ARPHRD_NONE;
	default:
		/* No program of ours asks anything else. */
		abort();
	}
}

uint32_t interpreter_run(struct interpreter *interpreter, const struct passing *passing)
{
	struct known known = receive(passing);

	if (passing->outgoing) {
		known.bytes = passing->frame;
		known.length = passing->length;
	}
	for (size_t i = 0; i < interpreter->ask_count; i++) {
		size_t at = interpreter->asks[i];

		interpreter->code[at] = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_IMM,
		    answer(passing, &known, &interpreter->program->instructions[at]));
	}
	return bpf_filter(interpreter->code, known.bytes, (u_int)known.length, (u_int)known.length);
}

void interpreter_close(struct interpreter *interpreter)
{
	free(interpreter->code);
	free(interpreter->asks);
}
