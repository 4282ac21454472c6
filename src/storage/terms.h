/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/seat.h"

/*
 * What the head of a file says of all that is in it, in the one word that the ledger has for it: a
 * file is not gone on with by other terms.  How it is compressed is said by its name.  Pure.
 */
uint32_t terms_of(const struct writer_seat *seat);

enum file_format terms_format(uint32_t terms);
enum file_resolution terms_resolution(uint32_t terms);
