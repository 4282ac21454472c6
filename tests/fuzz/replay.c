/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without a fuzzer: on each file of tests/fuzz/corpus/TARGET, and on some
 * thousand variants of each, always the same; or on the files and folders that are named.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIANTS = 2000, SIZE_MOST = 1 << 20 };

/* xorshift64: the same on every machine. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint8_t odd_byte(uint64_t *state)
{
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint64_t value = next(state);

	return value & 1 ? odd[(value >> 8) % sizeof(odd)] : (uint8_t)(value >> 16);
}

static void run_variants(const uint8_t *data, size_t size)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
	uint8_t *variant = malloc(size);

	for (int i = 0; i < VARIANTS && size > 0; i++) {
		size_t length = next(&state) % 8 ? size : next(&state) % size;

		memcpy(variant, data, size);
		for (uint64_t changes = 1 + next(&state) % 4; changes > 0; changes--) {
			uint8_t *at = variant + next(&state) % size;

			*at = odd_byte(&state);
		}
		LLVMFuzzerTestOneInput(variant, length);
	}
	free(variant);
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *data = malloc(SIZE_MOST);
	size_t size;

	if (!file || !data) {
		perror(path);
		exit(99);
	}
	size = fread(data, 1, SIZE_MOST, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	run_variants(data, size);
	free(data);
	return 1;
}

static int run_path(const char *path)
{
	struct dirent **entries;
	struct stat info;
	int files = 0, count;

	if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
		return run_file(path);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char inside[4096];

		snprintf(inside, sizeof(inside), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			files += run_file(inside);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return files;
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	const char *target = strstr(argv[0], "fuzz_");
	char corpus[4096];
	int files = 0;

	/* No input at all is one too. */
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		files += run_path(argv[i]);
	if (argc == 1) {
		for (const char *more = target; more; more = strstr(more + 1, "fuzz_"))
			target = more;
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", source ? source : ".",
		    target ? target + strlen("fuzz_") : "");
		files = run_path(corpus);
	}
	printf("%d files, each with %d variants\n", files, VARIANTS);
	/* A replay of nothing proves nothing. */
	return files == 0;
}
