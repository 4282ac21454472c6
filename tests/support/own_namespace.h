/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The two ends of the pair that own_namespace_enter() makes. */
#define OWN_NEAR "fcnear"
#define OWN_FAR "fcfar"

/*
 * Move this process into a network namespace of its own, where it may do all that needs a right in
 * one, with lo and a veth pair that are up and say nothing by themselves.  It ends with the
 * process.  Returns 0, or a negative errno where that cannot be had, and says so on stdout.
 */
int own_namespace_enter(void);
