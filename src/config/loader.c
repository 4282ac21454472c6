/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/loader.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "config/faults.h"
#include "config/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

/* No sensor needs more; what is larger is some other file. */
enum { FILE_MOST = 1 << 20, PATH_LENGTH = 256, CPU_MOST = 1023, DEPTH_MOST = 16 };

struct reader {
	yaml_document_t document;
	struct config *config;
	struct config_faults *faults;
	bool has_interfaces; /* the key is there, whatever it holds */
};

static void fault_at(
    struct reader *reader, const yaml_node_t *node, const char *path, const char *text)
{
	faults_add(reader->faults, node->start_mark.line + 1, node->start_mark.column + 1, "%s%s%s",
	    path, path[0] ? ": " : "", text);
	faults_spoil(reader->faults, path);
}

static void place(struct reader *reader, const yaml_node_t *node, const char *path)
{
	faults_place(reader->faults, path, node->start_mark.line + 1, node->start_mark.column + 1);
}

static const char *text_of(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static yaml_node_t *node_at(struct reader *reader, int index)
{
	return yaml_document_get_node(&reader->document, index);
}

/* ---- the nearest known key --------------------------------------------------------------- */

/* How many letters differ: Levenshtein's distance, row by row. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], length = LEAST(strlen(b), COUNT_OF(row) - 1);

	for (size_t k = 0; k <= length; k++)
		row[k] = k;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t k = 1; k <= length; k++) {
			size_t above = row[k];
			size_t changed = corner + (a[i - 1] != b[k - 1]);

			row[k] = LEAST(LEAST(row[k], row[k - 1]) + 1, changed);
			corner = above;
		}
	}
	return row[length];
}

struct nearest {
	const char *key;
	char name[PATH_LENGTH];
	size_t distance;
};

static void consider(struct nearest *nearest, const char *name)
{
	size_t d = distance(nearest->key, name);

	if (d >= nearest->distance)
		return;
	nearest->distance = d;
	snprintf(nearest->name, sizeof(nearest->name), "%s", name);
}

static void fault_unknown_key(
    struct reader *reader, const yaml_node_t *key, const char *path, struct nearest nearest)
{
	char text[PATH_LENGTH + 64];

	snprintf(text, sizeof(text), "unknown key; the nearest known one is %s", nearest.name);
	fault_at(reader, key, path, text);
}

static void fault_unknown_setting(struct reader *reader, const yaml_node_t *key, const char *path)
{
	struct nearest nearest = { .key = path, .distance = SIZE_MAX };

	for (size_t i = 0; i < settings_count; i++)
		consider(&nearest, settings[i].name);
	consider(&nearest, "interfaces");
	consider(&nearest, "output.on_close");
	fault_unknown_key(reader, key, path, nearest);
}

static void fault_unknown_of_interface(
    struct reader *reader, const yaml_node_t *key, const char *path, const char *name)
{
	struct nearest nearest = { .key = name, .distance = SIZE_MAX };

	for (size_t i = 0; i < interface_settings_count; i++)
		consider(&nearest, interface_settings[i].name);
	consider(&nearest, "cpus");
	fault_unknown_key(reader, key, path, nearest);
}

/* ---- walking the file -------------------------------------------------------------------- */

static bool is_section(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < settings_count; i++)
		if (strncmp(settings[i].name, path, length) == 0 && settings[i].name[length] == '.')
			return true;
	return false;
}

static bool is_seen_before(
    struct reader *reader, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
	const char *name = text_of(node_at(reader, pair->key));
	const yaml_node_pair_t *first = mapping->data.mapping.pairs.start;

	for (; name && first < pair; first++) {
		const char *other = text_of(node_at(reader, first->key));

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

static void fault_twice(struct reader *reader, const yaml_node_t *key, const char *prefix)
{
	char path[PATH_LENGTH];

	snprintf(path, sizeof(path), "%.100s%s%.100s", prefix, prefix[0] ? "." : "", text_of(key));
	fault_at(reader, key, path, "the key is there twice; each once");
}

static void set_value(struct reader *reader, const struct setting *setting, void *fields,
    const yaml_node_t *value, const char *path)
{
	const char *text = text_of(value);
	char wrong[512];

	place(reader, value, path);
	if (!text)
		fault_at(reader, value, path, "takes one value, not a list or a section");
	else if (strlen(text) != value->data.scalar.length)
		fault_at(reader, value, path, "holds a zero byte; text");
	else if (settings_set(setting, fields, text, wrong, sizeof(wrong)) < 0)
		fault_at(reader, value, path, wrong);
}

static void read_cpus(struct reader *reader, struct interface_config *interface,
    const yaml_node_t *list, const char *path)
{
	size_t count;

	if (list->type != YAML_SEQUENCE_NODE) {
		fault_at(reader, list, path, "takes a list of CPUs, such as [0, 2]");
		return;
	}
	count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	free(interface->cpus);
	interface->cpu_count = 0;
	interface->cpus = calloc(count + 1, sizeof(*interface->cpus));
	for (size_t i = 0; interface->cpus && i < count; i++) {
		const yaml_node_t *item = node_at(reader, list->data.sequence.items.start[i]);
		const char *text = text_of(item);
		uint64_t cpu;

		if (text && units_parse_number(text, &cpu) == 0 && cpu <= CPU_MOST)
			interface->cpus[interface->cpu_count++] = cpu;
		else
			fault_at(reader, item, path, "is no CPU; a number from 0 to 1023");
	}
}

static void read_interface_key(struct reader *reader, struct interface_config *interface,
    const yaml_node_pair_t *pair, const char *prefix)
{
	const yaml_node_t *key = node_at(reader, pair->key), *value = node_at(reader, pair->value);
	const char *name = text_of(key);
	const struct setting *setting;
	char path[PATH_LENGTH];

	if (!name) {
		fault_at(reader, key, prefix, "a key must be a word");
		return;
	}
	snprintf(path, sizeof(path), "%.100s.%.100s", prefix, name);
	setting = settings_find(interface_settings, interface_settings_count, name);
	if (strcmp(name, "cpus") == 0)
		read_cpus(reader, interface, value, path);
	else if (!setting)
		fault_unknown_of_interface(reader, key, path, name);
	else if (strcmp(name, "workers") == 0 && text_of(value) && strcmp(text_of(value), "0") == 0)
		fault_at(reader, value, path, "0 is out of bounds; a number from 1 to 256");
	else
		set_value(reader, setting, interface, value, path);
}

static void read_interface(struct reader *reader, size_t index, const yaml_node_t *node)
{
	struct interface_config *interface = &reader->config->interfaces[index];
	const yaml_node_pair_t *pair;
	char path[PATH_LENGTH];

	snprintf(path, sizeof(path), "interfaces[%zu]", index);
	place(reader, node, path);
	if (node->type != YAML_MAPPING_NODE) {
		fault_at(
		    reader, node, path, "is no section; each takes keys, such as - name: eth1");
		return;
	}
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !faults_are_full(reader->faults); pair++) {
		if (is_seen_before(reader, node, pair))
			fault_twice(reader, node_at(reader, pair->key), path);
		else
			read_interface_key(reader, interface, pair, path);
	}
}

static void read_interfaces(struct reader *reader, const yaml_node_t *list)
{
	size_t count;

	reader->has_interfaces = true;
	if (list->type != YAML_SEQUENCE_NODE ||
	    list->data.sequence.items.top == list->data.sequence.items.start) {
		fault_at(reader, list, "interfaces",
		    "takes a list of at least one, such as - name: eth1");
		return;
	}
	count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	if (count > 64) {
		fault_at(reader, list, "interfaces", "holds too many; at most 64");
		return;
	}
	reader->config->interfaces = calloc(count, sizeof(*reader->config->interfaces));
	for (size_t i = 0; reader->config->interfaces && i < count; i++) {
		reader->config->interface_count = i + 1;
		(void)settings_reset(
		    interface_settings, interface_settings_count, &reader->config->interfaces[i]);
		read_interface(reader, i, node_at(reader, list->data.sequence.items.start[i]));
	}
}

static void read_argument(struct reader *reader, const yaml_node_t *item)
{
	struct output_config *output = &reader->config->output;
	const char *text = text_of(item);

	if (!text || strlen(text) != item->data.scalar.length)
		fault_at(reader, item, "output.on_close", "is no argument; text");
	else if (output->on_close_count == 0 && !text[0])
		fault_at(reader, item, "output.on_close", "\"\" is no program; its path or name");
	else if (!(output->on_close[output->on_close_count] = strdup(text)))
		fault_at(reader, item, "output.on_close", "no memory for it");
	else
		output->on_close_count++;
}

static void read_on_close(struct reader *reader, const yaml_node_t *list)
{
	struct output_config *output = &reader->config->output;
	const yaml_node_item_t *items = list->data.sequence.items.start;
	size_t count;

	place(reader, list, "output.on_close");
	if (list->type != YAML_SEQUENCE_NODE) {
		fault_at(reader, list, "output.on_close",
		    "takes a list, a program and its arguments, such as [/usr/bin/rsync, -a]");
		return;
	}
	count = (size_t)(list->data.sequence.items.top - items);
	output->on_close = calloc(count + 1, sizeof(*output->on_close));
	if (!output->on_close)
		fault_at(reader, list, "output.on_close", "no memory for it");
	for (size_t i = 0; output->on_close && i < count; i++)
		read_argument(reader, node_at(reader, items[i]));
}

static void read_section(struct reader *reader, const yaml_node_t *section, const char *prefix);

static void read_pair(struct reader *reader, const yaml_node_pair_t *pair, const char *prefix)
{
	const yaml_node_t *key = node_at(reader, pair->key), *value = node_at(reader, pair->value);
	const char *name = text_of(key);
	const struct setting *setting;
	char path[PATH_LENGTH];

	if (!name) {
		fault_at(reader, key, prefix, "a key must be a word");
		return;
	}
	snprintf(path, sizeof(path), "%.100s%s%.100s", prefix, prefix[0] ? "." : "", name);
	setting = settings_find(settings, settings_count, path);
	if (setting)
		set_value(reader, setting, reader->config, value, path);
	else if (strcmp(path, "interfaces") == 0)
		read_interfaces(reader, value);
	else if (strcmp(path, "output.on_close") == 0)
		read_on_close(reader, value);
	else if (is_section(path))
		read_section(reader, value, path);
	else
		fault_unknown_setting(reader, key, path);
	if (setting && strcmp(path, "ring.memory") == 0)
		reader->config->ring.memory_is_default = false;
}

static void read_section(struct reader *reader, const yaml_node_t *section, const char *prefix)
{
	const yaml_node_pair_t *pair;

	if (section->type != YAML_MAPPING_NODE) {
		fault_at(reader, section, prefix, "takes keys; see the full example");
		return;
	}
	for (pair = section->data.mapping.pairs.start;
	     pair < section->data.mapping.pairs.top && !faults_are_full(reader->faults); pair++) {
		if (is_seen_before(reader, section, pair))
			fault_twice(reader, node_at(reader, pair->key), prefix);
		else
			read_pair(reader, pair, prefix);
	}
}

/* ---- the file ---------------------------------------------------------------------------- */

static int read_file(
    const char *path, char **ret_text, size_t *ret_size, struct config_faults *faults)
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(free_at) char *text = malloc(FILE_MOST + 1);
	struct stat status;
	size_t size = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	if (!S_ISREG(status.st_mode)) {
		faults_add(faults, 0, 0, "is no plain file; a YAML file");
		return -EINVAL;
	}
	while (size <= FILE_MOST && (n = read(fd, text + size, FILE_MOST + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return -errno;
	if (size > FILE_MOST || size == 0) {
		faults_add(faults, 1, 1, "is %s; a YAML file with interfaces in it",
		    size == 0 ? "empty" : "longer than 1 MiB");
		return -EINVAL;
	}
	*ret_text = TAKE(text);
	*ret_size = size;
	return 0;
}

/*
 * Aliases would let a small file stand for a large one, and one fault have two places; and what is
 * nested deep, libyaml reads in quadratic time.
 */
static bool refuse_event(const yaml_event_t *event, int *depth, struct config_faults *faults)
{
	const char *wrong = NULL;

	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		++*depth;
	if (event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT)
		--*depth;
	if (event->type == YAML_ALIAS_EVENT)
		wrong = "aliases are not read; write the value out";
	else if (*depth > DEPTH_MOST)
		wrong = "is nested too deep; sections and keys, as the full example has them";
	if (wrong)
		faults_add(
		    faults, event->start_mark.line + 1, event->start_mark.column + 1, "%s", wrong);
	return wrong;
}

/* Returns 0, or -EINVAL; what is no YAML at all is left to parse_document() to tell. */
static int check_events(const char *text, size_t size, struct config_faults *faults)
{
	bool is_refused = false, is_done = false;
	yaml_parser_t parser;
	yaml_event_t event;
	int depth = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!is_done && !is_refused && yaml_parser_parse(&parser, &event)) {
		is_refused = refuse_event(&event, &depth, faults);
		is_done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return is_refused ? -EINVAL : 0;
}

static int load_document(
    yaml_parser_t *parser, yaml_document_t *ret_document, struct config_faults *faults)
{
	if (yaml_parser_load(parser, ret_document))
		return 0;
	faults_add(faults, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
	    "no YAML: %s; a YAML file with interfaces in it",
	    parser->problem ? parser->problem : "not understood");
	return -EINVAL;
}

static void read_document(struct reader *reader)
{
	yaml_node_t *root = yaml_document_get_root_node(&reader->document);

	if (!root)
		faults_add(reader->faults, 1, 1, "is empty; a YAML file with interfaces in it");
	else if (root->type != YAML_MAPPING_NODE)
		fault_at(
		    reader, root, "", "is no section of keys; a YAML file with interfaces in it");
	else
		read_section(reader, root, "");
	if (root && root->type == YAML_MAPPING_NODE && !reader->has_interfaces)
		faults_add(
		    reader->faults, 1, 1, "interfaces: is missing; a list, such as - name: eth1");
}

static void refuse_more(struct reader *reader, yaml_parser_t *parser)
{
	const yaml_node_t *root;

	if (load_document(parser, &reader->document, reader->faults) < 0)
		return;
	root = yaml_document_get_root_node(&reader->document);
	if (root)
		fault_at(reader, root, "", "is a second document; one");
	yaml_document_delete(&reader->document);
}

static int parse_text(struct reader *reader, const char *text, size_t size)
{
	yaml_parser_t parser;
	int r = check_events(text, size, reader->faults);

	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	r = load_document(&parser, &reader->document, reader->faults);
	if (r == 0) {
		read_document(reader);
		yaml_document_delete(&reader->document);
		refuse_more(reader, &parser);
	}
	yaml_parser_delete(&parser);
	return r;
}

int config_sensor(const char *path, char name[SENSOR_NAME_LENGTH + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	if (length > 5 && strcmp(base + length - 5, ".yaml") == 0)
		length -= 5;
	snprintf(name, SENSOR_NAME_LENGTH + 1, "%.*s",
	    (int)LEAST(length, (size_t)SENSOR_NAME_LENGTH), base);
	if (length == 0 || length > SENSOR_NAME_LENGTH || strspn(base, letters) < length)
		return -EINVAL;
	return 0;
}

static int name_sensor(struct config *config, const char *path, struct config_faults *faults)
{
	char name[SENSOR_NAME_LENGTH + 1];

	if (config_sensor(path, name) < 0)
		faults_add(faults, 0, 0,
		    "the file's name cannot be a sensor's; 1 to 32 of a-z 0-9 _ -, and .yaml");
	config->sensor = strdup(name);
	return config->sensor ? 0 : -ENOMEM;
}

/* What it is called everywhere, so that interfaces of two namespaces are told apart. */
static int name_interface(struct interface_config *interface)
{
	if (asprintf(&interface->name, "%s%s%s", interface->namespace,
		interface->namespace[0] ? "@" : "", interface->device) >= 0)
		return 0;
	interface->name = NULL;
	return -ENOMEM;
}

static int complete(struct config *config)
{
	char directory[128];
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->interface_count; i++)
		r = name_interface(&config->interfaces[i]);
	if (r < 0)
		return r;
	if (config->capture.snaplen == 0)
		config->capture.snaplen = SNAPLEN_MOST;
	if (config->output.directory[0])
		return 0;
	snprintf(directory, sizeof(directory), LOCALSTATEDIR "/lib/fancap/%s", config->sensor);
	free(config->output.directory);
	config->output.directory = strdup(directory);
	return config->output.directory ? 0 : -ENOMEM;
}

DEFINE_CLEANUP(struct config *, config_free)

int config_load(struct config **ret_config, const char *path, config_check *check,
    struct config_faults **ret_faults)
{
	CLEANUP(config_free_at) struct config *config = calloc(1, sizeof(*config));
	struct config_faults *faults = calloc(1, sizeof(*faults));
	struct reader reader = { .config = config, .faults = faults };
	int r;

	*ret_faults = faults;
	if (!config || !faults)
		return -ENOMEM;
	faults->path = path;
	r = settings_reset(settings, settings_count, config);
	if (r == 0)
		r = read_file(path, &config->text, &config->length, faults);
	if (r == 0)
		r = name_sensor(config, path, faults);
	if (r < 0)
		return r;
	config->ring.memory_is_default = true;
	r = parse_text(&reader, config->text, config->length);
	if (r == 0)
		r = complete(config);
	if (r == 0)
		faults_check_config(faults, config);
	if (r == 0 && check)
		check(faults, config);
	if (r == 0 && faults->errors > 0)
		r = -EINVAL;
	if (r == 0)
		*ret_config = TAKE(config);
	return r;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->interface_count; i++) {
		settings_release(
		    interface_settings, interface_settings_count, &config->interfaces[i]);
		free(config->interfaces[i].cpus);
		free(config->interfaces[i].name);
	}
	free(config->interfaces);
	for (size_t i = 0; i < config->output.on_close_count; i++)
		free(config->output.on_close[i]);
	free(config->output.on_close);
	settings_release(settings, settings_count, config);
	free(config->sensor);
	free(config->text);
	free(config);
}
