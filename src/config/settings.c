/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/settings.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const missing_words[] = { "wait", "refuse", NULL };
static const char *const mode_words[] = { "flow", "hash", "lb", "cpu", "queue", "random",
	"rollover", "program", NULL };
static const char *const direction_words[] = { "both", "in", "out", NULL };
static const char *const link_words[] = { "auto", "cooked", NULL };
static const char *const timestamp_words[] = { "software", "hardware", NULL };
static const char *const format_words[] = { "pcap", "pcapng", NULL };
static const char *const resolution_words[] = { "ns", "us", NULL };
static const char *const compression_words[] = { "none", "lz4", "zstd", NULL };
static const char *const sync_words[] = { "none", "close", "block", NULL };
static const char *const digest_words[] = { "none", "sha256", NULL };

/* ---- parsers ----------------------------------------------------------------------------- */

static int check_bounds(
    const struct setting *setting, uint64_t value, const char *text, char *wrong, size_t size)
{
	if (value >= setting->least && (setting->most == 0 || value <= setting->most))
		return 0;
	snprintf(wrong, size, "%.100s is out of bounds; %s", text, setting->help);
	return -EINVAL;
}

static int put_number(const struct setting *setting, int r, uint64_t value, const char *text,
    void *field, char *wrong, size_t size)
{
	if (r < 0) {
		snprintf(wrong, size, "\"%.100s\" is %s; %s", text,
		    r == -ERANGE ? "too large" : "not understood", setting->help);
		return -EINVAL;
	}
	r = check_bounds(setting, value, text, wrong, size);
	if (r == 0)
		*(uint64_t *)field = value;
	return r;
}

/* A parser of numbers is the parser of its unit. */
#define NUMBER_PARSER(name, unit)                                                                  \
	static int name(const struct setting *setting, const char *text, void *field, char *wrong, \
	    size_t size)                                                                           \
	{                                                                                          \
		uint64_t value = 0;                                                                \
		int r = unit(text, &value);                                                        \
                                                                                                   \
		return put_number(setting, r, value, text, field, wrong, size);                    \
	}

NUMBER_PARSER(parse_number, units_parse_number)
NUMBER_PARSER(parse_size, units_parse_size)
NUMBER_PARSER(parse_time, units_parse_time)
NUMBER_PARSER(parse_share, units_parse_share)

static int parse_bool(
    const struct setting *setting, const char *text, void *field, char *wrong, size_t size)
{
	/* As YAML 1.2's core schema, and the yes and no that people write. */
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "on" };
	static const char *const no[] = { "false", "False", "FALSE", "no", "off" };

	(void)setting;
	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		bool is_yes = strcmp(text, yes[i]) == 0;

		if (!is_yes && strcmp(text, no[i]) != 0)
			continue;
		*(bool *)field = is_yes;
		return 0;
	}
	snprintf(wrong, size, "\"%.100s\" is neither; true or false", text);
	return -EINVAL;
}

static void list_words(const struct setting *setting, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (uint32_t i = 0; setting->words[i] && used < size; i++)
		if (!(setting->later & 1U << i))
			used += (size_t)snprintf(
			    text + used, size - used, "%s%s", used ? ", " : "", setting->words[i]);
}

static int parse_word(
    const struct setting *setting, const char *text, void *field, char *wrong, size_t size)
{
	char allowed[128];

	list_words(setting, allowed, sizeof(allowed));
	for (uint32_t i = 0; setting->words[i]; i++) {
		if (strcmp(text, setting->words[i]) != 0)
			continue;
		if (setting->later & 1U << i) {
			snprintf(wrong, size, "%s is not in this version; %s", text, allowed);
			return -EINVAL;
		}
		*(unsigned int *)field = i;
		return 0;
	}
	snprintf(wrong, size, "\"%.100s\" is none of them; %s", text, allowed);
	return -EINVAL;
}

static int parse_text(
    const struct setting *setting, const char *text, void *field, char *wrong, size_t size)
{
	char *copy;

	if (setting->most > 0 && strlen(text) > setting->most) {
		snprintf(wrong, size, "is %zu bytes long; at most %" PRIu64, strlen(text),
		    setting->most);
		return -EINVAL;
	}
	copy = strdup(text);
	if (!copy) {
		snprintf(wrong, size, "no memory for it");
		return -ENOMEM;
	}
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

/* ---- the tables -------------------------------------------------------------------------- */

#define SAME_TYPE(type, expression) __builtin_types_compatible_p(type, __typeof__(expression))

/* Where a field lies; does not compile if it is of another type. */
#define OFFSET(owner, type, field)                                                                 \
	(offsetof(owner, field) + 0 * sizeof(char[SAME_TYPE(type, ((owner *)0)->field) ? 1 : -1]))

#define CONFIG(type, field) .offset = OFFSET(struct config, type, field)
#define NUMBER(field) .parse = parse_number, CONFIG(uint64_t, field)
#define SIZE(field) .parse = parse_size, CONFIG(uint64_t, field)
#define TIME(field) .parse = parse_time, CONFIG(uint64_t, field)
#define SHARE(field) .parse = parse_share, CONFIG(uint64_t, field)
#define BOOL(field) .parse = parse_bool, CONFIG(bool, field)
#define TEXT(field) .parse = parse_text, CONFIG(char *, field)
#define WORD(field, list) .parse = parse_word, CONFIG(unsigned int, field), .words = (list)
#define LATER(word) (1U << (word))
#define HOUR (3600 * NSEC_PER_SEC)
/* A group's type is for ever; all the others are of one type, and differ in their program. */
#define KERNELS_OWN (1U << FANOUT_HASH | 1U << FANOUT_LB | 1U << FANOUT_ROLLOVER)

/* clang-format off */
const struct setting settings[] = {
	{ "fanout.mode",          WORD(fanout.mode, mode_words), .initial = "flow", .fixed = KERNELS_OWN, .reload = RELOAD_NOW, .help = "how packets are shared out among the workers" },
	{ "fanout.program",       TEXT(fanout.program), .initial = "", .most = 3000, .reload = RELOAD_NOW, .help = "a file with a classic BPF program" },
	{ "fanout.rollover",      BOOL(fanout.rollover), .initial = "false", .reload = RELOAD_REFUSED, .help = "when a ring is full, offer the packet to the next" },
	{ "ring.memory",          SIZE(ring.memory), .initial = "64MiB", .least = 8192, .most = UINT64_C(1) << 44, .reload = RELOAD_NEW_SOCKETS, .help = "a size such as 64MiB, of one worker's ring, at least two blocks" },
	{ "ring.block_size",      SIZE(ring.block_size), .initial = "1MiB", .least = 4096, .most = UINT64_C(1) << 30, .reload = RELOAD_NEW_SOCKETS, .help = "a size from 4KiB to 1GiB, a multiple of the page" },
	{ "ring.retire_timeout",  TIME(ring.retire_timeout), .initial = "100ms", .least = NSEC_PER_MSEC, .most = 60 * NSEC_PER_SEC, .reload = RELOAD_NEW_SOCKETS, .help = "a time from 1ms to 1min (with 0 the kernel chooses its own)" },
	{ "capture.filter",       TEXT(capture.filter), .initial = "", .most = 65536, .reload = RELOAD_NEXT_FILE, .help = "a pcap-filter(7) expression" },
	{ "capture.snaplen",      NUMBER(capture.snaplen), .initial = "262144", .most = SNAPLEN_MOST, .reload = RELOAD_NEXT_FILE, .help = "a number of bytes from 0 (which is 262144) to 262144" },
	{ "capture.promiscuous",  BOOL(capture.promiscuous), .initial = "true", .reload = RELOAD_NOW, .help = "see what is not for this host, too" },
	{ "capture.direction",    WORD(capture.direction, direction_words), .initial = "both", .reload = RELOAD_REFUSED, .help = "which packets" },
	{ "capture.link",         WORD(capture.link, link_words), .initial = "auto", .reload = RELOAD_REFUSED, .help = "the link type" },
	{ "capture.timestamp",    WORD(capture.timestamp, timestamp_words), .initial = "software", .reload = RELOAD_REFUSED, .help = "who stamps packets" },
	{ "output.directory",     TEXT(output.directory), .initial = "", .most = 3000, .reload = RELOAD_REFUSED, .help = "an absolute path" },
	{ "output.name",          TEXT(output.name), .initial = "%Y-%m-%d/%{sensor}-%{interface}-%{worker}-%Y%m%dT%H%M%SZ", .most = 400, .reload = RELOAD_NEXT_FILE, .help = "strftime in UTC, and %{sensor} %{interface} %{worker}" },
	{ "output.format",        WORD(output.format, format_words), .initial = "pcap", .reload = RELOAD_NEXT_FILE, .help = "the files' format" },
	{ "output.resolution",    WORD(output.resolution, resolution_words), .initial = "ns", .reload = RELOAD_NEXT_FILE, .help = "of the stamps" },
	{ "output.compression",   WORD(output.compression, compression_words), .initial = "none", .reload = RELOAD_NEXT_FILE, .help = "of the files" },
	{ "output.level",         NUMBER(output.level), .initial = "0", .most = ZSTD_LEVEL_MOST, .reload = RELOAD_NEXT_FILE, .help = "a number from 0 (the library's own default) to 12 with lz4, to 22 with zstd" },
	{ "output.rotate.size",   SIZE(output.rotate.size), .initial = "1GiB", .reload = RELOAD_NOW, .help = "a size such as 1GiB, or 0 for never" },
	{ "output.rotate.interval", TIME(output.rotate.interval), .initial = "5min", .most = 366 * 24 * HOUR, .reload = RELOAD_NOW, .help = "a time such as 5min, or 0 for never" },
	{ "output.rotate.packets", NUMBER(output.rotate.packets), .initial = "0", .reload = RELOAD_NOW, .help = "a number, or 0 for never" },
	{ "output.retain.size",   SIZE(output.retain.size), .initial = "0", .reload = RELOAD_NOW, .help = "a size, or 0 for no bound" },
	{ "output.retain.age",    TIME(output.retain.age), .initial = "0", .reload = RELOAD_NOW, .help = "a time, or 0 for no bound" },
	{ "output.retain.files",  NUMBER(output.retain.files), .initial = "0", .reload = RELOAD_NOW, .help = "a number, or 0 for no bound" },
	{ "output.retain.free",   SHARE(output.retain.free), .initial = "5%", .reload = RELOAD_NOW, .help = "a share such as 5%, or 0 for no bound" },
	{ "output.retain.after_close", BOOL(output.retain.after_close), .initial = "false", .reload = RELOAD_NOW, .help = "keep what on_close is not done with" },
	{ "output.sync",          WORD(output.sync, sync_words), .initial = "close", .reload = RELOAD_NEXT_FILE, .help = "when files are brought to the disk" },
	{ "output.stage",         SIZE(output.stage), .initial = "4MiB", .least = 8192, .most = UINT64_C(1) << 32, .reload = RELOAD_REFUSED, .help = "a size, at least twice ring.block_size, a multiple of 4KiB" },
	{ "output.preallocate",   BOOL(output.preallocate), .initial = "false", .only_default = true, .reload = RELOAD_NEXT_FILE, .help = "reserve rotate.size on the disk" },
	{ "output.index",         BOOL(output.index), .initial = "false", .only_default = true, .reload = RELOAD_NEXT_FILE, .help = "write an index beside each file" },
	{ "output.digest",        WORD(output.digest, digest_words), .initial = "none", .later = LATER(DIGEST_SHA256), .reload = RELOAD_NEXT_FILE, .help = "kept in the catalog" },
	{ "output.on_close_parallel", NUMBER(output.on_close_parallel), .initial = "2", .least = 1, .most = ON_CLOSE_PARALLEL_MOST, .reload = RELOAD_NOW, .help = "a number from 1 to 64" },
	{ "report.interval",      TIME(report.interval), .initial = "10s", .least = NSEC_PER_SEC, .most = 24 * HOUR, .reload = RELOAD_NOW, .help = "a time from 1s to 1d" },
};
const size_t settings_count = COUNT_OF(settings);

#define INTERFACE(type, field) .offset = OFFSET(struct interface_config, type, field)

const struct setting interface_settings[] = {
	{ "name",      .parse = parse_text, INTERFACE(char *, device), .initial = "", .most = 64, .reload = RELOAD_NEW_SOCKETS, .help = "an interface's name" },
	{ "workers",   .parse = parse_number, INTERFACE(uint64_t, workers), .initial = "0", .least = 0, .most = WORKERS_MOST, .reload = RELOAD_NEW_SOCKETS, .help = "a number from 1 to 256" },
	{ "namespace", .parse = parse_text, INTERFACE(char *, namespace), .initial = "", .most = NAMESPACE_LENGTH, .reload = RELOAD_NEW_SOCKETS, .help = "a network namespace, as ip netns names it" },
	{ "missing",   .parse = parse_word, INTERFACE(unsigned int, missing), .initial = "wait", .words = missing_words, .reload = RELOAD_NOW, .help = "what to do without it" },
};
const size_t interface_settings_count = COUNT_OF(interface_settings);
/* clang-format on */

/* ---- using them -------------------------------------------------------------------------- */

static void *field_of(const struct setting *setting, void *fields)
{
	return (char *)fields + setting->offset;
}

int settings_reset(const struct setting *table, size_t count, void *fields)
{
	char wrong[256];

	for (size_t i = 0; i < count; i++) {
		int r = table[i].parse(
		    &table[i], table[i].initial, field_of(&table[i], fields), wrong, sizeof(wrong));

		if (r < 0)
			return r;
	}
	return 0;
}

void settings_release(const struct setting *table, size_t count, void *fields)
{
	for (size_t i = 0; i < count; i++) {
		char **text = field_of(&table[i], fields);

		if (table[i].parse != parse_text)
			continue;
		free(*text);
		*text = NULL;
	}
}

const struct setting *settings_find(const struct setting *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* What only later versions take is read all the same, so that nonsense is told as nonsense. */
static int check_version(const struct setting *setting, const char *text, char *wrong, size_t size)
{
	union {
		uint64_t number;
		char *text;
		bool flag;
		unsigned int word;
	} value = { 0 }, initial = { 0 };
	int r = setting->parse(setting, text, &value, wrong, size);
	bool differs;

	if (r < 0)
		return r;
	(void)setting->parse(setting, setting->initial, &initial, wrong, size);
	if (setting->parse == parse_text) {
		differs = value.text && initial.text && strcmp(value.text, initial.text) != 0;
		free(value.text);
		free(initial.text);
	} else {
		differs = value.number != initial.number;
	}
	if (!differs)
		return 0;
	snprintf(wrong, size, "%.100s is not in this version; %s", text,
	    setting->initial[0] ? setting->initial : "leave it out");
	return -EINVAL;
}

int settings_set(
    const struct setting *setting, void *fields, const char *text, char *wrong, size_t wrong_size)
{
	int r = setting->only_default ? check_version(setting, text, wrong, wrong_size) : 0;

	return r < 0 ? r
		     : setting->parse(setting, text, field_of(setting, fields), wrong, wrong_size);
}

bool settings_are_equal(const struct setting *setting, const void *fields, const void *others)
{
	const void *a = (const char *)fields + setting->offset;
	const void *b = (const char *)others + setting->offset;

	if (setting->parse == parse_text)
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	if (setting->parse == parse_bool)
		return *(const bool *)a == *(const bool *)b;
	if (setting->parse == parse_word)
		return *(const unsigned int *)a == *(const unsigned int *)b;
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

enum reload settings_reload_of(
    const struct setting *setting, const void *fields, const void *others)
{
	unsigned int from, to;

	if (setting->fixed == 0)
		return setting->reload;
	memcpy(&from, (const char *)fields + setting->offset, sizeof(from));
	memcpy(&to, (const char *)others + setting->offset, sizeof(to));
	return setting->fixed & (1U << from | 1U << to) ? RELOAD_REFUSED : setting->reload;
}
