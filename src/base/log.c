/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include "base/array.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* Set before the first fork and never after: the one thing that every function may need. */
static struct {
	const char *program;
	const char *sensor;
	bool to_journal;
} sink;

enum {
	LINE_MAX_LENGTH = 2048,
	FIELDS_MAX = 16,
	FIELD_MAX_LENGTH = 1200,
};

/* As systemd.exec(5) describes for JOURNAL_STREAM: the device and inode of the stream. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_open(const char *program)
{
	sink.program = program;
	sink.to_journal = stderr_is_journal();
}

void log_sensor(const char *sensor)
{
	sink.sensor = sensor;
}

static void write_to_stderr(const char *text)
{
	char line[LINE_MAX_LENGTH + 64];
	int length =
	    snprintf(line, sizeof(line), "%s: %s\n", sink.program ? sink.program : "fancap", text);

	/* One write, so that lines of several processes do not mix. */
	if (length > 0)
		(void)!write(STDERR_FILENO, line, LEAST((size_t)length, sizeof(line) - 1));
}

static void write_to_journal(int priority, const char *message_id, const struct log_field *fields,
    size_t count, const char *text)
{
	char texts[FIELDS_MAX + 4][FIELD_MAX_LENGTH];
	char message[LINE_MAX_LENGTH + 16];
	struct iovec entry[FIELDS_MAX + 5];
	size_t n = 0;
	const struct log_field extra[] = {
		{ "MESSAGE_ID", message_id },
		{ "SYSLOG_IDENTIFIER", sink.program },
		{ "FANCAP_SENSOR", sink.sensor },
	};

	for (size_t i = 0; i < count + COUNT_OF(extra) && n < COUNT_OF(texts) - 1; i++) {
		const struct log_field *field = i < count ? &fields[i] : &extra[i - count];

		if (!field->value)
			continue;
		snprintf(texts[n], sizeof(texts[n]), "%s=%s", field->name, field->value);
		entry[n] = (struct iovec) { texts[n], strlen(texts[n]) };
		n++;
	}
	snprintf(texts[n], sizeof(texts[n]), "PRIORITY=%d", priority);
	entry[n] = (struct iovec) { texts[n], strlen(texts[n]) };
	n++;
	snprintf(message, sizeof(message), "MESSAGE=%s", text);
	entry[n] = (struct iovec) { message, strlen(message) };
	n++;

	if (sd_journal_sendv(entry, (int)n) < 0)
		write_to_stderr(text);
}

static void emit(int priority, const char *message_id, const struct log_field *fields, size_t count,
    const char *text)
{
	if (sink.to_journal)
		write_to_journal(priority, message_id, fields, count, text);
	else if (priority < LOG_DEBUG)
		write_to_stderr(text);
}

void log_line(int priority, const char *format, ...)
{
	char text[LINE_MAX_LENGTH];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	emit(priority, NULL, NULL, 0, text);
}

void log_bare(int priority, const char *text)
{
	/* Once a sensor runs nothing is said just before an exit.  Else: the prefix of
	 * sd-daemon(3), which the journal takes away. */
	if (sink.to_journal && sink.sensor)
		write_to_journal(priority, NULL, NULL, 0, text);
	else if (sink.to_journal)
		fprintf(stderr, "<%d>%s\n", priority, text);
	else
		fprintf(stderr, "%s\n", text);
}

void log_entry(int priority, const char *message_id, const struct log_field *fields, size_t count,
    const char *format, ...)
{
	char text[LINE_MAX_LENGTH];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	emit(priority, message_id, fields, LEAST(count, (size_t)FIELDS_MAX), text);
}

int log_failure(int error, const char *format, ...)
{
	char text[LINE_MAX_LENGTH], line[LINE_MAX_LENGTH];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line), "%.1900s: %s", text, strerror(-error));
	emit(LOG_ERR, NULL, NULL, 0, line);
	return error;
}
