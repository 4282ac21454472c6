/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the seeds of fuzz_ledger anew: after a change of the layout, since an old one would only
 * be refused for its size.
 */
#include "support/ledger_seeds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int directory = argc == 2 ? open(argv[1], O_DIRECTORY | O_CLOEXEC) : -1;

	if (directory < 0) {
		fprintf(stderr, "usage: seed_ledger DIRECTORY\n");
		return 64;
	}
	for (size_t i = 0; i < ledger_seed_count; i++) {
		int r = ledger_seed_make(&ledger_seeds[i], directory);

		if (r == 0 && renameat(directory, "ledger", directory, ledger_seeds[i].name) < 0)
			r = -errno;
		if (r < 0) {
			fprintf(stderr, "%s: %s\n", ledger_seeds[i].name, strerror(-r));
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
