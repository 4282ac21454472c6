/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers as people write them in a configuration.  Pure.  Each returns 0, -EINVAL for what is no
 * such number, or -ERANGE for one beyond 64 bits; *ret_value is written only on 0.
 */

/* A plain number, decimal. */
int units_parse_number(const char *text, uint64_t *ret_value);

/* Bytes: KiB MiB GiB TiB and K M G T are powers of two, KB MB GB TB powers of ten. */
int units_parse_size(const char *text, uint64_t *ret_bytes);

/* Nanoseconds: us ms s min h d; 0 needs no unit. */
int units_parse_time(const char *text, uint64_t *ret_ns);

/* Bits a second: bit kbit Mbit Gbit Tbit, powers of ten; a plain number is of bits. */
int units_parse_rate(const char *text, uint64_t *ret_bits);

/* Millionths of a factor or a rate: "0.5", "2", "100k", "1.5M". */
int units_parse_factor(const char *text, uint64_t *ret_millionths);

/* Hundredths of a percent: "5%", "0.25%"; 0 needs no unit; at most 100%. */
int units_parse_share(const char *text, uint64_t *ret_share);

/*
 * And written, into UNITS_TEXT bytes.  The first three are read back as the same number, in the
 * largest unit for which a decimal is enough: "1.5MiB", "100ms" (a time in whole microseconds).
 */
enum { UNITS_TEXT = 32 };
void units_format_size(char *text, size_t size, uint64_t bytes);
void units_format_time(char *text, size_t size, uint64_t ns);
void units_format_rate(char *text, size_t size, uint64_t bits);

/* Bytes for people, who want no more than a decimal: "23.1GiB". */
void units_format_about(char *text, size_t size, uint64_t bytes);
