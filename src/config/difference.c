/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/difference.h"

#include <stdio.h>
#include <string.h>

struct interface_config *difference_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (strcmp(config->interfaces[i].name, name) == 0)
			return &config->interfaces[i];
	return NULL;
}

static bool are_cpus_equal(
    const struct interface_config *running, const struct interface_config *wanted)
{
	if (running->cpu_count != wanted->cpu_count)
		return false;
	for (size_t i = 0; i < running->cpu_count; i++)
		if (running->cpus[i] != wanted->cpus[i])
			return false;
	return true;
}

/* Of the settings in a table, whether one that is treated so is another. */
static bool is_in_table(
    const struct setting *table, size_t count, const void *const fields[2], enum reload reload)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].reload == reload &&
		    !settings_are_equal(&table[i], fields[0], fields[1]))
			return true;
	return false;
}

bool difference_in(const struct config *running, const struct config *wanted, enum reload reload)
{
	bool differs =
	    is_in_table(settings, settings_count, (const void *[]) { running, wanted }, reload);

	for (size_t i = 0; !differs && i < running->interface_count; i++) {
		const struct interface_config *then = &running->interfaces[i];
		const struct interface_config *now = difference_find(wanted, then->name);

		differs = now && (is_in_table(interface_settings, interface_settings_count,
				      (const void *[]) { then, now }, reload) ||
				     (reload == RELOAD_NOW && !are_cpus_equal(then, now)));
	}
	return differs;
}

/* ---- what a reload cannot do ------------------------------------------------------------- */

static const char *const reasons[] = {
	[RELOAD_NEW_SOCKETS] =
	    "another needs new sockets, which cannot join a fanout group of mode "
	    "hash, lb or rollover without loss; a restart takes it up",
	[RELOAD_REFUSED] = "another cannot be taken up by a reload; a restart takes it up",
};

/* A group whose program says who is sent what lets others join and leave without loss. */
static bool takes_new_sockets(const struct config *config)
{
	const struct setting *mode = settings_find(settings, settings_count, "fanout.mode");

	return !(mode->fixed & 1U << config->fanout.mode) && !config->fanout.rollover;
}

static size_t check_table(struct config_faults *faults, enum reload most, const char *prefix,
    const struct setting *table, size_t count, const void *const fields[2])
{
	size_t refused = 0;

	for (size_t i = 0; i < count; i++) {
		const enum reload reload = settings_reload_of(&table[i], fields[0], fields[1]);
		char key[128];

		if (reload <= most || settings_are_equal(&table[i], fields[0], fields[1]))
			continue;
		snprintf(key, sizeof(key), "%s%s", prefix, table[i].name);
		config_faults_add(faults, key, NULL, "%s", reasons[reload]);
		refused++;
	}
	return refused;
}

static size_t check_interfaces(struct config_faults *faults, enum reload most,
    const struct config *running, const struct config *wanted)
{
	size_t refused = 0;
	char key[64];

	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct interface_config *now = &wanted->interfaces[i];
		const struct interface_config *then = difference_find(running, now->name);

		snprintf(key, sizeof(key), "interfaces[%zu].", i);
		if (then)
			refused += check_table(faults, most, key, interface_settings,
			    interface_settings_count, (const void *[]) { then, now });
	}
	return refused;
}

size_t difference_check(
    struct config_faults *faults, const struct config *running, const struct config *wanted)
{
	const enum reload most = takes_new_sockets(running) ? RELOAD_NEW_SOCKETS : RELOAD_NOW;

	return check_table(faults, most, "", settings, settings_count,
		   (const void *[]) { running, wanted }) +
	       check_interfaces(faults, most, running, wanted);
}

/* ---- what it can ------------------------------------------------------------------------- */

void difference_apply(struct config *running, struct config *wanted)
{
	const struct config then = *running;

	running->interfaces = wanted->interfaces;
	running->interface_count = wanted->interface_count;
	running->fanout = wanted->fanout;
	running->ring = wanted->ring;
	running->capture = wanted->capture;
	running->output = wanted->output;
	running->report = wanted->report;
	running->text = wanted->text;
	running->length = wanted->length;
	wanted->interfaces = then.interfaces;
	wanted->interface_count = then.interface_count;
	wanted->fanout = then.fanout;
	wanted->ring = then.ring;
	wanted->capture = then.capture;
	wanted->output = then.output;
	wanted->report = then.report;
	wanted->text = then.text;
	wanted->length = then.length;
}
