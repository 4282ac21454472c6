/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/ring_report.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

#include <inttypes.h>

/* ---- for people -------------------------------------------------------------------------- */

static void print_rules(FILE *to, const struct geometry_request *request, bool kernels)
{
	const struct geometry_rule *rule;
	char text[GEOMETRY_TEXT];

	for (size_t i = 0; (rule = geometry_rule(i)); i++) {
		if (rule->is_kernels != kernels || !geometry_concerns(rule, request))
			continue;
		geometry_compare(rule, request, text);
		fprintf(to, "  %-6s %-15s %s\n", geometry_meets(rule, request) ? "meets" : "BREAKS",
		    rule->name, text);
	}
}

static void print_memory(FILE *to, const struct ring_report *report, uint64_t memory)
{
	char all[UNITS_TEXT], free[UNITS_TEXT];

	units_format_about(all, sizeof(all), memory);
	units_format_about(free, sizeof(free), report->memory_free);
	fprintf(to, "memory: %s for %" PRIu64 " worker%s", all, report->workers,
	    report->workers == 1 ? "" : "s");
	if (report->memory_free > 0)
		fprintf(to, "; the machine has %s free%s", free,
		    memory > report->memory_free ? ", which is LESS" : "");
	fputc('\n', to);
}

static void print_times(FILE *to, const struct ring_report *report, const struct geometry *geometry)
{
	char rate[UNITS_TEXT];
	const double gap = capacity_gap(geometry, &report->load),
		     sure = capacity_sure_gap(geometry, &report->load);

	fprintf(to, "delay at low load: a packet is seen up to %" PRIu32 " ms after it came\n",
	    geometry->retire_timeout_ms);
	if (report->rate > 0) {
		units_format_rate(rate, sizeof(rate), report->rate);
		fprintf(to,
		    "burst: %s in packets of %" PRIu32 " bytes, shared by %" PRIu64
		    " worker%s, fits for %.3f s\n",
		    rate, report->load.packet, report->sharers, report->sharers == 1 ? "" : "s",
		    capacity_burst(geometry, &report->load));
	}
	fprintf(to, "gap: nobody need read for %.3f s, of which %.3f s are sure at any moment\n",
	    gap, sure);
}

void ring_report_text(FILE *to, const struct ring_report *report)
{
	const struct geometry_request request = geometry_request_of(&report->ring);
	const struct geometry_rule *rule = NULL;
	struct geometry geometry;
	char text[GEOMETRY_TEXT];
	bool is_good = geometry_plan(&geometry, &report->ring, &rule) == 0;

	if (report->sensor)
		fprintf(to, "%s: ", report->sensor);
	if (is_good)
		geometry_describe(&geometry, report->load.link_header, text);
	fprintf(to, "%s\n", is_good ? text : "no ring can be made of this");
	if (is_good) {
		print_memory(to, report, geometry_memory(&geometry) * report->workers);
		print_times(to, report, &geometry);
	}
	fprintf(to,
	    "tpacket_req3: tp_block_size %" PRIu64 ", tp_block_nr %" PRIu64
	    ", tp_frame_size %" PRIu64 ", tp_frame_nr %" PRIu64 ", tp_retire_blk_tov %" PRIu64
	    ", tp_sizeof_priv 0, tp_feature_req_word 0\n",
	    request.block_size, request.block_count, request.frame_size, request.frame_count,
	    request.retire_timeout_ms);
	fputs("rules of the kernel, packet_set_ring():\n", to);
	print_rules(to, &request, true);
	fputs("rules of fancap:\n", to);
	print_rules(to, &request, false);
}

/* ---- for machines ------------------------------------------------------------------------ */

static void print_meaning(
    FILE *to, const struct ring_report *report, const struct geometry *geometry)
{
	fprintf(to, ",\"memory\":%" PRIu64 ",\"largest_frame\":%" PRIu32 ",\"burst_seconds\":",
	    geometry_memory(geometry) * report->workers,
	    geometry_largest_frame(geometry, report->load.link_header));
	if (report->rate > 0)
		fprintf(to, "%.6f", capacity_burst(geometry, &report->load));
	else
		fputs("null", to);
	fprintf(to, ",\"gap_seconds\":%.6f,\"sure_gap_seconds\":%.6f",
	    capacity_gap(geometry, &report->load), capacity_sure_gap(geometry, &report->load));
}

static void print_broken(FILE *to, const struct geometry_request *request)
{
	const struct geometry_rule *rule;
	const char *separator = "";

	fputs(",\"broken\":[", to);
	for (size_t i = 0; (rule = geometry_rule(i)); i++) {
		if (geometry_meets(rule, request))
			continue;
		fputs(separator, to);
		json_quote(to, rule->name);
		separator = ",";
	}
	fputc(']', to);
}

void ring_report_json(FILE *to, const struct ring_report *report)
{
	const struct geometry_request request = geometry_request_of(&report->ring);
	const struct geometry_rule *rule = NULL;
	struct geometry geometry;
	bool is_good = geometry_plan(&geometry, &report->ring, &rule) == 0;

	fputc('{', to);
	if (report->sensor) {
		fputs("\"sensor\":", to);
		json_quote(to, report->sensor);
		fputc(',', to);
	}
	fprintf(to, "\"accepted\":%s,\"fault\":", is_good ? "true" : "false");
	if (is_good)
		fputs("null", to);
	else
		json_quote(to, rule->name);
	print_broken(to, &request);
	fprintf(to,
	    ",\"block_size\":%" PRIu64 ",\"block_count\":%" PRIu64 ",\"frame_size\":%" PRIu64
	    ",\"frame_count\":%" PRIu64 ",\"retire_timeout_ms\":%" PRIu64 ",\"workers\":%" PRIu64,
	    request.block_size, request.block_count, request.frame_size, request.frame_count,
	    request.retire_timeout_ms, report->workers);
	if (is_good)
		print_meaning(to, report, &geometry);
	else
		fputs(",\"memory\":null,\"largest_frame\":null,\"burst_seconds\":null,"
		      "\"gap_seconds\":null,\"sure_gap_seconds\":null",
		    to);
	fprintf(to, ",\"memory_free\":%" PRIu64, report->memory_free);
}

/* ---- to paste ---------------------------------------------------------------------------- */

/* What a stage must be, where the default of 4 MiB is not enough. */
static void print_stage(FILE *to, const struct ring_config *ring)
{
	char stage[UNITS_TEXT];

	units_format_size(stage, sizeof(stage), 2 * ring->block_size);
	if (2 * ring->block_size > UINT64_C(4) << 20)
		fprintf(to, "# output.stage must be at least %s then\n", stage);
}

void ring_report_yaml(FILE *to, const struct ring_report *report)
{
	const struct ring_config *ring = &report->ring;
	char rate[UNITS_TEXT], gap[UNITS_TEXT], memory[UNITS_TEXT], all[UNITS_TEXT],
	    block[UNITS_TEXT], timeout[UNITS_TEXT], free[UNITS_TEXT];

	units_format_rate(rate, sizeof(rate), report->rate);
	units_format_time(gap, sizeof(gap), report->gap_ns);
	units_format_size(memory, sizeof(memory), ring->memory);
	units_format_about(all, sizeof(all), ring->memory * report->workers);
	units_format_about(free, sizeof(free), report->memory_free);
	units_format_size(block, sizeof(block), ring->block_size);
	units_format_time(timeout, sizeof(timeout), ring->retire_timeout);
	fprintf(to,
	    "# %s in packets of %" PRIu32 " bytes, shared evenly by %" PRIu64
	    " worker%s, and nobody reads for %s:\n"
	    "# %s for %" PRIu64 " worker%s, of %s that are free%s\n",
	    rate, report->load.packet, report->sharers, report->sharers == 1 ? "" : "s", gap, all,
	    report->workers, report->workers == 1 ? "" : "s", free,
	    ring->memory * report->workers > report->memory_free ? ", which is LESS" : "");
	print_stage(to, ring);
	fprintf(to, "ring:\n  memory: %s\n  block_size: %s\n  retire_timeout: %s\n", memory, block,
	    timeout);
}
