/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/manager.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

static const uint64_t patience_us = 2000000;
#define MANAGER "org.freedesktop.systemd1"

DEFINE_CLEANUP(sd_bus *, sd_bus_flush_close_unref)
DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref)

/*
 * A connection, and where the unit of this process lies: the service manager knows who asks, which
 * the sandbox of a unit may keep from the process itself.
 */
static int find_unit(sd_bus **ret_bus, char **ret_path)
{
	CLEANUP(sd_bus_flush_close_unref_at) sd_bus *bus = NULL;
	CLEANUP(sd_bus_message_unref_at) sd_bus_message *answer = NULL;
	const char *path = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return r;
	(void)sd_bus_set_method_call_timeout(bus, patience_us);
	r = sd_bus_call_method(bus, MANAGER, "/org/freedesktop/systemd1", MANAGER ".Manager",
	    "GetUnitByPID", NULL, &answer, "u", 0);
	if (r >= 0)
		r = sd_bus_message_read(answer, "o", &path);
	if (r < 0)
		return r;
	*ret_path = strdup(path);
	if (!*ret_path)
		return -ENOMEM;
	*ret_bus = TAKE(bus);
	return 0;
}

static int find_job(sd_bus *bus, const char *unit, char **ret_path)
{
	CLEANUP(sd_bus_message_unref_at) sd_bus_message *answer = NULL;
	const char *path = NULL;
	uint32_t id = 0;
	int r =
	    sd_bus_get_property(bus, MANAGER, unit, MANAGER ".Unit", "Job", NULL, &answer, "(uo)");

	if (r >= 0)
		r = sd_bus_message_read(answer, "(uo)", &id, &path);
	if (r < 0)
		return r;
	if (id == 0)
		return -ENOENT;
	*ret_path = strdup(path);
	return *ret_path ? 0 : -ENOMEM;
}

enum manager_job manager_job(void)
{
	CLEANUP(sd_bus_flush_close_unref_at) sd_bus *bus = NULL;
	CLEANUP(free_at) char *unit = NULL;
	CLEANUP(free_at) char *job = NULL;
	CLEANUP(free_at) char *type = NULL;

	if (find_unit(&bus, &unit) < 0 || find_job(bus, unit, &job) < 0 ||
	    sd_bus_get_property_string(bus, MANAGER, job, MANAGER ".Job", "JobType", NULL, &type) <
		0)
		return MANAGER_JOB_OTHER;
	return strcmp(type, "restart") == 0 ? MANAGER_JOB_RESTART : MANAGER_JOB_OTHER;
}

int manager_store_size(uint32_t *ret_size)
{
	CLEANUP(sd_bus_flush_close_unref_at) sd_bus *bus = NULL;
	CLEANUP(free_at) char *unit = NULL;
	int r = find_unit(&bus, &unit);

	if (r < 0)
		return r;
	r = sd_bus_get_property_trivial(
	    bus, MANAGER, unit, MANAGER ".Service", "FileDescriptorStoreMax", NULL, 'u', ret_size);
	return r < 0 ? r : 0;
}
