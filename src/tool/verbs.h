/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The verbs of `fancap`: each takes its own arguments, argv[0] being what its messages begin with,
 * `fancap: VERB`, and returns an exit status of SPEC section 2.
 */
int verb_check(int argc, char **argv);
int verb_hold(int argc, char **argv);
int verb_holds(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_on_close(int argc, char **argv);
int verb_release(int argc, char **argv);
int verb_repair(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_ring(int argc, char **argv);
int verb_status(int argc, char **argv);
