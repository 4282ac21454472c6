/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Open those of the three standard streams that whoever started this process left closed, so that
 * no other file takes their place and is read, or written to, for them.  Using one of these fails.
 */
void streams_fill(void);

/*
 * Write out what stdout holds.  Logs.  Returns 0, or a negative errno where not all of it was
 * written.
 */
int streams_flush(void);
