/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The examples of conf/: the daemon takes them, and the full one names every key of the tables, in
 * its place, with its default; what is not in this version is commented out, without a space.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "config/settings.h"
#include "tool/sensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MOST = 200, DEPTH_MOST = 4, LENGTH = 200 };

/* A key as the full example has it. */
static struct line {
	char path[LENGTH], value[LENGTH];
	bool is_comment;
} lines[LINES_MOST];
static size_t line_count;

static void name_example(char *path, size_t size, const char *name)
{
	const char *source = getenv("srcdir");

	snprintf(path, size, "%s/conf/%s.yaml", source ? source : ".", name);
}

static void add_line(char names[DEPTH_MOST][LENGTH], size_t depth, const char *value, bool comment)
{
	struct line *line = &lines[line_count++];
	size_t used = 0;

	assert_true(line_count < LINES_MOST);
	for (size_t i = 0; i <= depth; i++)
		used += (size_t)snprintf(
		    line->path + used, LENGTH - used, "%s%.40s", i ? "." : "", names[i]);
	value += strspn(value, " ");
	snprintf(line->value, LENGTH, "%.*s",
	    (int)(value[0] == '"' ? strcspn(value + 1, "\"") : strcspn(value, " \n")),
	    value[0] == '"' ? value + 1 : value);
	line->is_comment = comment;
}

/* Two spaces or a dash make a level; a key begins with a letter. */
static void read_line(char names[DEPTH_MOST][LENGTH], const char *text)
{
	size_t indent = strspn(text, " -"), length;
	bool is_comment = text[indent] == '#';
	const char *key = text + indent + is_comment;

	length = strspn(key, "abcdefghijklmnopqrstuvwxyz_");
	if (length == 0 || key[length] != ':')
		return;
	assert_true(indent / 2 < DEPTH_MOST);
	snprintf(names[indent / 2], LENGTH, "%.*s", (int)length, key);
	add_line(names, indent / 2, key + length + 1, is_comment);
}

static int read_full(void **state)
{
	char path[4096], text[1024], names[DEPTH_MOST][LENGTH] = { 0 };
	FILE *file;

	(void)state;
	name_example(path, sizeof(path), "full");
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(text, sizeof(text), file))
		read_line(names, text);
	fclose(file);
	return 0;
}

static const struct line *find(const char *path)
{
	for (size_t i = 0; i < line_count; i++)
		if (strcmp(lines[i].path, path) == 0)
			return &lines[i];
	return NULL;
}

static void the_daemon_takes_both(void **state)
{
	static const char *const names[] = { "minimal", "full" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct config *config = NULL;
		char path[4096];

		name_example(path, sizeof(path), names[i]);
		assert_int_equal(sensors_load(path, &config), 0);
		assert_string_equal(config->interfaces[0].name, "eth1");
		config_free(config);
	}
}

static void look_for(const char *prefix, const struct setting *setting)
{
	/* What the sensor's name, or the machine, decides. */
	static const char *const own[] = { "interfaces..name", "interfaces..workers",
		"output.directory" };
	const struct line *line;
	char path[LENGTH];
	bool has_default = true;

	snprintf(path, sizeof(path), "%s%s", prefix, setting->name);
	line = find(path);
	for (size_t i = 0; i < COUNT_OF(own); i++)
		has_default = has_default && strcmp(path, own[i]) != 0;
	if (!line)
		fail_msg("%s is not in conf/full.yaml", path);
	else if (has_default && strcmp(line->value, setting->initial) != 0)
		fail_msg("%s: %s is not the default, %s", path, line->value, setting->initial);
	else if (line->is_comment != setting->only_default)
		fail_msg("%s: is %s", path, line->is_comment ? "commented out" : "no comment");
}

static void the_full_one_names_every_key_with_its_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < settings_count; i++)
		look_for("", &settings[i]);
	for (size_t i = 0; i < interface_settings_count; i++)
		look_for("interfaces..", &interface_settings[i]);
	assert_non_null(find("interfaces..cpus"));
	assert_non_null(find("output.on_close"));
}

static void the_full_one_names_nothing_else(void **state)
{
	static const char *const others[] = { "interfaces", "fanout", "ring", "capture", "output",
		"output.rotate", "output.retain", "output.on_close", "report", "interfaces..cpus" };

	(void)state;
	for (size_t i = 0; i < line_count; i++) {
		const char *path = lines[i].path;
		bool is_known = settings_find(settings, settings_count, path);

		for (size_t k = 0; k < COUNT_OF(others); k++)
			is_known = is_known || strcmp(path, others[k]) == 0;
		if (strncmp(path, "interfaces..", 12) == 0 &&
		    settings_find(interface_settings, interface_settings_count, path + 12))
			is_known = true;
		if (!is_known)
			fail_msg("%s is no key", path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_daemon_takes_both),
		cmocka_unit_test(the_full_one_names_every_key_with_its_default),
		cmocka_unit_test(the_full_one_names_nothing_else),
	};

	return cmocka_run_group_tests(tests, read_full, NULL);
}
