/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads pcap files and says whether each numbered frame of the plan is in them exactly once, byte
 * for byte as it was sent.  One object of JSON on stdout; exit 1 where anything is wrong.
 *
 * The worker of a file is that of --worker before it, else the number before the date in its name.
 *
 * With --state=FILE what was found before is in FILE, and what is found now is added: files may be
 * checked as they come.
 */
#include "support/numbered.h"
#include "support/pcap_file.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WORKERS_MAX = 256,
	ANY = -1,
	ETHERNET = 14,
	COOKED = 20,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_LINUX_SLL2 = 276,
};

struct file {
	const char *path;
	int worker;
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t packets;
};

/* What a cooked header says of each frame of the plan; those of others and of another way are
 * passed over.
 */
struct cooked {
	uint32_t ifindex; /* 0: the files are of Ethernet */
	uint16_t arphrd;
	uint8_t direction;
};

struct check {
	struct numbered_plan plan;
	struct cooked cooked;
	int64_t missing_allowed; /* exactly so many, or ANY */
	int64_t only_flow;       /* the frames of this flow and no others, or ANY */
	uint64_t snaplen;
	bool ordered;
	bool whole_flows; /* each flow in the files of one worker */
	bool nanoseconds;
	bool any_resolution;
	int worker; /* of the files that follow, or ANY: by their names */
	const char *state;
	struct file *files;
	size_t file_count;

	uint8_t *found; /* a bit for each number of the plan */
	size_t found_size;
	uint16_t *flow_owner; /* worker + 1 of each flow */
	uint8_t *flow_split;
	uint64_t workers[WORKERS_MAX];
	uint64_t expected;
	uint64_t packets;
	uint64_t missing;
	uint64_t doubled;
	uint64_t damaged;
	uint64_t foreign;
	uint64_t unexpected;
	uint64_t out_of_order;
	uint64_t flows_split;
	uint64_t bad_files;
};

static int usage(void)
{
	fprintf(stderr,
	    "usage: check_numbered " NUMBERED_OPTIONS_HELP
	    "\n  [--missing=N|any] [--only-flow=N] [--snaplen=N] [--ordered] [--whole-flows]\n"
	    "  [--microseconds] [--any-resolution] [--worker=N]\n"
	    "  [--cooked=IFINDEX:ARPHRD:DIRECTION] [--state=FILE] FILE...\n");

	return 64;
}

/* SENSOR-INTERFACE-WORKER-YYYYMMDDTHHMMSSZ: the number before the last such date. */
static int worker_of_name(const char *path)
{
	int worker = 0;

	for (const char *at = path; (at = strchr(at, '-')) != NULL; at++) {
		const char *digits = at;

		if (strspn(at + 1, "0123456789") != 8 || at[9] != 'T')
			continue;
		while (digits > path && isdigit((unsigned char)digits[-1]))
			digits--;
		worker = digits == at ? 0 : atoi(digits);
	}

	return worker;
}

static int add_file(struct check *check, const char *path)
{
	int worker = check->worker == ANY ? worker_of_name(path) : check->worker;

	check->files[check->file_count++] =
	    (struct file) { .path = path, .worker = worker % WORKERS_MAX };

	return 0;
}

static int parse_or_any(const char *text, int64_t *ret_value)
{
	uint64_t value;

	if (strcmp(text, "any") == 0) {
		*ret_value = ANY;
		return 0;
	}
	if (numbered_parse(text, &value) < 0)
		return -EINVAL;
	*ret_value = (int64_t)value;

	return 0;
}

static int parse_cooked(const char *text, struct cooked *ret_cooked)
{
	struct cooked cooked;

	if (sscanf(text, "%" SCNu32 ":%" SCNu16 ":%" SCNu8, &cooked.ifindex, &cooked.arphrd,
		&cooked.direction) != 3)
		return -EINVAL;
	*ret_cooked = cooked;

	return 0;
}

static int take_own(struct check *check, int option)
{
	int64_t worker = 0;

	switch (option) {
	case 1:
		return add_file(check, optarg);
	case '1':
		return parse_or_any(optarg, &check->missing_allowed);
	case '2':
		return parse_or_any(optarg, &check->only_flow);
	case '3':
		return numbered_parse(optarg, &check->snaplen);
	case '4':
		check->ordered = true;
		return 0;
	case '5':
		check->whole_flows = true;
		return 0;
	case '6':
		check->nanoseconds = false;
		return 0;
	case '9':
		check->any_resolution = true;
		return 0;
	case '7':
		if (parse_or_any(optarg, &worker) < 0)
			return -EINVAL;
		check->worker = (int)worker;
		return 0;
	case '8':
		return parse_cooked(optarg, &check->cooked);
	case '0':
		check->state = optarg;
		return 0;
	default:
		return numbered_option(&check->plan, option, optarg);
	}
}

static int parse(int argc, char **argv, struct check *check)
{
	static const struct option rows[] = {
		{ "missing", required_argument, NULL, '1' },
		{ "only-flow", required_argument, NULL, '2' },
		{ "snaplen", required_argument, NULL, '3' },
		{ "ordered", no_argument, NULL, '4' },
		{ "whole-flows", no_argument, NULL, '5' },
		{ "microseconds", no_argument, NULL, '6' },
		{ "any-resolution", no_argument, NULL, '9' },
		{ "worker", required_argument, NULL, '7' },
		{ "cooked", required_argument, NULL, '8' },
		{ "state", required_argument, NULL, '0' },
		NUMBERED_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	int option;

	/* "-": files come one by one as option 1, between the --worker that they belong to. */
	while ((option = getopt_long(argc, argv, "-", rows, NULL)) != -1)
		if (take_own(check, option) < 0)
			return -EINVAL;
	while (optind < argc)
		add_file(check, argv[optind++]);

	return 0;
}

static bool is_expected(const struct check *check, uint64_t number)
{
	if (number - check->plan.first >= check->plan.count)
		return false;

	return check->only_flow == ANY ||
	       numbered_flow(&check->plan, number) == (uint64_t)check->only_flow;
}

static void note_flow(struct check *check, uint64_t number, int worker)
{
	uint32_t flow = numbered_flow(&check->plan, number);

	if (check->flow_owner[flow] == 0)
		check->flow_owner[flow] = (uint16_t)(worker + 1);
	if (check->flow_owner[flow] != worker + 1 && !check->flow_split[flow]) {
		check->flow_split[flow] = 1;
		check->flows_split++;
	}
}

/* The header of LINKTYPE_LINUX_SLL2 in place of Ethernet's, of which type and source remain. */
static size_t cook(
    const struct cooked *cooked, uint8_t *record, const uint8_t *frame, size_t length)
{
	const uint8_t header[COOKED] = { frame[12], frame[13], 0, 0,
		(uint8_t)(cooked->ifindex >> 24), (uint8_t)(cooked->ifindex >> 16),
		(uint8_t)(cooked->ifindex >> 8), (uint8_t)cooked->ifindex,
		(uint8_t)(cooked->arphrd >> 8), (uint8_t)cooked->arphrd, cooked->direction, 6,
		frame[6], frame[7], frame[8], frame[9], frame[10], frame[11] };

	memcpy(record, header, COOKED);
	memcpy(record + COOKED, frame + ETHERNET, length - ETHERNET);

	return length - ETHERNET + COOKED;
}

static bool is_equal(const struct check *check, const struct pcap_record *record, uint64_t number)
{
	static uint8_t plain[NUMBERED_LENGTH_MAX], cooked[NUMBERED_LENGTH_MAX + COOKED];
	const uint8_t *frame = check->cooked.ifindex ? cooked : plain;
	size_t length = numbered_build(&check->plan, number, plain);
	size_t captured;

	if (check->cooked.ifindex)
		length = cook(&check->cooked, cooked, plain, length);
	captured = length < check->snaplen ? length : check->snaplen;

	return record->length == length && record->captured == captured &&
	       memcmp(record->bytes, frame, captured) == 0;
}

static bool was_found(const struct check *check, uint64_t bit)
{
	return check->found[bit / 8] & 1 << bit % 8;
}

static void check_record(
    struct check *check, const struct pcap_record *record, const struct file *file, uint64_t *last)
{
	/* From where Ethernet's header would begin. */
	const size_t more = check->cooked.ifindex ? COOKED - ETHERNET : 0;
	uint64_t number;
	uint64_t bit;

	if (!numbered_find(&check->plan, record->bytes + more,
		record->captured > more ? record->captured - more : 0, &number)) {
		check->foreign++;
		return;
	}
	if (!is_expected(check, number)) {
		check->unexpected++;
		return;
	}
	if (!is_equal(check, record, number))
		check->damaged++;
	bit = number - check->plan.first;
	if (was_found(check, bit))
		check->doubled++;
	check->found[bit / 8] |= (uint8_t)(1 << bit % 8);
	/* One sender: the ring's order is that of the numbers. */
	if (check->ordered && file->packets > 1 && number < *last)
		check->out_of_order++;
	*last = number;
	note_flow(check, number, file->worker);
}

static bool is_of_another(const struct cooked *cooked, const struct pcap_record *record)
{
	uint32_t ifindex;

	if (cooked->ifindex == 0 || record->captured < COOKED)
		return false;
	memcpy(&ifindex, record->bytes + 4, sizeof(ifindex));

	return ntohl(ifindex) != cooked->ifindex || record->bytes[10] != cooked->direction;
}

static void check_file(struct check *check, struct file *file)
{
	const uint32_t link_type = check->cooked.ifindex ? LINKTYPE_LINUX_SLL2 : LINKTYPE_ETHERNET;
	struct pcap_record record;
	struct pcap_file pcap;
	uint64_t last = 0;
	int r = pcap_file_open(file->path, &pcap);

	if (r < 0 || pcap.link_type != link_type ||
	    (!check->any_resolution && pcap.nanoseconds != check->nanoseconds)) {
		fprintf(stderr, "check_numbered: %s: not a file as asked for\n", file->path);
		check->bad_files++;
		return;
	}
	while ((r = pcap_file_next(&pcap, &record)) > 0) {
		if (is_of_another(&check->cooked, &record))
			continue;
		if (file->packets++ == 0)
			file->first_ns = record.time_ns;
		else if (check->ordered && record.time_ns < file->last_ns)
			check->out_of_order++;
		file->last_ns = record.time_ns;
		check_record(check, &record, file, &last);
	}
	if (r < 0) {
		fprintf(stderr, "check_numbered: %s: no whole record at %zu\n", file->path,
		    pcap.offset);
		check->bad_files++;
	}
	check->packets += file->packets;
	check->workers[file->worker] += file->packets;
}

static int by_worker_and_time(const void *left, const void *right)
{
	const struct file *a = left;
	const struct file *b = right;

	if (a->worker != b->worker)
		return a->worker < b->worker ? -1 : 1;

	return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

/* What ends in one file of a worker goes on in the next: they never overlap in time. */
static void check_sequence(struct check *check)
{
	qsort(check->files, check->file_count, sizeof(*check->files), by_worker_and_time);
	for (size_t i = 1; check->ordered && i < check->file_count; i++) {
		const struct file *file = &check->files[i];

		if (file->worker == file[-1].worker && file->first_ns < file[-1].last_ns)
			check->out_of_order++;
	}
}

/* Also what earlier calls found, when they did not know yet how many there would be. */
static void count_beyond(struct check *check)
{
	for (uint64_t bit = check->plan.count; bit < check->found_size * 8; bit++)
		check->unexpected += was_found(check, bit);
}

static void count_missing(struct check *check)
{
	for (uint64_t bit = 0; bit < check->plan.count; bit++) {
		if (!is_expected(check, check->plan.first + bit))
			continue;
		check->expected++;
		if (!was_found(check, bit))
			check->missing++;
	}
}

static void print_workers(const struct check *check)
{
	const char *separator = "";

	for (int worker = 0; worker < WORKERS_MAX; worker++) {
		if (check->workers[worker] == 0)
			continue;
		printf("%s\"%d\":%" PRIu64, separator, worker, check->workers[worker]);
		separator = ",";
	}
}

static int print_verdict(const struct check *check)
{
	const struct {
		const char *name;
		uint64_t value;
		bool is_fault;
	} rows[] = {
		{ "files", check->file_count, false },
		{ "packets", check->packets, false },
		{ "expected", check->expected, false },
		{ "missing", check->missing,
		    check->missing_allowed != ANY &&
			check->missing != (uint64_t)check->missing_allowed },
		{ "double", check->doubled, true },
		{ "damaged", check->damaged, true },
		{ "foreign", check->foreign, true },
		{ "unexpected", check->unexpected, true },
		{ "out_of_order", check->out_of_order, true },
		{ "flows_split", check->flows_split, check->whole_flows },
		{ "bad_files", check->bad_files, true },
	};
	int fault = 0;

	printf("{");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		printf("\"%s\":%" PRIu64 ",", rows[i].name, rows[i].value);
		if (rows[i].is_fault && rows[i].value != 0)
			fault = 1;
		/* A number of missing frames that was asked for may be wrong by being 0. */
		if (strcmp(rows[i].name, "missing") == 0 && rows[i].is_fault)
			fault = 1;
	}
	printf("\"workers\":{");
	print_workers(check);
	printf("}}\n");

	return fault;
}

/* Of a file that goes on from one call to the next, or of this one alone. */
static int open_found(struct check *check)
{
	int kind = check->state ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	CLEANUP(close_at)
	int fd = check->state ? open(check->state, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct stat status = { .st_size = 0 };

	check->found_size = check->plan.count / 8 + 1;
	if (check->state) {
		if (fd < 0 || fstat(fd, &status) < 0)
			return -errno;
		if ((size_t)status.st_size >= check->found_size)
			check->found_size = (size_t)status.st_size;
		else if (ftruncate(fd, (off_t)check->found_size) < 0)
			return -errno;
	}
	check->found = mmap(NULL, check->found_size, PROT_READ | PROT_WRITE, kind, fd, 0);
	return check->found == MAP_FAILED ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct check check = {
		.plan = NUMBERED_PLAN_DEFAULT,
		.only_flow = ANY,
		.snaplen = UINT32_MAX,
		.nanoseconds = true,
		.worker = ANY,
	};

	check.files = calloc((size_t)argc, sizeof(*check.files));
	if (check.files == NULL || parse(argc, argv, &check) < 0)
		return usage();
	check.flow_owner = calloc(check.plan.flows, sizeof(*check.flow_owner));
	check.flow_split = calloc(check.plan.flows, 1);
	if (open_found(&check) < 0 || check.flow_owner == NULL || check.flow_split == NULL)
		return 71;

	for (size_t i = 0; i < check.file_count; i++)
		check_file(&check, &check.files[i]);
	check_sequence(&check);
	count_missing(&check);
	count_beyond(&check);

	munmap(check.found, check.found_size);
	free(check.files);
	free(check.flow_owner);
	free(check.flow_split);

	return print_verdict(&check);
}
