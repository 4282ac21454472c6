/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration of any bytes: it is taken whole, and holds what it must, or it is refused with
 * faults of one printable line each.  Filters are not compiled: they are libpcap's.
 */
#include "capture/geometry.h"
#include "config/loader.h"
#include "storage/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FAULTS_MOST = 100, NAME_MOST = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_geometry(struct config_faults *faults, const struct config *config)
{
	const struct geometry_rule *rule;

	for (size_t i = 0; (rule = geometry_broken(&config->ring, i)); i++)
		config_faults_add(faults, rule->key, "ring.block_size", "%s", rule->text);
}

static void look_at_faults(const struct config_faults *faults, const char *path, int r)
{
	const size_t count = config_faults_count(faults);

	expect(count <= FAULTS_MOST && (r == 0 || count > 0));
	for (size_t i = 0; i < count; i++) {
		const char *text = config_faults_text(faults, i);

		expect(strncmp(text, path, strlen(path)) == 0);
		expect(strstr(text, ": ") != NULL);
		for (; *text; text++)
			expect((unsigned char)*text >= ' ' && *text != 0x7f);
	}
}

static void look_at_interface(const struct interface_config *interface)
{
	const size_t length = strlen(interface->name);

	expect(length > 0 && length < 16 && !strchr(interface->name, '/'));
	expect(interface->workers <= WORKERS_MOST && interface->missing <= MISSING_REFUSE);
	for (size_t i = 0; i < interface->cpu_count; i++)
		expect(interface->cpus[i] < 1024);
}

static void look_at_config(const struct config *config)
{
	const struct name_parts parts = { config->sensor, config->interfaces[0].name, 0 };
	char name[NAME_MOST];

	expect(config->interface_count > 0 && config->interface_count <= 64);
	for (size_t i = 0; i < config->interface_count; i++)
		look_at_interface(&config->interfaces[i]);
	expect(!geometry_broken(&config->ring, 0));
	expect(config->output.stage >= 2 * config->ring.block_size);
	expect(config->output.directory[0] == '/');
	expect(config->capture.snaplen > 0 && config->capture.snaplen <= SNAPLEN_MOST);
	expect(strlen(config->capture.filter) <= 65536);
	expect(config->report.interval > 0);
	if (name_expand(name, sizeof(name), config->output.name, &parts, 0) == 0)
		expect(name[0] != '/' && strncmp(name, "../", 3) != 0 && !strstr(name, "/../"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults *faults = NULL;
	struct config *config = NULL;
	char path[40];
	int fd, r;

	/* Its name is a number, which may be a sensor's. */
	fd = memfd_create("sensor", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(&config, path, check_geometry, &faults);
	expect(r == 0 || r == -EINVAL);
	look_at_faults(faults, path, r);
	expect((r == 0) == (config != NULL));
	if (config)
		look_at_config(config);
	config_free(config);
	config_faults_free(faults);
	close(fd);
	return 0;
}
