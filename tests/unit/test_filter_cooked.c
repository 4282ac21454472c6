/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/filter.h"
#include "capture/link.h"
#include "support/listener.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Filters of cooked sockets, by what the kernel lets through: frames of several kinds, received and
 * outgoing, each kind at numbers of its own.
 */
enum { EACH = 40, STEP = 100, OUTGOING = 1000, ETHERTYPE_AT = 12, PROTOCOL_AT = 23 };

enum kind { KIND_UDP, KIND_TCP, KIND_OTHER, KIND_IPV6, KIND_TAGGED, KIND_COUNT };
enum { UDP = 1 << KIND_UDP, TCP = 1 << KIND_TCP, OTHER = 1 << KIND_OTHER };
enum { V6 = 1 << KIND_IPV6, TAGGED = 1 << KIND_TAGGED };
enum { WAYS = 2 * KIND_COUNT };
enum { ALL = UDP | TCP | OTHER | V6 | TAGGED, IN = 1, OUT = 2, BOTH = IN | OUT };

struct expectation {
	unsigned int kinds, directions;
	int flow; /* of those, what this flow sends; -1: all */
};

static struct listener listener;
static struct link_state near;

static struct numbered_plan plan_of(enum kind kind, bool is_outgoing)
{
	struct numbered_plan plan = { .first = kind * STEP + (is_outgoing ? OUTGOING : 0),
		.count = EACH,
		.size = 100,
		.flows = 4,
		.ipv6 = kind == KIND_IPV6 };

	if (kind == KIND_TAGGED) {
		plan.tag_count = 1;
		plan.tags[0] = (struct numbered_tag) { 0x8100, 5 };
	}
	return plan;
}

static void send_kind(enum kind kind, bool is_outgoing)
{
	const struct numbered_plan plan = plan_of(kind, is_outgoing);
	static uint8_t frame[NUMBERED_LENGTH_MAX];
	struct sender sender;

	assert_int_equal(sender_open(is_outgoing ? OWN_NEAR : OWN_FAR, 0, &sender), 0);
	for (uint64_t n = plan.first; n < plan.first + plan.count; n++) {
		struct sender_frame one = { frame, numbered_build(&plan, n, frame) };

		if (kind == KIND_TCP)
			frame[PROTOCOL_AT] = 6;
		if (kind == KIND_OTHER)
			memcpy(frame + ETHERTYPE_AT, "\x88\xb5", 2);
		assert_int_equal(sender_send(&sender, &one, 1), 0);
	}
	close(sender.fd);
}

static uint32_t times_of(const struct numbered_plan *plan)
{
	uint32_t times = 0;

	for (uint64_t n = plan->first; n < plan->first + plan->count; n++)
		times += listener.times[n];
	return times;
}

static void listen_with(const struct capture_config *capture)
{
	const struct ring_seat seat = {
		.mode = FANOUT_HASH, .group = RING_NEW_GROUP, .member_count = 1, .promiscuous = true
	};
	struct filter filter = { 0 };
	char *reason = NULL;
	uint16_t group;
	int r = filter_compile_live(&filter, PLACE_OF(OWN_NEAR), capture, &near, &reason);

	if (r < 0)
		fail_msg("%s: %s", capture->filter, reason ? reason : strerror(-r));
	assert_int_equal(listener_open_cooked(&listener, OWN_NEAR, &seat, &group), 0);
	assert_int_equal(filter_attach(listener.fd, &filter), 0);
	filter_release(&filter);
}

/* IFINDEX stands for the interface's number. */
static const struct {
	const char *text;
	struct expectation takes;
} filters[] = {
	{ "", { ALL, BOTH, -1 } },
	{ "host 10.1.0.3", { UDP | TCP | TAGGED, BOTH, 3 } },
	{ "src host 10.1.0.3", { UDP | TCP | TAGGED, BOTH, 3 } },
	{ "dst host 10.1.0.3", { 0, 0, -1 } },
	{ "not host 10.9.9.9", { ALL, BOTH, -1 } },
	{ "net 10.1.0.0/16", { UDP | TCP | TAGGED, BOTH, -1 } },
	{ "host 2001:db8::1:0:2", { V6, BOTH, 2 } },
	{ "tcp port 4003", { TCP, BOTH, 3 } },
	{ "udp port 4003", { UDP | V6 | TAGGED, BOTH, 3 } },
	{ "tcp", { TCP, BOTH, -1 } },
	{ "ip", { UDP | TCP | TAGGED, BOTH, -1 } },
	{ "ip6", { V6, BOTH, -1 } },
	{ "arp", { 0, 0, -1 } },
	{ "ether proto 0x88b5", { OTHER, BOTH, -1 } },
	{ "not ether proto 0x88b5", { ALL & ~OTHER, BOTH, -1 } },
	{ "inbound", { ALL, IN, -1 } },
	{ "outbound", { ALL, OUT, -1 } },
	{ "outbound and tcp port 4003", { TCP, OUT, 3 } },
	{ "ifindex IFINDEX", { ALL, BOTH, -1 } },
	{ "not ifindex IFINDEX", { 0, 0, -1 } },
	{ "ifindex IFINDEX and inbound and ip6", { V6, IN, -1 } },
	/* The length is from the network header on, as for tcpdump. */
	{ "greater 86", { ALL, BOTH, -1 } },
	{ "greater 87", { 0, 0, -1 } },
};

/* What is to come of a kind's frames; the kind says in its last bit whether they leave. */
static uint32_t expected_of(unsigned int kind_and_way, const struct expectation *expectation)
{
	const struct numbered_plan plan = plan_of(kind_and_way / 2, kind_and_way % 2);
	uint32_t count = 0;

	if (!(expectation->kinds & 1U << kind_and_way / 2) ||
	    !(expectation->directions & (kind_and_way % 2 ? OUT : IN)))
		return 0;
	for (uint64_t n = plan.first; n < plan.first + plan.count; n++)
		count +=
		    expectation->flow < 0 || numbered_flow(&plan, n) == (uint32_t)expectation->flow;
	return count;
}

/* Where a tag of a frame that leaves is, is told by newer kernels only. */
static bool is_sent(unsigned int kind_and_way)
{
	return kind_and_way != 2 * KIND_TAGGED + 1;
}

/* What must not come is sent first, and on one link nothing overtakes: what came is then all. */
static void send_and_check(const char *text, const struct expectation *expectation)
{
	uint64_t sum = 0;

	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int i = 0; i < WAYS; i++)
			if (is_sent(i) && (expected_of(i, expectation) > 0) == (pass > 0))
				send_kind(i / 2, i % 2);
	for (unsigned int i = 0; i < WAYS; i++)
		sum += is_sent(i) ? expected_of(i, expectation) : 0;
	listeners_drain(&listener, 1, sum);
	for (unsigned int i = 0; i < WAYS; i++) {
		const struct numbered_plan plan = plan_of(i / 2, i % 2);
		uint32_t expected = is_sent(i) ? expected_of(i, expectation) : 0;

		if (times_of(&plan) != expected)
			fail_msg("'%s': kind %u, %s: %u instead of %u", text, i / 2,
			    i % 2 ? "out" : "in", times_of(&plan), expected);
	}
	assert_int_equal(listener.walked, sum);
	listener_close(&listener);
}

static void a_filter_means_what_it_means_to_tcpdump(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT_OF(filters); f++) {
		struct capture_config capture = { .snaplen = SNAPLEN_MOST };
		const char *at = strstr(filters[f].text, "IFINDEX");
		char text[128];

		snprintf(text, sizeof(text), "%s", filters[f].text);
		if (at)
			snprintf(text + (at - filters[f].text), sizeof(text) - 64, "%d%s",
			    near.ifindex, at + strlen("IFINDEX"));
		capture.filter = text;
		listen_with(&capture);
		send_and_check(text, &filters[f].takes);
	}
}

static void each_direction_sees_its_own(void **state)
{
	static char nothing[] = "", inbound[] = "inbound";
	const struct {
		enum direction direction;
		char *text;
		unsigned int directions;
	} rows[] = {
		{ DIRECTION_IN, nothing, IN },
		{ DIRECTION_OUT, nothing, OUT },
		{ DIRECTION_BOTH, nothing, BOTH },
		{ DIRECTION_BOTH, inbound, IN },
		{ DIRECTION_OUT, inbound, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct capture_config capture = { .filter = rows[i].text,
			.snaplen = SNAPLEN_MOST,
			.direction = rows[i].direction };

		listen_with(&capture);
		send_and_check(rows[i].text, &(struct expectation) { ALL, rows[i].directions, -1 });
	}
}

static void what_cannot_be_asked_for_is_refused_with_a_reason(void **state)
{
	const struct {
		const char *text, *reason;
	} rows[] = {
		/* libpcap's own words, and as it refuses them to tcpdump. */
		{ "vlan", "VLAN" },
		{ "vlan 5 and host 10.1.0.3", "VLAN" },
		{ "ether host 02:00:00:00:00:01", "ethernet addresses" },
		/* What it would look at in user space. */
		{ "link[11] = 6", "asks for bytes of the link header" },
		{ "host 10.1.0.3 and link[13] = 0", "asks for bytes of the link header" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct capture_config capture = { .filter = (char *)(uintptr_t)rows[i].text,
			.snaplen = SNAPLEN_MOST };
		struct filter filter = { 0 };
		char *reason = NULL;

		assert_int_equal(
		    filter_compile_live(&filter, PLACE_OF(OWN_NEAR), &capture, &near, &reason),
		    -EINVAL);
		assert_non_null(reason);
		if (!strstr(reason, rows[i].reason))
			fail_msg("%s: %s", rows[i].text, reason);
		assert_null(filter.instructions);
		free(reason);
	}
}

static void a_text_is_checked_for_cooked_packets(void **state)
{
	char *reason = NULL;

	(void)state;
	assert_int_equal(
	    filter_check("ifindex 3 and host 10.0.0.1", LINKTYPE_LINUX_SLL2, &reason), 0);
	assert_null(reason);
	assert_int_equal(filter_check("vlan", LINKTYPE_ETHERNET, &reason), 0);
	assert_int_equal(filter_check("vlan", LINKTYPE_LINUX_SLL2, &reason), -EINVAL);
	assert_non_null(reason);
	free(reason);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(a_text_is_checked_for_cooked_packets),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(a_filter_means_what_it_means_to_tcpdump),
		cmocka_unit_test(each_direction_sees_its_own),
		cmocka_unit_test(what_cannot_be_asked_for_is_refused_with_a_reason),
	};
	int failed = RUN_TESTS(pure);

	if (failed == 0 &&
	    (own_namespace_enter() < 0 || socket_interface(PLACE_OF(OWN_NEAR), &near) < 0))
		return 77;
	near.link_type = LINKTYPE_LINUX_SLL2;
	return failed ? failed : RUN_TESTS(live);
}
