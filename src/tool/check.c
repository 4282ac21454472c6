/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "base/exit.h"
#include "base/json.h"
#include "capture/device.h"
#include "config/workers.h"
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_one(const char *path, const struct sensors_request *request)
{
	int status = sensors_load(path, NULL);

	(void)request;
	if (status == 0)
		printf("%s: good\n", path);
	return status;
}

/* ---- a device ---------------------------------------------------------------------------- */

static void print_sentence(void *user, const char *sentence)
{
	(void)user;
	puts(sentence);
}

/* Of a sensor with this one interface. */
static uint64_t workers_by_default(void)
{
	struct interface_config interface = { 0 };
	struct config config = { .interfaces = &interface, .interface_count = 1 };

	workers_settle(&config);
	return interface.workers;
}

/* What the device does not say is left out. */
static void print_sizes(const struct device_facts *facts)
{
	const uint64_t workers = workers_by_default();

	if (facts->receive_queues > 0)
		printf("; %" PRIu32 " receive queue%s, for %" PRIu64 " worker%s by default",
		    facts->receive_queues, facts->receive_queues == 1 ? "" : "s", workers,
		    workers == 1 ? "" : "s");
	if (facts->ring_most > 0)
		printf("; a receive ring of %" PRIu32 " of at most %" PRIu32 " descriptors",
		    facts->ring_size, facts->ring_most);
	printf("; %" PRIu64 " packets lost\n", facts->dropped);
}

static void print_text(const char *interface, const struct device_facts *facts)
{
	printf("%s: driver %s;", interface, facts->driver[0] ? facts->driver : "unknown");
	for (int i = 0; i < DEVICE_FEATURE_COUNT_; i++)
		printf(" %s %s%s", device_feature_name((enum device_feature)i),
		    facts->feature[i] ? "on" : "off", i + 1 < DEVICE_FEATURE_COUNT_ ? "," : "");
	print_sizes(facts);
	/* One worker: how many there will be is the configuration's to say. */
	device_advise(facts, 1, print_sentence, NULL);
}

static void print_json(const char *interface, const struct device_facts *facts)
{
	printf("{\"interface\":");
	json_quote(stdout, interface);
	printf(",\"driver\":");
	json_quote(stdout, facts->driver);
	for (int i = 0; i < DEVICE_FEATURE_COUNT_; i++)
		printf(",\"%s\":%s", device_feature_name((enum device_feature)i),
		    facts->feature[i] ? "true" : "false");
	printf(",\"ring_size\":%" PRIu32 ",\"ring_most\":%" PRIu32 ",\"receive_queues\":%" PRIu32
	       ",\"nic_dropped\":%" PRIu64 "}\n",
	    facts->ring_size, facts->ring_most, facts->receive_queues, facts->dropped);
}

/* NAME, or NAMESPACE@NAME where there is none of that name here. */
static int look(const char *interface, struct device_facts *ret_facts)
{
	CLEANUP(free_at) char *territory = NULL;
	CLEANUP(close_at) int namespace = -1;
	const char *at = strchr(interface, '@');
	int r = device_look(PLACE_OF(interface), ret_facts);

	if (r != -ENODEV || !at)
		return r;
	territory = strndup(interface, (size_t)(at - interface));
	if (!territory)
		return -ENOMEM;
	namespace = place_open(territory);
	if (namespace < 0)
		return namespace;
	return device_look(&(struct place) { namespace, territory, at + 1 }, ret_facts);
}

static const char *reason_of(const char *interface, int error)
{
	const char *at = strchr(interface, '@');

	if (error == -ENODEV && strcmp(at ? at + 1 : interface, INTERFACE_ANY) == 0)
		return "that is all interfaces; one by its name";
	if (error == -ENODEV)
		return "no such interface; `ip link` names those there are";
	if (error == -EPERM)
		return "it needs CAP_SYS_ADMIN to enter another network namespace";
	return strerror(-error);
}

static int check_interface(const struct sensors_request *request)
{
	struct device_facts facts;
	int r = look(request->interface, &facts);

	if (r < 0) {
		fprintf(stderr, "fancap: %s: cannot look at it: %s\n", request->interface,
		    reason_of(request->interface, r));
		return exit_status_of(STEP_CAPTURE, r);
	}
	if (request->json)
		print_json(request->interface, &facts);
	else
		print_text(request->interface, &facts);
	return 0;
}

int verb_check(int argc, char **argv)
{
	struct sensors_request request;
	int status = sensors_parse(&request, argc, argv);

	if (status != 0)
		return status;
	if (request.help) {
		puts("usage: fancap check [SENSOR | --config FILE]\n"
		     "       fancap check --interface [NAMESPACE@]NAME [--json]\n"
		     "Says every fault of a configuration, as the daemon would at its start; or\n"
		     "what a device does to packets before they can be captured, and what it\n"
		     "lost.");
		return 0;
	}
	return request.interface ? check_interface(&request) : sensors_each(&request, check_one);
}
