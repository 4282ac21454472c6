/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
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

/* ---- the text ---------------------------------------------------------------------------- */

static void a_text_that_is_a_filter_passes(void **state)
{
	const char *const texts[] = { "", " \t\n", "tcp port 80", "vlan 5 and host 10.0.0.1",
		"ether proto 0x88b5", "not (ip6 or arp)" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		char *reason = NULL;

		assert_int_equal(filter_check(texts[i], LINKTYPE_ETHERNET, &reason), 0);
		assert_null(reason);
	}
}

static void a_text_that_is_none_is_refused_with_a_reason(void **state)
{
	const char *const texts[] = { "tcp prot 80", "host", "(", "port 65536",
		"ip and ip6 and not ip and" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		char *reason = NULL;

		assert_int_equal(filter_check(texts[i], LINKTYPE_ETHERNET, &reason), -EINVAL);
		assert_non_null(reason);
		assert_true(strlen(reason) > 0);
		free(reason);
	}
}

/* Many terms in one text, to be freed. */
static char *many(const char *term, size_t count)
{
	char *text = calloc(count, 40);
	size_t used = 0;

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, 40, "%s%s %zu", i ? " or " : "", term, i + 1);
	return text;
}

static void a_text_that_takes_too_long_is_refused(void **state)
{
	const uint64_t begin = clock_monotonic_ns();
	char *text = many("port", 4000), *reason = NULL;

	(void)state;
	assert_int_equal(filter_check(text, LINKTYPE_ETHERNET, &reason), -EINVAL);
	assert_non_null(strstr(reason, "takes libpcap more than 2 s"));
	assert_true(clock_monotonic_ns() - begin < 20 * NSEC_PER_SEC);
	free(reason);
	free(text);
}

static void a_program_that_is_too_long_is_refused(void **state)
{
	char *text = many("vlan", 700), *reason = NULL;

	(void)state;
	assert_int_equal(filter_check(text, LINKTYPE_ETHERNET, &reason), -EINVAL);
	assert_non_null(strstr(reason, "4096 instructions"));
	free(reason);
	free(text);
}

/* ---- the program, by what the kernel lets through ---------------------------------------- */

enum { EACH = 50, KINDS = 5 };

/* Fifty frames of each kind, at numbers of their own. */
static const struct numbered_plan kinds[KINDS] = {
	{ .first = 0, .count = EACH, .size = 100, .flows = 4 },
	{ .first = 100,
	    .count = EACH,
	    .size = 100,
	    .flows = 4,
	    .tag_count = 1,
	    .tags = { { 0x8100, 5 } } },
	{ .first = 200,
	    .count = EACH,
	    .size = 100,
	    .flows = 4,
	    .tag_count = 1,
	    .tags = { { 0x8100, 0xe006 } } },
	{ .first = 300,
	    .count = EACH,
	    .size = 100,
	    .flows = 4,
	    .tag_count = 1,
	    .tags = { { 0x88a8, 7 } } },
	{ .first = 400,
	    .count = EACH,
	    .size = 100,
	    .flows = 4,
	    .tag_count = 2,
	    .tags = { { 0x88a8, 8 }, { 0x8100, 9 } } },
};

static const struct link_state ethernet = {
	.ifindex = 2, .arphrd = 1, .link_type = LINKTYPE_ETHERNET
};
static struct listener listener;

static void send_plan(const char *interface, const struct numbered_plan *plan)
{
	static uint8_t frame[NUMBERED_LENGTH_MAX];
	struct sender sender;

	assert_int_equal(sender_open(interface, 0, &sender), 0);
	for (uint64_t n = plan->first; n < plan->first + plan->count; n++) {
		struct sender_frame one = { frame, numbered_build(plan, n, frame) };

		assert_int_equal(sender_send(&sender, &one, 1), 0);
	}
	close(sender.fd);
}

static void listen_with(const char *interface, const struct capture_config *capture)
{
	const struct ring_seat seat = {
		.mode = FANOUT_HASH, .group = RING_NEW_GROUP, .member_count = 1, .promiscuous = true
	};
	struct filter filter = { 0 };
	struct link_state link;
	char *reason = NULL;
	uint16_t group;
	int r;

	assert_int_equal(socket_interface(PLACE_OF(interface), &link), 0);
	assert_int_equal(link_choose(link.arphrd, LINK_AUTO, &link.link_type), 1);
	r = filter_compile_live(&filter, PLACE_OF(interface), capture, &link, &reason);
	if (r < 0)
		fail_msg("%s: %s", capture->filter, reason ? reason : strerror(-r));
	assert_int_equal(listener_open(&listener, interface, &seat, &group), 0);
	assert_int_equal(filter_attach(listener.fd, &filter), 0);
	filter_release(&filter);
	assert_null(filter.instructions);
}

static uint32_t times_of(const struct numbered_plan *plan)
{
	uint32_t times = 0;

	for (uint64_t n = plan->first; n < plan->first + plan->count; n++)
		times += listener.times[n];
	return times;
}

static uint64_t of_flow(const struct numbered_plan *plan, uint32_t flow)
{
	uint64_t count = 0;

	for (uint64_t n = plan->first; n < plan->first + plan->count; n++)
		count += numbered_flow(plan, n) == flow;
	return count;
}

static const struct {
	const char *text;
	bool takes[KINDS];
	bool only_flow; /* of those, what flow 3 sends */
} filters[] = {
	{ "", { true, true, true, true, true }, false },
	{ "  ", { true, true, true, true, true }, false },
	{ "vlan", { false, true, true, true, true }, false },
	{ "not vlan", { true, false, false, false, false }, false },
	{ "vlan 5", { false, true, false, false, false }, false },
	{ "vlan 6", { false, false, true, false, false }, false },
	{ "vlan 8 and vlan 9", { false, false, false, false, true }, false },
	{ "vlan 5 or vlan 6", { false, true, false, false, false }, false },
	{ "host 10.1.0.3", { true, true, true, true, false }, true },
	{ "vlan and host 10.1.0.3", { false, true, true, true, false }, true },
	{ "vlan 6 and host 10.1.0.3", { false, false, true, false, false }, true },
	{ "udp and not host 10.9.9.9", { true, true, true, true, false }, false },
};

/* What must not come is sent first, and on one link nothing overtakes: what came is then all. */
static void a_filter_finds_tags_where_the_kernel_keeps_them(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT_OF(filters); f++) {
		const struct capture_config capture = {
			.filter = (char *)(uintptr_t)filters[f].text, .snaplen = SNAPLEN_MOST
		};
		uint64_t expected[KINDS], sum = 0;

		listen_with(OWN_NEAR, &capture);
		for (size_t k = 0; k < KINDS; k++) {
			expected[k] = filters[f].takes[k] ? EACH : 0;
			if (expected[k] && filters[f].only_flow)
				expected[k] = of_flow(&kinds[k], 3);
			sum += expected[k];
			if (!filters[f].takes[k])
				send_plan(OWN_FAR, &kinds[k]);
		}
		for (size_t k = 0; k < KINDS; k++)
			if (filters[f].takes[k])
				send_plan(OWN_FAR, &kinds[k]);
		listeners_drain(&listener, 1, sum);
		for (size_t k = 0; k < KINDS; k++)
			if (times_of(&kinds[k]) != expected[k])
				fail_msg("'%s': kind %zu: %u instead of %u", filters[f].text, k,
				    times_of(&kinds[k]), (unsigned int)expected[k]);
		assert_int_equal(listener.walked, sum);
		listener_close(&listener);
	}
}

static void a_tag_comes_apart_from_the_bytes_with_all_its_bits(void **state)
{
	const struct capture_config capture = { .filter = (char *)(uintptr_t) "",
		.snaplen = SNAPLEN_MOST };

	(void)state;
	listen_with(OWN_NEAR, &capture);
	for (size_t k = 0; k < KINDS; k++)
		send_plan(OWN_FAR, &kinds[k]);
	assert_int_equal(listeners_drain(&listener, 1, KINDS * EACH), KINDS * EACH);
	for (size_t k = 0; k < KINDS; k++) {
		const struct packet *packet = &listener.last[kinds[k].first];
		const unsigned int tags = kinds[k].tag_count;

		assert_int_equal(packet->flags & PACKET_HAS_TAG, tags ? PACKET_HAS_TAG : 0);
		assert_int_equal(packet->vlan_tci, kinds[k].tags[0].tci);
		assert_int_equal(packet->vlan_tpid, kinds[k].tags[0].tpid);
		assert_int_equal(packet->captured_length, 100 + (tags > 1 ? 4 : 0));
		assert_int_equal(packet->wire_length, packet->captured_length);
	}
	listener_close(&listener);
}

static void what_the_filter_returns_is_the_snaplen(void **state)
{
	const char *const texts[] = { "", "udp" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const struct capture_config capture = { .filter = (char *)(uintptr_t)texts[i],
			.snaplen = 77 };

		listen_with(OWN_NEAR, &capture);
		send_plan(OWN_FAR, &kinds[0]);
		assert_int_equal(listeners_drain(&listener, 1, EACH), EACH);
		assert_int_equal(listener.last[0].captured_length, 77);
		assert_int_equal(listener.last[0].wire_length, 100);
		listener_close(&listener);
	}
}

static void each_direction_sees_its_own(void **state)
{
	const struct numbered_plan in = { .first = 1000, .count = EACH, .size = 60, .flows = 1 };
	const struct numbered_plan out = { .first = 2000, .count = EACH, .size = 60, .flows = 1 };
	const struct {
		const char *interface;
		enum direction direction;
		const char *text;
		uint32_t in, out;
	} rows[] = {
		{ OWN_NEAR, DIRECTION_BOTH, "", EACH, EACH },
		{ OWN_NEAR, DIRECTION_IN, "", EACH, 0 },
		{ OWN_NEAR, DIRECTION_OUT, "", 0, EACH },
		{ OWN_NEAR, DIRECTION_IN, "udp", EACH, 0 },
		{ OWN_NEAR, DIRECTION_OUT, "udp", 0, EACH },
		/* On lo each is seen going out and coming in. */
		{ "lo", DIRECTION_BOTH, "", 0, EACH },
		{ "lo", DIRECTION_BOTH, "udp", 0, EACH },
		{ "lo", DIRECTION_IN, "", 0, EACH },
		{ "lo", DIRECTION_OUT, "udp", 0, EACH },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct capture_config capture = { .filter = (char *)(uintptr_t)rows[i].text,
			.snaplen = SNAPLEN_MOST,
			.direction = rows[i].direction };

		listen_with(rows[i].interface, &capture);
		if (rows[i].out == 0)
			send_plan(rows[i].interface, &out);
		send_plan(OWN_FAR, &in);
		if (rows[i].out != 0)
			send_plan(rows[i].interface, &out);
		listeners_drain(&listener, 1, rows[i].in + rows[i].out);
		if (times_of(&in) != rows[i].in || times_of(&out) != rows[i].out)
			fail_msg("row %zu: %u in, %u out", i, times_of(&in), times_of(&out));
		assert_int_equal(listener.walked, rows[i].in + rows[i].out);
		listener_close(&listener);
	}
}

static void a_filter_of_too_many_instructions_says_so(void **state)
{
	enum { TERMS = 2400, EACH_TEXT = 24 };
	/* Cheap to compile, other than a list of ports as long as this. */
	char *text = calloc(TERMS, EACH_TEXT);
	struct capture_config capture = { .filter = text, .snaplen = SNAPLEN_MOST };
	struct filter filter = { 0 };
	char *reason = NULL;

	(void)state;
	for (int i = 0, at = 0; i < TERMS; i++)
		at += sprintf(text + at, "%slen = %d", i ? " or " : "", 2 * i + 1);
	assert_int_equal(
	    filter_compile_live(&filter, PLACE_OF(OWN_NEAR), &capture, &ethernet, &reason),
	    -EINVAL);
	assert_non_null(reason);
	assert_non_null(strstr(reason, "4096"));
	assert_null(filter.instructions);
	free(reason);
	free(text);
}

static void an_interface_that_is_not_there_is_told(void **state)
{
	const struct capture_config capture = { .filter = (char *)(uintptr_t) "udp",
		.snaplen = SNAPLEN_MOST };
	struct filter filter = { 0 };
	char *reason = NULL;

	(void)state;
	assert_true(
	    filter_compile_live(&filter, PLACE_OF("absent0"), &capture, &ethernet, &reason) < 0);
	assert_non_null(reason);
	assert_null(filter.instructions);
	free(reason);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(a_text_that_is_a_filter_passes),
		cmocka_unit_test(a_text_that_is_none_is_refused_with_a_reason),
		cmocka_unit_test(a_text_that_takes_too_long_is_refused),
		cmocka_unit_test(a_program_that_is_too_long_is_refused),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(a_filter_finds_tags_where_the_kernel_keeps_them),
		cmocka_unit_test(a_tag_comes_apart_from_the_bytes_with_all_its_bits),
		cmocka_unit_test(what_the_filter_returns_is_the_snaplen),
		cmocka_unit_test(each_direction_sees_its_own),
		cmocka_unit_test(a_filter_of_too_many_instructions_says_so),
		cmocka_unit_test(an_interface_that_is_not_there_is_told),
	};
	int failed = RUN_TESTS(pure);

	if (failed == 0 && own_namespace_enter() < 0)
		return 77;
	return failed ? failed : RUN_TESTS(live);
}
