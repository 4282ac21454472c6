/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* An output directory of finished files, 10 bytes each, with its catalog, in one of others'. */
extern char outside_path[64];
extern int outside, directory;

/* Set up and tear down, of cmocka. */
int make_directory(void **state);
int remove_directory(void **state);

/* Make a file; returns its inode. */
uint64_t make_file(int at, const char *name);

/* 0: there is none. */
uint64_t inode_of(int at, const char *name);

/* Put one into the catalog that was captured from time_ns on. */
void enter(const char *file, uint64_t inode, const char *sensor, uint64_t time_ns);

/* Files N.pcap of sensor "mine", each captured 100 ns after the one before, and entered. */
void make_numbered(int from, int to);
