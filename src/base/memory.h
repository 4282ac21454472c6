/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * What the machine has to give: bytes that could be taken without swapping, MemAvailable of
 * proc(5); 0 where it cannot be told.
 */
uint64_t memory_available(void);
