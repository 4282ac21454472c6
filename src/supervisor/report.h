/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "ledger/ledger.h"
#include "supervisor/interfaces.h"

#include <stddef.h>

/*
 * News from the ledger, each report.interval: STATUS= for the service manager, entries of drops
 * and of a one-sided fanout for the journal, rates for `fancap status`.
 */
struct report;

/* Returns NULL where memory is short. */
struct report *report_new(const struct config *config, const struct interfaces *interfaces,
    struct ledger *ledger, uint64_t now_ns);
void report_free(struct report *report);

/* Look at the ledger now, and tell what has changed since the last look.  Logs. */
void report_tick(struct report *report, uint64_t now_ns);

/* The sum over all workers. */
void report_total(const struct ledger *ledger, struct counters *ret_total);

/* Tell the service manager: sd_notify's text, formatted. */
void report_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
