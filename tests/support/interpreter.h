/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/program.h"

#include <stdint.h>

/*
 * Runs a fanout program as the kernel would: libpcap's interpreter, for which what only the kernel
 * knows of a packet is put into the program beforehand.
 */
struct interpreter {
	struct bpf_insn *code;
	const struct program *program;
	size_t *asks; /* the instructions that ask the kernel */
	size_t ask_count;
};

/* A packet as it passes the group. */
struct passing {
	const uint8_t *frame; /* from the link header on */
	size_t length;
	size_t header; /* of the link: 14 or 0 */
	bool outgoing;
};

/* The program must live as long.  False: no memory. */
bool interpreter_open(struct interpreter *interpreter, const struct program *program);

/* What the program returns. */
uint32_t interpreter_run(struct interpreter *interpreter, const struct passing *passing);

void interpreter_close(struct interpreter *interpreter);
