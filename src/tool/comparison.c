/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/comparison.h"

#include "base/array.h"
#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* What a passage cost at the end that is compared, and at the other. */
struct share {
	const struct cost *own, *other;
	uint64_t own_packets, other_packets;
};

static struct share share_of(const struct comparison_row *row, const struct passage_result *passage)
{
	const struct share receiving = {
		.own = &passage->receiving.cost,
		.own_packets = passage->receiving.tally.received,
		.other = &passage->sending.cost,
		.other_packets = passage->sending.sent,
	};
	const struct share sending = {
		.own = receiving.other,
		.own_packets = receiving.other_packets,
		.other = receiving.own,
		.other_packets = receiving.own_packets,
	};

	return row->is_transmit ? sending : receiving;
}

static uint64_t lost(const struct passage_result *passage)
{
	const uint64_t sent = passage->sending.sent, received = passage->receiving.tally.received;

	return received < sent ? sent - received : 0;
}

static double a_second(const struct passage_result *passage)
{
	const uint64_t took_ns = passage->sending.took_ns;

	if (took_ns == 0)
		return 0;
	return (double)passage->sending.sent * (double)NSEC_PER_SEC / (double)took_ns;
}

static const char *way_of(const struct comparison_row *row)
{
	static const char *const names[] = { NULL, "V1", "V2", "V3" };

	if (row->version == 0)
		return row->is_transmit ? "send" : "recvfrom";
	return names[row->version];
}

/* ---- for people -------------------------------------------------------------------------- */

static const char explanation[] =
    "\n"
    "ns CPU: user and system time of the process that receives, or sends, for a packet; other\n"
    "end: of the other process, which sends with send(2), or receives with V2. The kernel's part\n"
    "of receiving runs in the time of whoever sends. wake-ups: how often the process slept and\n"
    "was woken, for a packet. median and p99: from just before a packet was sent until the\n"
    "receiving process saw it; V3 hands over a block when it is full, or after its retirement.\n";

/* A quotient in its column, or a dash where there is nothing to divide by. */
static void print_quotient(FILE *to, int width, int digits, uint64_t sum, uint64_t packets)
{
	if (packets == 0)
		fprintf(to, " %*s", width, "-");
	else
		fprintf(to, " %*.*f", width, digits, (double)sum / (double)packets);
}

static void print_delay(FILE *to, uint32_t delay_ns, const struct passage_result *passage)
{
	print_quotient(to, 9, 1, delay_ns, passage->receiving.tally.received > 0 ? 1000 : 0);
}

static void print_row(FILE *to, const struct comparison_row *row)
{
	const struct share fast = share_of(row, &row->fast), paced = share_of(row, &row->paced);

	fprintf(to, "%-8s %-8s %9.0f", row->is_transmit ? "transmit" : "receive", way_of(row),
	    a_second(&row->fast));
	print_quotient(to, 6, 0, fast.own->cpu_ns, fast.own_packets);
	print_quotient(to, 9, 0, fast.other->cpu_ns, fast.other_packets);
	print_quotient(to, 8, 4, fast.own->wakeups, fast.own_packets);
	fprintf(to, " %7" PRIu64 "  ", lost(&row->fast));
	print_quotient(to, 6, 0, paced.own->cpu_ns, paced.own_packets);
	print_quotient(to, 8, 4, paced.own->wakeups, paced.own_packets);
	print_delay(to, row->paced.delay_median_ns, &row->paced);
	print_delay(to, row->paced.delay_p99_ns, &row->paced);
	fprintf(to, " %6" PRIu64 "\n", lost(&row->paced));
}

static void print_head(FILE *to, const struct comparison *comparison)
{
	const struct geometry *geometry = &comparison->geometry;
	const uint64_t memory = (uint64_t)geometry->block_size * geometry->block_count;
	char pace[40];

	fprintf(to,
	    "%" PRIu32 "-byte packets over a veth pair; rings of %" PRIu64 " KiB, V3 with %" PRIu32
	    " blocks of %" PRIu32 " KiB, retired after %" PRIu32 " ms; ",
	    comparison->packet_size, memory >> 10, geometry->block_count,
	    geometry->block_size >> 10, geometry->retire_timeout_ms);
	if (comparison->transmit_cpu < 0)
		fputs("processes not pinned", to);
	else
		fprintf(to, "sent on CPU %d, received on CPU %d", comparison->transmit_cpu,
		    comparison->receive_cpu);
	snprintf(pace, sizeof(pace), "at %" PRIu64 " packets a second", comparison->rate);
	fprintf(to, "\n\n%-17s %-43s   %s\n", "", "as fast as it goes", pace);
	fprintf(to, "%-17s %9s %6s %9s %8s %7s   %6s %8s %9s %9s %6s\n", "", "packet/s", "ns CPU",
	    "other end", "wake-ups", "lost", "ns CPU", "wake-ups", "median us", "p99 us", "lost");
}

/* The numbers of a sender that was behind all the time are of another rate. */
static void print_shortfall(FILE *to, const struct comparison *comparison)
{
	double least = (double)comparison->rate;

	for (size_t i = 0; i < COUNT_OF(comparison->rows); i++)
		least = LEAST(least, a_second(&comparison->rows[i].paced));
	if (least < 0.9 * (double)comparison->rate)
		fprintf(to,
		    "Not every sender reached %" PRIu64 " packets a second: one only %.0f.\n",
		    comparison->rate, least);
}

void comparison_print(FILE *to, const struct comparison *comparison)
{
	print_head(to, comparison);
	for (size_t i = 0; i < COUNT_OF(comparison->rows); i++)
		print_row(to, &comparison->rows[i]);
	fputs(explanation, to);
	print_shortfall(to, comparison);
}

/* ---- for machines ------------------------------------------------------------------------ */

static void json_quotient(FILE *to, const char *name, uint64_t sum, uint64_t packets)
{
	if (packets == 0)
		fprintf(to, ",\"%s\":null", name);
	else
		fprintf(to, ",\"%s\":%.4f", name, (double)sum / (double)packets);
}

static void json_delay(FILE *to, const char *name, uint32_t delay_ns, uint64_t packets)
{
	json_quotient(to, name, delay_ns, packets > 0 ? NSEC_PER_USEC : 0);
}

static void json_passage(
    FILE *to, const struct comparison_row *row, const struct passage_result *passage)
{
	const struct share share = share_of(row, passage);

	fprintf(to,
	    "{\"packets_per_second\":%.0f,\"sent\":%" PRIu64 ",\"received\":%" PRIu64
	    ",\"lost\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"lost_on_the_way\":%" PRIu64
	    ",\"disordered\":%" PRIu64,
	    a_second(passage), passage->sending.sent, passage->receiving.tally.received,
	    lost(passage), passage->receiving.dropped, passage->lost_on_the_way,
	    passage->receiving.tally.disordered);
	json_quotient(to, "cpu_ns", share.own->cpu_ns, share.own_packets);
	json_quotient(to, "other_cpu_ns", share.other->cpu_ns, share.other_packets);
	json_quotient(to, "wakeups", share.own->wakeups, share.own_packets);
}

static void json_row(FILE *to, const struct comparison_row *row)
{
	const uint64_t received = row->paced.receiving.tally.received;

	fprintf(to, "{\"direction\":\"%s\",\"ring\":", row->is_transmit ? "transmit" : "receive");
	if (row->version == 0)
		fputs("null", to);
	else
		fprintf(to, "%u", row->version);
	fputs(",\"fast\":", to);
	json_passage(to, row, &row->fast);
	fputs("},\"paced\":", to);
	json_passage(to, row, &row->paced);
	json_delay(to, "delay_median_us", row->paced.delay_median_ns, received);
	json_delay(to, "delay_p99_us", row->paced.delay_p99_ns, received);
	fputs("}}", to);
}

static void json_cpu(FILE *to, const char *name, int cpu)
{
	if (cpu < 0)
		fprintf(to, ",\"%s\":null", name);
	else
		fprintf(to, ",\"%s\":%d", name, cpu);
}

void comparison_print_json(FILE *to, const struct comparison *comparison)
{
	const struct geometry *geometry = &comparison->geometry;

	fprintf(to,
	    "{\"packet_size\":%" PRIu32 ",\"rate\":%" PRIu64 ",\"seconds\":%.3f,\"memory\":%" PRIu64
	    ",\"block_size\":%" PRIu32 ",\"retire_timeout_ms\":%" PRIu32,
	    comparison->packet_size, comparison->rate,
	    (double)comparison->took_ns / (double)NSEC_PER_SEC,
	    (uint64_t)geometry->block_size * geometry->block_count, geometry->block_size,
	    geometry->retire_timeout_ms);
	json_cpu(to, "transmit_cpu", comparison->transmit_cpu);
	json_cpu(to, "receive_cpu", comparison->receive_cpu);
	fputs(",\"rows\":[", to);
	for (size_t i = 0; i < COUNT_OF(comparison->rows); i++) {
		if (i > 0)
			fputc(',', to);
		json_row(to, &comparison->rows[i]);
	}
	fputs("]}\n", to);
}
