/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"
#include "supervisor/curation.h"
#include "supervisor/legacy.h"

/*
 * Where the supervisor is the first process of a container, those of others are left to it when
 * their parents end, and nobody else reaps them.  Our own are the event loop's.  Does not block.
 */
void orphans_reap(
    const struct ledger *ledger, const struct legacy *legacy, const struct curation *curation);
