/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/faults.h"

#include "base/array.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULTS_MOST = 100, TEXT_LENGTH = 1024 };

static void add(struct config_faults *faults, const char *text)
{
	char **texts;

	/* A file with more is not worth more lines. */
	if (faults->count >= FAULTS_MOST)
		return;
	texts = realloc(faults->texts, (faults->count + 1) * sizeof(*texts));
	if (!texts)
		return;
	faults->texts = texts;
	texts[faults->count] = strdup(text);
	if (texts[faults->count])
		faults->count++;
}

void faults_add(struct config_faults *faults, size_t line, size_t column, const char *format, ...)
{
	char text[TEXT_LENGTH], place[48] = "";
	va_list arguments;
	int used;

	if (line > 0)
		snprintf(place, sizeof(place), ":%zu:%zu", line, column);
	used = snprintf(text, sizeof(text), "%.400s%s: ", faults->path, place);
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	va_end(arguments);
	faults->errors++;
	add(faults, text);
}

void faults_warn(struct config_faults *faults, const char *format, ...)
{
	char text[TEXT_LENGTH];
	va_list arguments;
	int used = snprintf(text, sizeof(text), "%.400s: warning: ", faults->path);

	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	va_end(arguments);
	add(faults, text);
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
	free(faults);
}

/* ---- what no single setting can tell ----------------------------------------------------- */

static void check_ring(struct config_faults *faults, const struct config *config)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), block = config->ring.block_size;
	uint64_t taken = page;

	while (taken < block)
		taken *= 2;
	if (block % page != 0)
		faults_add(faults, 0, 0,
		    "ring.block_size: %" PRIu64
		    " is no multiple of the page size; a multiple of %" PRIu64,
		    block, page);
	else if (taken != block)
		faults_warn(faults,
		    "ring.block_size: the kernel takes %" PRIu64 " KiB for each block of %" PRIu64
		    " KiB; a power of two wastes nothing",
		    taken >> 10, block >> 10);
	if (config->ring.memory < 2 * block)
		faults_add(faults, 0, 0,
		    "ring.memory: %" PRIu64 " does not hold two blocks; at least %" PRIu64,
		    config->ring.memory, 2 * block);
	if (config->output.stage < 2 * block || config->output.stage % 4096 != 0)
		faults_add(faults, 0, 0,
		    "output.stage: %" PRIu64
		    " is not what a block needs; a multiple of 4096, at least "
		    "twice ring.block_size: %" PRIu64,
		    config->output.stage, 2 * block);
}

static void check_directory(struct config_faults *faults, const char *directory)
{
	if (directory[0] != '/')
		faults_add(faults, 0, 0,
		    "output.directory: \"%.200s\" is not absolute; a path from /", directory);
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
	static const char known[] = "aAbBCdDeFgGhHIjklmMnpPrRsSTuUVwWyYzZ%";

	for (const char *at = strchr(name, '%'); at; at = strchr(at + 2, '%')) {
		if (at[1] == '{' ? is_known_key(at) : at[1] && strchr(known, at[1]))
			continue;
		faults_add(faults, 0, 0,
		    "output.name: \"%.20s\" is unknown; strftime(3), %%{sensor}, %%{interface}, "
		    "%%{worker}",
		    at);
		return;
	}
}

static void check_name(struct config_faults *faults, const char *name)
{
	size_t length = strlen(name);

	check_conversions(faults, name);
	if (length == 0 || name[length - 1] == '/')
		faults_add(faults, 0, 0,
		    "output.name: \"%.200s\" names no file; a name, as the default", name);
	else if (name[0] == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../") ||
		 strstr(name, "//"))
		faults_add(faults, 0, 0,
		    "output.name: \"%.200s\" leaves output.directory; a path below it, without ..",
		    name);
}

static bool is_interface_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < 16 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strpbrk(name, "/: \t\r\n");
}

static void check_interfaces(struct config_faults *faults, const struct config *config)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const char *name = config->interfaces[i].name;

		if (strcmp(name, "any") == 0)
			faults_add(faults, 0, 0,
			    "interfaces[%zu].name: any is not in this version; an interface's name",
			    i);
		else if (!is_interface_name(name))
			faults_add(faults, 0, 0,
			    "interfaces[%zu].name: \"%.80s\" can be no interface; "
			    "1 to 15 letters, no slash, no space",
			    i, name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(name, config->interfaces[k].name) == 0)
				faults_add(faults, 0, 0,
				    "interfaces[%zu].name: %s is there twice; each interface once",
				    i, name);
	}
}

void faults_check_config(struct config_faults *faults, const struct config *config)
{
	check_ring(faults, config);
	check_directory(faults, config->output.directory);
	check_name(faults, config->output.name);
	check_interfaces(faults, config);
}
