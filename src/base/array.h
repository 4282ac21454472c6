/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Each evaluates one of its arguments twice: give them what has no effect. */
#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b) ((a) > (b) ? (a) : (b))
