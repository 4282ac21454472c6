/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/program_text.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NUMBERS = 4, SIZE_MOST = 1 << 20 };

struct text {
	struct sock_filter all[PROGRAM_MOST];
	size_t lines[PROGRAM_MOST]; /* where each stands */
	size_t count;
	uint64_t announced; /* by the first number */
	size_t line;
	bool has_begun, is_full, is_faulty;
	program_fault *tell;
	void *user;
};

static void fault(struct text *text, size_t line, const char *what)
{
	text->is_faulty = true;
	if (text->tell)
		text->tell(text->user, line, what);
}

/* ---- what the kernel takes --------------------------------------------------------------- */

static bool is_of(uint16_t code, const uint16_t *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (codes[i] == code)
			return true;
	return false;
}

static bool is_unknown(const struct sock_filter *one, size_t left)
{
	static const uint16_t operations[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND,
		BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH };
	static const uint16_t tests[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const uint16_t others[] = { BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS,
		BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND,
		BPF_LD | BPF_B | BPF_IND, BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM,
		BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_B | BPF_MSH,
		BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX, BPF_ALU | BPF_NEG,
		BPF_JMP | BPF_JA, BPF_RET | BPF_K, BPF_RET | BPF_A, BPF_MISC | BPF_TAX,
		BPF_MISC | BPF_TXA };
	const uint16_t plain = one->code & (uint16_t)~BPF_X;

	(void)left;
	if (is_of(one->code, others, COUNT_OF(others)))
		return false;
	if (BPF_CLASS(one->code) == BPF_ALU)
		return !is_of(plain & (uint16_t)~BPF_ALU, operations, COUNT_OF(operations));
	if (BPF_CLASS(one->code) == BPF_JMP)
		return !is_of(plain & (uint16_t)~BPF_JMP, tests, COUNT_OF(tests));
	return true;
}

static bool divides_by_zero(const struct sock_filter *one, size_t left)
{
	(void)left;
	return (one->code == (BPF_ALU | BPF_DIV | BPF_K) ||
		   one->code == (BPF_ALU | BPF_MOD | BPF_K)) &&
	       one->k == 0;
}

static bool shifts_too_far(const struct sock_filter *one, size_t left)
{
	(void)left;
	return (one->code == (BPF_ALU | BPF_LSH | BPF_K) ||
		   one->code == (BPF_ALU | BPF_RSH | BPF_K)) &&
	       one->k >= 32;
}

static bool uses_memory(const struct sock_filter *one)
{
	return one->code == (BPF_LD | BPF_MEM) || one->code == (BPF_LDX | BPF_MEM) ||
	       one->code == BPF_ST || one->code == BPF_STX;
}

static bool has_no_such_word(const struct sock_filter *one, size_t left)
{
	(void)left;
	return uses_memory(one) && one->k >= BPF_MEMWORDS;
}

static bool is_test(const struct sock_filter *one)
{
	return BPF_CLASS(one->code) == BPF_JMP && one->code != (BPF_JMP | BPF_JA);
}

static bool jumps_too_far(const struct sock_filter *one, size_t left)
{
	if (one->code == (BPF_JMP | BPF_JA))
		return one->k >= left;
	return is_test(one) && (one->jt >= left || one->jf >= left);
}

static bool asks_for_nothing_known(const struct sock_filter *one, size_t left)
{
	const uint32_t first = (uint32_t)SKF_AD_OFF;

	(void)left;
	if (BPF_CLASS(one->code) != BPF_LD || BPF_MODE(one->code) != BPF_ABS || one->k < first)
		return false;
	return one->k >= first + SKF_AD_MAX || (one->k - first) % 4 != 0;
}

static bool does_not_return(const struct sock_filter *one, size_t left)
{
	return left == 0 && BPF_CLASS(one->code) != BPF_RET;
}

/* left: instructions behind this one. */
static const struct {
	bool (*is_broken)(const struct sock_filter *, size_t left);
	const char *told;
} rules[] = {
	{ is_unknown, "its code is none of classic BPF; what bpf_asm prints" },
	{ divides_by_zero, "divides by 0; another number" },
	{ shifts_too_far, "shifts by more than 31 bits; 0 to 31" },
	{ has_no_such_word, "uses a word of memory that is not there; M[0] to M[15]" },
	{ jumps_too_far, "jumps behind the end; to an instruction of the program" },
	{ asks_for_nothing_known, "loads what the kernel does not know; an extension that it has" },
	{ does_not_return, "is the last and does not return; ret" },
};

/* Which words each instruction may find written, whichever way led to it. */
static void check_memory(struct text *text)
{
	uint16_t written[PROGRAM_MOST], now = 0;

	memset(written, 0xff, sizeof(written));
	for (size_t i = 0; i < text->count; i++) {
		const struct sock_filter *one = &text->all[i];

		now &= written[i];
		if (one->code == BPF_ST || one->code == BPF_STX)
			now |= (uint16_t)(1U << one->k);
		else if (uses_memory(one) && !(now & 1U << one->k))
			fault(text, text->lines[i],
			    "reads a word of memory that may not be written yet; st or stx first");
		if (is_test(one)) {
			written[i + 1 + one->jt] &= now;
			written[i + 1 + one->jf] &= now;
		} else if (one->code == (BPF_JMP | BPF_JA)) {
			written[i + 1 + one->k] &= now;
		}
		/* Behind a ret the kernel goes on as if there were none. */
		if (BPF_CLASS(one->code) == BPF_JMP)
			now = UINT16_MAX;
	}
}

static void check_program(struct text *text)
{
	for (size_t i = 0; i < text->count; i++)
		for (size_t k = 0; k < COUNT_OF(rules); k++) {
			if (!rules[k].is_broken(&text->all[i], text->count - 1 - i))
				continue;
			fault(text, text->lines[i], rules[k].told);
			break;
		}
	if (!text->is_faulty)
		check_memory(text);
}

/* ---- the text ---------------------------------------------------------------------------- */

/* Returns how many numbers there are, or -1 where it is something else or one too many. */
static int read_numbers(const char *at, uint64_t numbers[NUMBERS])
{
	int count = 0;

	for (at += strspn(at, " \t\r\n"); *at; at += strspn(at, " \t\r\n")) {
		char *end;

		if (count == NUMBERS || !isdigit((unsigned char)*at))
			return -1;
		errno = 0;
		numbers[count++] = strtoull(at, &end, 10);
		if (errno != 0 || (*end && !strchr(" \t\r\n", *end)))
			return -1;
		at = end;
	}
	return count;
}

static void begin(struct text *text, int count, const uint64_t *numbers)
{
	text->has_begun = true;
	if (count == 1 && numbers[0] > 0 && numbers[0] <= PROGRAM_MOST) {
		text->announced = numbers[0];
		return;
	}
	text->is_full = true;
	fault(text, text->line,
	    "does not begin with a number of instructions; 1 to 4092, as bpf_asm prints it");
}

static void add(struct text *text, int count, const uint64_t *numbers)
{
	if (text->count == PROGRAM_MOST) {
		text->is_full = true;
		fault(text, text->line,
		    "is too long; 4092 instructions, since the kernel takes 4096 and some are "
		    "added");
		return;
	}
	if (count != NUMBERS || numbers[0] > UINT16_MAX || numbers[1] > UINT8_MAX ||
	    numbers[2] > UINT8_MAX || numbers[3] > UINT32_MAX)
		fault(text, text->line, "is no instruction; code jt jf k, four decimal numbers");
	else
		text->all[text->count] = (struct sock_filter) { (uint16_t)numbers[0],
			(uint8_t)numbers[1], (uint8_t)numbers[2], (uint32_t)numbers[3] };
	text->lines[text->count++] = text->line;
}

static void read_line(struct text *text, char *line, size_t length)
{
	char *record;

	text->line++;
	if (strlen(line) != length) {
		text->is_full = true;
		fault(text, text->line, "holds a zero byte; text");
	}
	while ((record = strsep(&line, ",")) && !text->is_full) {
		uint64_t numbers[NUMBERS] = { 0 };
		int count = read_numbers(record, numbers);

		if (count == 0)
			continue;
		if (text->has_begun)
			add(text, count, numbers);
		else
			begin(text, count, numbers);
	}
}

static void check_length(struct text *text)
{
	char what[128];

	if (!text->has_begun) {
		fault(text, 0, "is empty; a program as bpf_asm prints it");
	} else if (text->count != text->announced) {
		snprintf(what, sizeof(what),
		    "%zu instructions, and the first number says %u; as many", text->count,
		    (unsigned int)text->announced);
		fault(text, text->line, what);
	}
}

static int open_plain(const char *path, FILE **ret_file)
{
	/* What is no plain file might never end, or never begin. */
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat about;

	if (fd < 0 || fstat(fd, &about) < 0)
		return -errno;
	if (!S_ISREG(about.st_mode))
		return S_ISDIR(about.st_mode) ? -EISDIR : -ENODEV;
	if (about.st_size > SIZE_MOST)
		return -EFBIG;
	*ret_file = fdopen(fd, "r");
	if (!*ret_file)
		return -errno;
	(void)TAKE_FD(fd);
	return 0;
}

static int read_text(struct text *text, const char *path)
{
	CLEANUP(free_at) char *line = NULL;
	size_t room = 0;
	ssize_t length;
	FILE *file;
	int r = open_plain(path, &file);

	if (r < 0)
		return r;
	while (!text->is_full && (length = getline(&line, &room, file)) >= 0)
		read_line(text, line, (size_t)length);
	r = ferror(file) ? -EIO : 0;
	fclose(file);
	return r;
}

static int keep(const struct text *text, struct program *ret_program)
{
	struct sock_filter *all = calloc(text->count, sizeof(*all));

	if (!all)
		return -ENOMEM;
	memcpy(all, text->all, text->count * sizeof(*all));
	*ret_program = (struct program) { all, text->count };
	return 0;
}

int program_read(struct program *ret_program, const char *path, program_fault *tell, void *user)
{
	CLEANUP(free_at) struct text *text = calloc(1, sizeof(*text));
	char what[128];
	int r;

	if (!text)
		return -ENOMEM;
	text->tell = tell;
	text->user = user;
	r = read_text(text, path);
	if (r < 0) {
		snprintf(what, sizeof(what), "cannot be read: %s; a file", strerror(-r));
		fault(text, 0, what);
		return r;
	}
	if (!text->is_faulty)
		check_length(text);
	if (!text->is_faulty)
		check_program(text);
	return text->is_faulty ? -EINVAL : keep(text, ret_program);
}
