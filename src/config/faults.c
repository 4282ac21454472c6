/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/faults.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MOST = 100, STAGE_UNIT = 4096 };

struct fault_place {
	char *key;
	size_t line, column;
	bool is_spoiled;
};

/* ---- the list ---------------------------------------------------------------------------- */

/* One line each, on any terminal, whatever bytes a value has. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Takes the text over. */
static void add(struct config_faults *faults, char *text)
{
	char **texts = NULL;

	if (text && !faults_are_full(faults))
		texts = realloc(faults->texts, (faults->count + 1) * sizeof(*texts));
	if (!texts) {
		free(text);
		return;
	}
	make_printable(text);
	faults->texts = texts;
	texts[faults->count++] = text;
}

static void add_at(
    struct config_faults *faults, size_t line, size_t column, const char *kind, const char *text)
{
	char place[48] = "", *whole;

	if (line > 0)
		snprintf(place, sizeof(place), ":%zu:%zu", line, column);
	if (asprintf(&whole, "%s%s: %s%s", faults->path, place, kind, text) >= 0)
		add(faults, whole);
}

void faults_add(struct config_faults *faults, size_t line, size_t column, const char *format, ...)
{
	CLEANUP(free_at) char *text = NULL;
	va_list arguments;

	faults->errors++;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0)
		add_at(faults, line, column, "", text);
	else
		text = NULL;
	va_end(arguments);
}

bool faults_are_full(const struct config_faults *faults)
{
	return faults->count >= FAULTS_MOST;
}

/* ---- where keys stand -------------------------------------------------------------------- */

static struct fault_place *find_place(const struct config_faults *faults, const char *key)
{
	for (size_t i = 0; key && i < faults->place_count; i++)
		if (strcmp(faults->places[i].key, key) == 0)
			return &faults->places[i];
	return NULL;
}

void faults_place(struct config_faults *faults, const char *key, size_t line, size_t column)
{
	struct fault_place *places =
	    realloc(faults->places, (faults->place_count + 1) * sizeof(*places));

	if (!places)
		return;
	faults->places = places;
	places[faults->place_count] = (struct fault_place) { strdup(key), line, column, false };
	if (places[faults->place_count].key)
		faults->place_count++;
}

void faults_spoil(struct config_faults *faults, const char *key)
{
	struct fault_place *place = find_place(faults, key);

	if (!place) {
		faults_place(faults, key, 0, 0);
		place = find_place(faults, key);
	}
	if (place)
		place->is_spoiled = true;
}

/* Returns false where one of the keys is spoiled. */
static bool find_either(const struct config_faults *faults, const char *key, const char *other,
    struct fault_place *ret_place)
{
	const struct fault_place *first = find_place(faults, key);
	const struct fault_place *second = find_place(faults, other);

	if ((first && first->is_spoiled) || (second && second->is_spoiled))
		return false;
	*ret_place = first ? *first : second ? *second : (struct fault_place) { 0 };
	return true;
}

/* Returns whether it was added. */
static bool add_key(struct config_faults *faults, const char *key, const char *other,
    const char *kind, const char *text)
{
	CLEANUP(free_at) char *whole = NULL;
	struct fault_place place;

	if (!find_either(faults, key, other, &place))
		return false;
	if (asprintf(&whole, "%s: %s", key, text) >= 0)
		add_at(faults, place.line, place.column, kind, whole);
	else
		whole = NULL;
	return true;
}

void config_faults_add(
    struct config_faults *faults, const char *key, const char *other, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0) {
		if (add_key(faults, key, other, "", text)) {
			faults->errors++;
			faults_spoil(faults, key);
		}
		free(text);
	}
	va_end(arguments);
}

void config_faults_add_elsewhere(
    struct config_faults *faults, const char *key, const char *path, size_t line, const char *text)
{
	struct fault_place place;
	char at[24] = "", *whole;

	if (!find_either(faults, key, NULL, &place))
		return;
	if (line > 0)
		snprintf(at, sizeof(at), ":%zu", line);
	if (asprintf(&whole, "%s%s: %s: %s", path, at, key, text) < 0)
		return;
	faults->errors++;
	add(faults, whole);
}

void config_faults_warn(
    struct config_faults *faults, const char *key, const char *other, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0) {
		(void)add_key(faults, key, other, "warning: ", text);
		free(text);
	}
	va_end(arguments);
}

size_t config_faults_count(const struct config_faults *faults)
{
	return faults ? faults->count : 0;
}

const char *config_faults_text(const struct config_faults *faults, size_t index)
{
	return faults->texts[index];
}

void config_faults_free(struct config_faults *faults)
{
	if (!faults)
		return;
	for (size_t i = 0; i < faults->count; i++)
		free(faults->texts[i]);
	free(faults->texts);
	for (size_t i = 0; i < faults->place_count; i++)
		free(faults->places[i].key);
	free(faults->places);
	free(faults);
}

/* ---- what no single setting can tell ----------------------------------------------------- */

static void check_stage(struct config_faults *faults, const struct config *config)
{
	const uint64_t block = config->ring.block_size, stage = config->output.stage;

	if (stage % STAGE_UNIT != 0)
		config_faults_add(faults, "output.stage", NULL,
		    "%" PRIu64 " is no multiple of 4096; a multiple of it, such as 4MiB", stage);
	else if (config->output.format == FORMAT_PCAPNG && stage < PCAPNG_STAGE_LEAST)
		config_faults_add(faults, "output.stage", "output.format",
		    "%" PRIu64 " is too small for pcapng; at least %d", stage, PCAPNG_STAGE_LEAST);
	else if (config->output.compression != COMPRESSION_NONE && stage < PCAPNG_STAGE_LEAST)
		config_faults_add(faults, "output.stage", "output.compression",
		    "%" PRIu64 " is too small for compression; at least %d", stage,
		    PCAPNG_STAGE_LEAST);
	else if (stage < 2 * block)
		config_faults_add(faults, "output.stage", "ring.block_size",
		    "%" PRIu64 " is less than two blocks; at least twice ring.block_size: %" PRIu64,
		    stage, 2 * block);
}

static void check_level(struct config_faults *faults, const struct output_config *output)
{
	static const char *const key = "output.level";

	if (output->compression == COMPRESSION_LZ4 && output->level > LZ4_LEVEL_MOST)
		config_faults_add(faults, key, "output.compression",
		    "%" PRIu64 " is out of bounds; a number from 0 to %d with lz4", output->level,
		    LZ4_LEVEL_MOST);
	else if (output->compression == COMPRESSION_NONE && output->level > 0)
		config_faults_warn(
		    faults, key, NULL, "is not used; output.compression: lz4 or zstd uses it");
}

/* A worker that is not given is one, at least. */
static uint64_t count_workers(const struct config *config)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < config->interface_count; i++)
		sum += config->interfaces[i].workers > 0 ? config->interfaces[i].workers : 1;
	return sum;
}

/* With less than what is open anyway, each finished file would go at once. */
static void check_retain(struct config_faults *faults, const struct config *config)
{
	const struct output_config *output = &config->output;
	const uint64_t workers = count_workers(config), files = output->retain.files;
	const uint64_t size = output->retain.size, one = output->rotate.size;

	if (files > 0 && files <= workers)
		config_faults_add(faults, "output.retain.files", NULL,
		    "%" PRIu64
		    " leaves room for no finished file beside the one that each of %" PRIu64
		    " workers has open; more than that, or 0 for no bound",
		    files, workers);
	if (size > 0 && one > 0 && size / one < workers + 1)
		config_faults_warn(faults, "output.retain.size", NULL,
		    "%" PRIu64 " is less than a file of output.rotate.size for each of %" PRIu64
		    " workers and one more: full files would be removed as soon as they are "
		    "finished",
		    size, workers);
}

/* Nothing would ever be removed. */
static void check_after_close(struct config_faults *faults, const struct output_config *output)
{
	if (output->retain.after_close && output->on_close_count == 0)
		config_faults_add(faults, "output.retain.after_close", "output.on_close",
		    "keeps files until output.on_close is done with them, and that is empty; a "
		    "program in output.on_close, or false");
}

static void check_directory(struct config_faults *faults, const char *directory)
{
	if (directory[0] != '/')
		config_faults_add(faults, "output.directory", NULL,
		    "\"%.200s\" is not absolute; a path from /", directory);
}

static bool is_known_key(const char *text)
{
	static const char *const keys[] = { "%{sensor}", "%{interface}", "%{worker}" };

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strncmp(text, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

static void check_conversions(struct config_faults *faults, const char *name)
{
	/* Without n and t: a line of a file's name would be two. */
	static const char known[] = "aAbBCdDeFgGhHIjklmMpPrRsSTuUVwWyYzZ%";

	for (const char *at = strchr(name, '%'); at; at = strchr(at + 2, '%')) {
		if (at[1] == '{' ? is_known_key(at) : at[1] && strchr(known, at[1]))
			continue;
		config_faults_add(faults, "output.name", NULL,
		    "\"%.20s\" is unknown; strftime(3), %%{sensor}, %%{interface}, "
		    "%%{worker}",
		    at);
		return;
	}
}

static bool leaves_directory(const char *name)
{
	return name[0] == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../") ||
	       strstr(name, "//");
}

static bool is_printable(const char *text)
{
	while ((unsigned char)*text >= ' ' && *text != 0x7f)
		text++;
	return *text == 0;
}

static void check_name(struct config_faults *faults, const char *name)
{
	static const char *const key = "output.name";
	size_t length = strlen(name);

	check_conversions(faults, name);
	if (length == 0 || name[length - 1] == '/')
		config_faults_add(
		    faults, key, NULL, "\"%.200s\" names no file; a name, as the default", name);
	else if (leaves_directory(name))
		config_faults_add(faults, key, NULL,
		    "\"%.200s\" leaves output.directory; a path below it, without ..", name);
	else if (!is_printable(name))
		config_faults_add(
		    faults, key, NULL, "holds a control character; a name of one line");
}

/* It stands in the names of files and of descriptors. */
static bool is_name(const char *name, size_t most, const char *refused)
{
	size_t length = strlen(name);

	return length > 0 && length <= most && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strpbrk(name, refused) && is_printable(name);
}

static void check_namespace(
    struct config_faults *faults, const struct interface_config *interface, const char *whole)
{
	char key[64];

	if (!interface->namespace[0] || is_name(interface->namespace, NAMESPACE_LENGTH, "/: @"))
		return;
	snprintf(key, sizeof(key), "%s.namespace", whole);
	config_faults_add(faults, key, whole,
	    "\"%.80s\" can be no namespace; 1 to %d letters, no slash, colon, space or @",
	    interface->namespace, NAMESPACE_LENGTH);
}

/* What all of them see, none beside them should capture once more. */
static void check_any(struct config_faults *faults, const struct config *config, size_t index)
{
	const struct interface_config *any = &config->interfaces[index],
				      *other = config->interfaces;
	char key[64];

	if (strcmp(any->device, INTERFACE_ANY) != 0)
		return;
	snprintf(key, sizeof(key), "interfaces[%zu].name", index);
	for (size_t i = 0; i < config->interface_count; i++, other++) {
		if (strcmp(other->namespace, any->namespace) != 0 || other->device[0] == 0 ||
		    strcmp(other->device, INTERFACE_ANY) == 0)
			continue;
		config_faults_add(faults, key, NULL,
		    "%s takes all interfaces in, and %s would be captured twice; any alone, or "
		    "interfaces by their names",
		    any->name, other->name);
		return;
	}
}

static void check_interface(struct config_faults *faults, const struct config *config, size_t index)
{
	const struct interface_config *interface = &config->interfaces[index];
	const char *name = interface->device;
	char key[64], whole[40];

	snprintf(whole, sizeof(whole), "interfaces[%zu]", index);
	snprintf(key, sizeof(key), "%s.name", whole);
	if (name[0] == 0)
		config_faults_add(
		    faults, key, whole, "is missing; an interface's name, such as eth1");
	else if (!is_name(name, DEVICE_LENGTH, "/: "))
		config_faults_add(faults, key, whole,
		    "\"%.80s\" can be no interface; 1 to 15 letters, no slash, no space", name);
	check_namespace(faults, interface, whole);
	check_any(faults, config, index);
	for (size_t k = 0; k < index; k++) {
		if (name[0] == 0 || strcmp(interface->name, config->interfaces[k].name) != 0)
			continue;
		config_faults_add(
		    faults, key, whole, "%s is there twice; each interface once", interface->name);
		return;
	}
}

/* What is all interfaces is no device that could be told to stamp. */
static void check_timestamp(struct config_faults *faults, const struct config *config)
{
	if (config->capture.timestamp != TIMESTAMP_HARDWARE)
		return;
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct interface_config *interface = &config->interfaces[i];

		if (strcmp(interface->device, INTERFACE_ANY) != 0)
			continue;
		config_faults_add(faults, "capture.timestamp", NULL,
		    "hardware is a device's own clock, and %s is all interfaces; software, or "
		    "interfaces by their names",
		    interface->name);
		return;
	}
}

/* The kernel refuses it, and says no more than that. */
static void check_rollover(struct config_faults *faults, const struct fanout_config *fanout)
{
	if (fanout->mode == FANOUT_ROLLOVER && fanout->rollover)
		config_faults_add(faults, "fanout.rollover", NULL,
		    "is what fanout.mode: rollover does by itself; false, or another mode");
}

static void check_program(struct config_faults *faults, const struct fanout_config *fanout)
{
	static const char *const key = "fanout.program";

	if (fanout->mode != FANOUT_PROGRAM) {
		if (fanout->program[0])
			config_faults_warn(
			    faults, key, NULL, "is not used; fanout.mode: program uses it");
		return;
	}
	if (fanout->program[0] == 0)
		config_faults_add(faults, key, "fanout.mode",
		    "is missing; a file with a program, which fanout.mode: program needs");
	else if (fanout->program[0] != '/')
		config_faults_add(faults, key, NULL, "\"%.200s\" is not absolute; a path from /",
		    fanout->program);
}

void faults_check_config(struct config_faults *faults, const struct config *config)
{
	check_program(faults, &config->fanout);
	check_rollover(faults, &config->fanout);
	check_timestamp(faults, config);
	check_stage(faults, config);
	check_level(faults, &config->output);
	check_retain(faults, config);
	check_after_close(faults, &config->output);
	check_directory(faults, config->output.directory);
	check_name(faults, config->output.name);
	for (size_t i = 0; i < config->interface_count; i++)
		check_interface(faults, config, i);
}
