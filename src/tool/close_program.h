/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/catalog_reader.h"

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Run output.on_close for one file: what the catalog says of it is in the environment (SPEC section
 * 4), stdin is /dev/null, and it leads a process group of its own, which ends with close_program_
 * stop().  It is sent SIGTERM where its parent dies.
 *
 * Returns its process, or a negative errno.  One that cannot be executed says so on stderr and ends
 * with 127.
 */
pid_t close_program_start(
    char *const *program, const char *directory, const struct catalog_line *line);

void close_program_stop(pid_t pid, int signal);

/* How it ended, for a sentence: "exited with status 1", "was killed by SIGKILL". */
void close_program_describe_end(int status, char *text, size_t size);
