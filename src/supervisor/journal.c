/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/journal.h"

#include "base/array.h"
#include "base/log.h"
#include "base/message_ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	int priority;
	const char *message_id;
} events[EVENT_COUNT_] = {
	[EVENT_STARTED] = { LOG_NOTICE, MESSAGE_ID_STARTED },
	[EVENT_STOPPING] = { LOG_NOTICE, MESSAGE_ID_STOPPING },
	[EVENT_STOPPED] = { LOG_NOTICE, MESSAGE_ID_STOPPED },
	[EVENT_DROPS] = { LOG_WARNING, MESSAGE_ID_DROPS },
	[EVENT_LINK] = { LOG_NOTICE, MESSAGE_ID_LINK },
	[EVENT_DEVICE] = { LOG_NOTICE, MESSAGE_ID_DEVICE },
	[EVENT_DEVICE_DROPS] = { LOG_WARNING, MESSAGE_ID_DEVICE_DROPS },
	[EVENT_DEVICE_CLOCK] = { LOG_WARNING, MESSAGE_ID_DEVICE_CLOCK },
	[EVENT_UNSTAMPED] = { LOG_WARNING, MESSAGE_ID_UNSTAMPED },
	[EVENT_STORAGE_REFUSED] = { LOG_CRIT, MESSAGE_ID_STORAGE_REFUSED },
	[EVENT_STORAGE_WORKS] = { LOG_NOTICE, MESSAGE_ID_STORAGE_WORKS },
	[EVENT_WORKER_DIED] = { LOG_ERR, MESSAGE_ID_WORKER_DIED },
	[EVENT_TOOK_OVER] = { LOG_NOTICE, MESSAGE_ID_TOOK_OVER },
	[EVENT_WORKER_STARTED_AGAIN] = { LOG_NOTICE, MESSAGE_ID_WORKER_STARTED_AGAIN },
	[EVENT_INTERFACE_WAITING] = { LOG_WARNING, MESSAGE_ID_WAITING },
	[EVENT_INTERFACE_DOWN] = { LOG_WARNING, MESSAGE_ID_INTERFACE_DOWN },
	[EVENT_INTERFACE_GONE] = { LOG_WARNING, MESSAGE_ID_INTERFACE_GONE },
	[EVENT_INTERFACE_BACK] = { LOG_NOTICE, MESSAGE_ID_INTERFACE_BACK },
	[EVENT_FILE_FINISHED] = { LOG_DEBUG, MESSAGE_ID_FILE_FINISHED },
	[EVENT_RELOADED] = { LOG_NOTICE, MESSAGE_ID_RELOADED },
	[EVENT_RELOAD_REFUSED] = { LOG_ERR, MESSAGE_ID_RELOAD_REFUSED },
	[EVENT_LAST_GOOD] = { LOG_ERR, MESSAGE_ID_LAST_GOOD },
	[EVENT_IMBALANCE] = { LOG_ERR, MESSAGE_ID_IMBALANCE },
	[EVENT_ONE_SIDED] = { LOG_NOTICE, MESSAGE_ID_ONE_SIDED },
	[EVENT_BLOCK_DAMAGED] = { LOG_ERR, MESSAGE_ID_BLOCK_DAMAGED },
	[EVENT_BLOCK_SET_ASIDE] = { LOG_ERR, MESSAGE_ID_BLOCK_SET_ASIDE },
	[EVENT_WORKER_FROZEN] = { LOG_ERR, MESSAGE_ID_WORKER_FROZEN },
	[EVENT_PATIENCE] = { LOG_NOTICE, MESSAGE_ID_PATIENCE },
	[EVENT_FILE_REPAIRED] = { LOG_NOTICE, MESSAGE_ID_FILE_REPAIRED },
	[EVENT_FILE_LEFT] = { LOG_WARNING, MESSAGE_ID_FILE_LEFT },
	[EVENT_FILE_EXPIRED] = { LOG_INFO, MESSAGE_ID_FILE_EXPIRED },
	[EVENT_RETENTION_SHORT] = { LOG_WARNING, MESSAGE_ID_RETENTION_SHORT },
	[EVENT_GAP] = { LOG_WARNING, MESSAGE_ID_GAP },
	[EVENT_CLOCK_STEP] = { LOG_NOTICE, MESSAGE_ID_CLOCK_STEP },
};

enum { NUMBER_LENGTH = 24, TEXTS = 5, NUMBERS = 9 };

static void add_number(
    struct log_field *field, char text[NUMBER_LENGTH], const char *name, const uint64_t *value)
{
	*field = (struct log_field) { name, NULL };
	if (!value)
		return;
	snprintf(text, NUMBER_LENGTH, "%" PRIu64, *value);
	field->value = text;
}

void journal_event(enum event event, const struct journal_about *about, const char *format, ...)
{
	const uint64_t worker = about->worker ? *about->worker : 0;
	char numbers[NUMBERS][NUMBER_LENGTH], text[1024];
	struct log_field fields[TEXTS + NUMBERS] = {
		{ "FANCAP_INTERFACE", about->interface },
		{ "FANCAP_FILE", about->file },
		{ "FANCAP_CAUSE", about->cause },
		{ "FANCAP_FROM", about->from },
		{ "FANCAP_UNTIL", about->until },
	};
	va_list arguments;

	add_number(&fields[5], numbers[0], "FANCAP_WORKER", about->worker ? &worker : NULL);
	add_number(&fields[6], numbers[1], "FANCAP_PACKETS", about->packets);
	add_number(&fields[7], numbers[2], "FANCAP_BYTES", about->bytes);
	add_number(&fields[8], numbers[3], "FANCAP_DROPS", about->drops);
	add_number(&fields[9], numbers[4], "FANCAP_DROPS_TOTAL", about->drops_total);
	add_number(&fields[10], numbers[5], "FANCAP_DISCARDS", about->discards);
	add_number(&fields[11], numbers[6], "FANCAP_FREEZES", about->freezes);
	add_number(&fields[12], numbers[7], "FANCAP_BLOCK", about->block);
	add_number(&fields[13], numbers[8], "FANCAP_WAITING", about->waiting);

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_entry(
	    events[event].priority, events[event].message_id, fields, COUNT_OF(fields), "%s", text);
}

const char *journal_storage_cause(int error)
{
	if (error == -ENOSPC || error == -EDQUOT)
		return "enospc";
	return error == -EROFS ? "erofs" : "eio";
}
