/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/program.h"

#include "base/array.h"
#include "capture/assembler.h"
#include "capture/flow.h"
#include "capture/program_text.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>

static int one_word(struct program *ret_program, uint32_t word)
{
	struct assembler assembler;

	assembler_begin(&assembler);
	assembler_put(&assembler, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + word);
	assembler_put(&assembler, BPF_RET | BPF_A, 0);
	return assembler_end(&assembler, ret_program);
}

static int by_flow(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	(void)config;
	return flow_program(ret_program, header);
}

static int by_cpu(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	(void)config;
	(void)header;
	return one_word(ret_program, SKF_AD_CPU);
}

static int by_queue(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	(void)config;
	(void)header;
	return one_word(ret_program, SKF_AD_QUEUE);
}

static int by_chance(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	(void)config;
	(void)header;
	return one_word(ret_program, SKF_AD_RANDOM);
}

static int by_file(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	(void)header;
	return program_read(ret_program, config->program, NULL, NULL);
}

static int (*const makers[])(struct program *, const struct fanout_config *, size_t) = {
	[FANOUT_FLOW] = by_flow,
	[FANOUT_CPU] = by_cpu,
	[FANOUT_QUEUE] = by_queue,
	[FANOUT_RANDOM] = by_chance,
	[FANOUT_PROGRAM] = by_file,
};

bool program_runs(unsigned int mode)
{
	return mode < COUNT_OF(makers) && makers[mode];
}

int program_make(struct program *ret_program, const struct fanout_config *config, size_t header)
{
	if (!program_runs(config->mode))
		return -EOPNOTSUPP;
	return makers[config->mode](ret_program, config, header);
}

/* Jumps lead forward by so many instructions: each is put in the place of one. */
static struct sock_filter bind_one(struct sock_filter one, size_t to_tail, uint32_t members)
{
	if (one.code == (BPF_RET | BPF_A))
		return (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)to_tail);
	if (one.code == (BPF_RET | BPF_K))
		one.k %= members;
	return one;
}

int program_narrow(struct program *ret_program, const struct program *program, uint32_t members)
{
	const struct sock_filter tail[PROGRAM_TAIL] = {
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, members),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const size_t count = program->count + COUNT_OF(tail);
	struct sock_filter *instructions;

	if (members == 0)
		return -EINVAL;
	if (count > BPF_MAXINSNS)
		return -E2BIG;
	instructions = calloc(count, sizeof(*instructions));
	if (!instructions)
		return -ENOMEM;
	for (size_t i = 0; i < program->count; i++)
		instructions[i] =
		    bind_one(program->instructions[i], program->count - i - 1, members);
	for (size_t i = 0; i < COUNT_OF(tail); i++)
		instructions[program->count + i] = tail[i];
	*ret_program = (struct program) { instructions, count };
	return 0;
}

int program_bind(struct program *program, uint32_t members)
{
	struct program bound;
	int r = program_narrow(&bound, program, members);

	if (r < 0)
		return r;
	program_release(program);
	*program = bound;
	return 0;
}

int program_constant(struct program *ret_program, uint32_t member)
{
	struct assembler assembler;

	assembler_begin(&assembler);
	assembler_put(&assembler, BPF_RET | BPF_K, member);
	return assembler_end(&assembler, ret_program);
}

int program_attach(int fd, const struct program *program)
{
	const struct sock_fprog given = {
		.len = (unsigned short)program->count,
		.filter = program->instructions,
	};

	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &given, sizeof(given)) < 0 ? -errno
											 : 0;
}

void program_release(struct program *program)
{
	free(program->instructions);
	*program = (struct program) { 0 };
}
