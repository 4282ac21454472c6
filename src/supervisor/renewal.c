/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/renewal.h"

#include "base/fault.h"
#include "base/log.h"
#include "config/difference.h"
#include "supervisor/membership.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* More often than that no socket is made promiscuous by one life after the other. */
enum { PROMISCUOUS_MOST = 16 };

/* ---- made beforehand --------------------------------------------------------------------- */

/* Asked of the kernel in this process's own place: only it knows which CPUs there are. */
static int try_cpu(uint64_t cpu)
{
	cpu_set_t was, only;
	int r;

	if (sched_getaffinity(0, sizeof(was), &was) < 0)
		return -errno;
	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	r = sched_setaffinity(0, sizeof(only), &only) < 0 ? -errno : 0;
	(void)sched_setaffinity(0, sizeof(was), &was);
	return r;
}

int renewal_try_cpus(const struct interface_config *interface)
{
	for (size_t i = 0; i < interface->cpu_count; i++) {
		int r = try_cpu(interface->cpus[i]);

		if (r < 0)
			return log_failure(r, "%s: interfaces.cpus: cannot run on CPU %u",
			    interface->name, (unsigned int)interface->cpus[i]);
	}
	return 0;
}

/* Whether it captures, and its link is there to make a filter for. */
static bool has_link(const struct group *group, const struct place *place)
{
	struct link_state link;

	return group->has_begun && !group->is_gone && socket_interface(place, &link) == 0 &&
	       link.is_up && link.ifindex == group->link.ifindex;
}

int renewal_prepare(struct renewal *renewal, struct group *group, const struct config *wanted)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	const struct interface_config *interface = difference_find(wanted, group->interface->name);
	int r = interface ? renewal_try_cpus(interface) : 0;

	*renewal = (struct renewal) { .group = group };
	if (r < 0 || !has_link(group, &place))
		return r;
	r = intake_compile(&renewal->intake, wanted, (uint32_t)group->count, &place, &group->link);
	renewal->is_made = r >= 0;
	return r;
}

void renewal_release(struct renewal *renewal)
{
	if (renewal->group)
		intake_release(&renewal->intake);
	*renewal = (struct renewal) { 0 };
}

/* ---- given to them ----------------------------------------------------------------------- */

static void pin(const struct child *child)
{
	const struct interface_config *interface = child->heritage.interface;
	uint32_t pid = atomic_load(&child->slot->pid);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	if (interface->cpu_count > 0)
		CPU_SET(interface->cpus[child->heritage.worker % interface->cpu_count], &cpus);
	else if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return;
	if (pid > 0 && sched_setaffinity((pid_t)pid, sizeof(cpus), &cpus) < 0 && errno != ESRCH)
		(void)log_failure(
		    -errno, "%s: cannot pin worker %u", interface->name, child->heritage.worker);
}

static void tell_settings(struct child *child, bool begins_file)
{
	const struct config *config = child->heritage.config;
	const struct output_config *output = &config->output;
	struct message message = {
		.kind = MESSAGE_SETTINGS,
		.value = begins_file,
		.settings = { .rotate_size = output->rotate.size,
		    .rotate_interval = output->rotate.interval,
		    .rotate_packets = output->rotate.packets,
		    .snaplen = (uint32_t)config->capture.snaplen,
		    .resolution = output->resolution,
		    .format = output->format,
		    .compression = output->compression,
		    .level = (uint32_t)output->level,
		    .sync = output->sync },
	};

	snprintf(message.text, sizeof(message.text), "%s", output->name);
	if (strlen(config->capture.filter) < sizeof(message.file.name))
		snprintf(
		    message.file.name, sizeof(message.file.name), "%s", config->capture.filter);
	/* One that does not listen has a successor that is born with them. */
	if (child_tell(child, &message) < 0)
		child_kill(child);
}

static void renew_socket(const struct renewal *renewal, const struct child *child, bool is_other)
{
	int r = is_other ? filter_attach(child->socket, &renewal->group->intake.filter) : 0;

	if (r < 0)
		(void)log_failure(r, "%s: cannot attach the filter of worker %u; the old one stays",
		    renewal->group->interface->name, child->heritage.worker);
}

static void renew_membership(const struct group *group, const struct child *child, bool was_on)
{
	bool is_on = group->config->capture.promiscuous;
	int r = 0;

	/* The kernel counts how often a socket was made so, and does not say; lives that were
	 * killed amid a reload, and were followed, have asked once more each. */
	for (int i = 0; is_on != was_on && r >= 0 && i < (is_on ? 1 : PROMISCUOUS_MOST); i++)
		r = socket_set_promiscuous(child->socket, group->link.ifindex, is_on);
	if (r < 0)
		(void)log_failure(r, "%s: cannot change capture.promiscuous for worker %u",
		    group->interface->name, child->heritage.worker);
}

static void renew_child(const struct renewal *renewal, struct child *child,
    const struct renewal_from *from, bool is_other)
{
	const struct group *group = renewal->group;
	/* Packets that the kernel cut are told from others by the snaplen that the worker knows: it
	 * learns first of a smaller one, and last of a greater one. */
	bool learns_first = group->config->capture.snaplen < from->snaplen;

	/* One that has not come so far as to count is born again, by what is in force now. */
	if (!child->captures) {
		if (child_lives(child))
			child_kill(child);
		return;
	}
	pin(child);
	if (learns_first)
		tell_settings(child, from->begins_file);
	renew_socket(renewal, child, is_other);
	renew_membership(group, child, from->promiscuous);
	if (!learns_first)
		tell_settings(child, from->begins_file);
}

static void share_out(const struct group *group)
{
	int r = membership_share_out(group);

	if (r < 0)
		(void)log_failure(r,
		    "%s: cannot give the fanout group its program; the old one stays",
		    group->interface->name);
}

void renewal_apply(struct renewal *renewal, const struct renewal_from *from)
{
	struct group *group = renewal->group;
	bool has_other_filter = false, has_other_program = false;

	/* What drains is not changed any more. */
	if (!group->has_begun || group->is_gone)
		return;
	if (renewal->is_made) {
		has_other_filter = !intake_has_filter(&group->intake, &renewal->intake.filter);
		has_other_program = !intake_has_program(&group->intake, &renewal->intake.program);
		intake_exchange(&group->intake, &renewal->intake);
	} else {
		group->is_of_old = true;
	}
	if (has_other_program)
		share_out(group);
	for (size_t i = 0; i < group->count; i++) {
		renew_child(renewal, &group->children[i], from, has_other_filter);
		FAULT(RENEWED);
	}
}
