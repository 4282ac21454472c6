/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which exit status of sysexits.h a failure comes to: what failed decides as much as the errno.
 */
enum exit_step {
	STEP_CONFIGURATION, /* reading the file */
	STEP_PLAN,          /* what the file asks of this machine */
	STEP_OUTPUT,        /* the output directory */
	STEP_RUNTIME,       /* the runtime directory, with ledger and stages */
	STEP_CAPTURE,       /* interfaces, sockets, filters, workers */
	STEP_COUNT_,
};

/* The status for a negative errno. */
int exit_status_of(enum exit_step step, int error);
