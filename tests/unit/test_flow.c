/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/flow.h"
#include "capture/link.h"
#include "support/interpreter.h"
#include "support/listener.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"
#include "support/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOWS = 10000, MEMBERS = 4 };

static struct program program;
static struct interpreter interpreter;
static uint8_t bytes[TUNNEL_LENGTH_MAX];

static uint32_t pick(size_t length, bool outgoing)
{
	const struct passing passing = { bytes, length, FLOW_ETHERNET, outgoing };

	return interpreter_run(&interpreter, &passing);
}

static uint32_t pick_frame(const struct tunnel_frame *frame, bool outgoing)
{
	return pick(tunnel_build(frame, bytes), outgoing);
}

static void it_is_short_enough(void **state)
{
	(void)state;
	printf("%zu instructions\n", program.count);
	assert_true(program.count <= BPF_MAXINSNS);
}

static void a_flow_and_its_reverse_go_one_way(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < tunnel_count(); kind++)
		for (uint32_t flow = 0; flow < 500; flow++) {
			struct tunnel_frame frame = { .kind = kind, .flow = flow };
			uint32_t there = pick_frame(&frame, false);

			frame.back = true;
			if (pick_frame(&frame, false) != there)
				fail_msg("%s: flow %u is torn", tunnel_name(kind), flow);
			frame.payload = 1200;
			if (pick_frame(&frame, false) != there)
				fail_msg("%s: flow %u goes by length", tunnel_name(kind), flow);
		}
}

static void outgoing_packets_go_the_way_of_received_ones(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < tunnel_count(); kind++)
		for (uint32_t flow = 0; flow < 200; flow++) {
			const struct tunnel_frame frame = { .kind = kind, .flow = flow };

			if (pick_frame(&frame, true) != pick_frame(&frame, false))
				fail_msg("%s: flow %u", tunnel_name(kind), flow);
		}
}

static void look_at_spread(unsigned int kind, enum tunnel_ends ends, uint32_t members)
{
	uint32_t counts[16] = { 0 };

	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		const struct tunnel_frame frame = { .kind = kind, .flow = flow, .ends = ends };

		counts[pick_frame(&frame, false) % members]++;
	}
	for (uint32_t i = 0; i < members; i++)
		if (counts[i] * members * 5 > FLOWS * 6)
			fail_msg("%s, ends %u: member %u of %u has %u of %u flows",
			    tunnel_name(kind), ends, i, members, counts[i], FLOWS);
}

/* No member has more than 1.2 times its share: of four, 30 %. */
static void the_flows_in_one_tunnel_spread(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < tunnel_count(); kind++)
		for (enum tunnel_ends ends = 0; ends <= TUNNEL_PORTS; ends++)
			if (ends != TUNNEL_PORTS || tunnel_has_ports(kind))
				look_at_spread(kind, ends, MEMBERS);
}

static void they_spread_over_any_number(void **state)
{
	const uint32_t members[] = { 2, 3, 5, 8, 13, 16 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(members); i++)
		for (enum tunnel_ends ends = 0; ends <= TUNNEL_PORTS; ends++)
			look_at_spread(0, ends, members[i]);
}

static unsigned int kind_named(const char *name)
{
	for (unsigned int kind = 0; kind < tunnel_count(); kind++)
		if (strcmp(tunnel_name(kind), name) == 0)
			return kind;
	fail_msg("no kind %s", name);
	return 0;
}

/* What changes around a flow, or in its headers' form, does not move it. */
static void a_flow_goes_alike_in_and_out_of_a_tunnel(void **state)
{
	const char *const alike[] = { "ipv4 with options", "vlan", "three tags", "mpls", "pppoe",
		"gre", "4in4", "vxlan", "geneve", "gtp-u", "gtp-u with extensions",
		"gtp-u in vxlan in gre, tagged" };

	(void)state;
	for (uint32_t flow = 0; flow < 100; flow++) {
		struct tunnel_frame frame = { .flow = flow, .kind = kind_named("tcp on ipv4") };
		uint32_t plain = pick_frame(&frame, false);

		for (size_t i = 0; i < COUNT_OF(alike); i++) {
			frame.kind = kind_named(alike[i]);
			if (pick_frame(&frame, false) != plain)
				fail_msg("%s: flow %u", alike[i], flow);
		}
	}
}

static void ports_count_where_there_are_some(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < tunnel_count(); kind++) {
		struct tunnel_frame frame = { .kind = kind, .ends = TUNNEL_PORTS };
		uint32_t first = pick_frame(&frame, false);

		frame.flow = 1;
		if ((pick_frame(&frame, false) != first) != tunnel_has_ports(kind))
			fail_msg("%s", tunnel_name(kind));
	}
}

/* In memory of just that length, so that a sanitizer sees each byte too far. */
static uint32_t pick_cut(size_t length, bool outgoing)
{
	uint8_t *cut = malloc(length + (length == 0));
	const struct passing passing = { cut, length, FLOW_ETHERNET, outgoing };
	uint32_t result;

	memcpy(cut, bytes, length);
	result = interpreter_run(&interpreter, &passing);
	free(cut);
	return result;
}

/* Cut within its own header it is no tunnel, and its source port is any: no end of a flow. */
static bool is_on_udp(unsigned int kind)
{
	const char *name = tunnel_name(kind);

	return strstr(name, "vxlan") || strstr(name, "geneve") || strstr(name, "gtp");
}

static void a_packet_cut_anywhere_gets_some_member_both_ways(void **state)
{
	enum { ETHERNET = 14 };

	(void)state;
	for (unsigned int kind = 0; kind < tunnel_count(); kind++)
		for (size_t length = 0; length < 300; length++)
			for (int outgoing = 0; outgoing < 2; outgoing++) {
				struct tunnel_frame frame = { .kind = kind, .flow = 7 };
				size_t whole = tunnel_build(&frame, bytes);
				uint32_t there = pick_cut(LEAST(length, whole), outgoing);

				frame.back = true;
				(void)tunnel_build(&frame, bytes);
				if (pick_cut(LEAST(length, whole), outgoing) != there &&
				    length >= ETHERNET && !is_on_udp(kind))
					fail_msg("%s: cut at %zu", tunnel_name(kind), length);
			}
}

/* A cut tunnel goes by what is around it, and not all of it to the member of a failed load. */
static void what_is_cut_goes_by_the_addresses_before(void **state)
{
	uint32_t counts[MEMBERS] = { 0 };

	(void)state;
	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		const struct tunnel_frame frame = { .kind = kind_named("tcp on ipv4"),
			.flow = flow };

		(void)tunnel_build(&frame, bytes);
		/* One byte of the ports is missing. */
		counts[pick(14 + 20 + 3, false) % MEMBERS]++;
	}
	for (uint32_t i = 0; i < MEMBERS; i++)
		assert_true(counts[i] * 10 < FLOWS * 3);
}

static void nonsense_gets_some_member(void **state)
{
	(void)state;
	srand(1);
	for (uint32_t round = 0; round < 200000; round++) {
		const struct tunnel_frame frame = { .kind = round % tunnel_count(), .flow = round };
		size_t length = tunnel_build(&frame, bytes);

		for (int i = 0; i < 3; i++)
			bytes[12 + (size_t)rand() % LEAST(length - 12, 120)] = (uint8_t)rand();
		(void)pick_cut(length - (size_t)rand() % 8, round % 2);
	}
}

/* Who has the port of a tunnel as its own, for once, is a flow like others. */
static void a_port_alone_makes_no_tunnel(void **state)
{
	const uint16_t ports[] = { 4789, 6081, 2152 };
	const size_t udp = 14 + 20;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		struct tunnel_frame frame = { .kind = kind_named("udp on ipv4"), .payload = 64 };
		size_t length = tunnel_build(&frame, bytes);
		uint32_t there;

		bytes[udp + 2] = (uint8_t)(ports[i] >> 8);
		bytes[udp + 3] = (uint8_t)ports[i];
		there = pick(length, false);
		frame.back = true;
		(void)tunnel_build(&frame, bytes);
		bytes[udp] = (uint8_t)(ports[i] >> 8);
		bytes[udp + 1] = (uint8_t)ports[i];
		assert_int_equal(pick(length, false), there);
	}
}

static void without_a_link_header_ip_is_told_by_the_kernel(void **state)
{
	struct program bare;
	struct interpreter runs;

	(void)state;
	assert_int_equal(flow_program(&bare, 0), 0);
	assert_true(interpreter_open(&runs, &bare));
	for (uint32_t flow = 0; flow < 100; flow++) {
		struct tunnel_frame frame = { .kind = kind_named("4in6"), .flow = flow };
		size_t length = tunnel_build(&frame, bytes);
		struct passing passing = { bytes + 14, length - 14, 0, false };
		uint32_t there = interpreter_run(&runs, &passing);

		assert_int_equal(there, pick(length, false));
		passing.outgoing = true;
		assert_int_equal(interpreter_run(&runs, &passing), there);
	}
	interpreter_close(&runs);
	program_release(&bare);
}

/* Of all interfaces each packet goes as on its own. */
static void each_kind_of_link_is_told_by_its_packets(void **state)
{
	struct program bare, mixed;
	struct interpreter runs_bare, runs_mixed;

	(void)state;
	assert_int_equal(flow_program(&bare, 0), 0);
	assert_int_equal(flow_program(&mixed, LINK_HEADER_MIXED), 0);
	assert_true(interpreter_open(&runs_bare, &bare) && interpreter_open(&runs_mixed, &mixed));
	for (unsigned int i = 0; i < 2 * tunnel_count() * 20; i++) {
		const struct tunnel_frame frame = { .kind = i / 2 % tunnel_count(),
			.flow = i / 2 / (unsigned int)tunnel_count() };
		size_t length = tunnel_build(&frame, bytes);
		struct passing passing = { bytes, length, FLOW_ETHERNET, i % 2 };

		/* No IP: by the addresses of the frame. */
		if (i % 7 == 0)
			memcpy(bytes + 12, "\x88\xb5", 2);
		assert_int_equal(interpreter_run(&runs_mixed, &passing), pick(length, i % 2));
		passing = (struct passing) { bytes + 14, length - 14, 0, i % 2 };
		assert_int_equal(
		    interpreter_run(&runs_mixed, &passing), interpreter_run(&runs_bare, &passing));
	}
	interpreter_close(&runs_bare);
	interpreter_close(&runs_mixed);
	program_release(&bare);
	program_release(&mixed);
}

/* ---- in the kernel ----------------------------------------------------------------------- */

static struct listener members[MEMBERS];

static const struct filter everything = {
	(struct sock_filter[]) { BPF_STMT(BPF_RET | BPF_K, 65535) }, 1
};

static const struct numbered_plan plans[] = {
	{ .first = 0, .count = 400, .size = 100, .flows = 80, .both_directions = true },
	{ .first = 400, .count = 400, .size = 100, .flows = 80, .ipv6 = true },
	{ .first = 800,
	    .count = 400,
	    .size = 100,
	    .flows = 80,
	    .tag_count = 1,
	    .tags = { { 0x8100, 5 } } },
	{ .first = 1200,
	    .count = 400,
	    .size = 100,
	    .flows = 80,
	    .tag_count = 2,
	    .tags = { { 0x88a8, 8 }, { 0x8100, 9 } } },
	{ .first = 1600,
	    .count = 400,
	    .size = 100,
	    .flows = 80,
	    .ipv6 = true,
	    .tag_count = 2,
	    .tags = { { 0x8100, 8 }, { 0x8100, 9 } } },
};

static void open_members(void)
{
	struct ring_seat seat = { .mode = FANOUT_FLOW,
		.group = RING_NEW_GROUP,
		.member_count = MEMBERS,
		.promiscuous = true };
	uint16_t group;

	for (size_t i = 0; i < MEMBERS; i++) {
		assert_int_equal(listener_open(&members[i], OWN_NEAR, &seat, &group), 0);
		seat.group = group;
	}
	assert_int_equal(program_attach(members[0].fd, &program), 0);
	for (size_t i = 0; i < MEMBERS; i++)
		assert_int_equal(filter_attach(members[i].fd, &everything), 0);
}

static void send_plan(const char *interface, const struct numbered_plan *plan)
{
	struct sender sender;

	assert_int_equal(sender_open(interface, 0, &sender), 0);
	for (uint64_t n = plan->first; n < plan->first + plan->count; n++) {
		struct sender_frame one = { bytes, numbered_build(plan, n, bytes) };

		assert_int_equal(sender_send(&sender, &one, 1), 0);
	}
	close(sender.fd);
}

static void look_at_member(const struct numbered_plan *plan, uint64_t number)
{
	size_t expected = pick(numbered_build(plan, number, bytes), false) % MEMBERS;

	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i].times[number] != (i == expected))
			fail_msg("%u: %u times at member %zu, not at %zu", (unsigned int)number,
			    members[i].times[number], i, expected);
}

static void the_kernel_picks_what_the_interpreter_picks(void **state)
{
	const char *const interfaces[] = { OWN_FAR, OWN_NEAR };

	(void)state;
	for (size_t way = 0; way < COUNT_OF(interfaces); way++) {
		uint64_t sum = 0;

		open_members();
		for (size_t i = 0; i < COUNT_OF(plans); i++) {
			send_plan(interfaces[way], &plans[i]);
			sum += plans[i].count;
		}
		assert_int_equal(listeners_drain(members, MEMBERS, sum), sum);
		for (size_t i = 0; i < COUNT_OF(plans); i++)
			for (uint64_t n = 0; n < plans[i].count; n++)
				look_at_member(&plans[i], plans[i].first + n);
		for (size_t i = 0; i < MEMBERS; i++)
			listener_close(&members[i]);
	}
}

static int set_up(void **state)
{
	(void)state;
	if (flow_program(&program, FLOW_ETHERNET) < 0)
		return -1;
	return interpreter_open(&interpreter, &program) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	interpreter_close(&interpreter);
	program_release(&program);
	return 0;
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(it_is_short_enough),
		cmocka_unit_test(a_flow_and_its_reverse_go_one_way),
		cmocka_unit_test(outgoing_packets_go_the_way_of_received_ones),
		cmocka_unit_test(the_flows_in_one_tunnel_spread),
		cmocka_unit_test(they_spread_over_any_number),
		cmocka_unit_test(a_flow_goes_alike_in_and_out_of_a_tunnel),
		cmocka_unit_test(ports_count_where_there_are_some),
		cmocka_unit_test(a_packet_cut_anywhere_gets_some_member_both_ways),
		cmocka_unit_test(what_is_cut_goes_by_the_addresses_before),
		cmocka_unit_test(nonsense_gets_some_member),
		cmocka_unit_test(a_port_alone_makes_no_tunnel),
		cmocka_unit_test(without_a_link_header_ip_is_told_by_the_kernel),
		cmocka_unit_test(each_kind_of_link_is_told_by_its_packets),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(the_kernel_picks_what_the_interpreter_picks),
	};
	int failed = cmocka_run_group_tests(pure, set_up, tear_down);

	if (failed == 0 && own_namespace_enter() < 0)
		return 77;
	return failed ? failed : cmocka_run_group_tests(live, set_up, tear_down);
}
