/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The one way to cmocka, which wants these before it and was renamed in parts in 2.0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The body of main() of a test program. */
#define RUN_TESTS(tests) cmocka_run_group_tests((tests), NULL, NULL)
