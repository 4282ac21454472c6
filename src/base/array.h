/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b) ((a) > (b) ? (a) : (b))
