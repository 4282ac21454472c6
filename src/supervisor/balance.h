/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * Of a sensor that has stopped: every packet that was seen is in a file or in a counter, or this
 * says that it is not.  Logs.  Returns whether the books balance.
 */
bool balance_check(struct ledger *ledger);
