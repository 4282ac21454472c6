/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "capture/link.h"
#include "capture/socket.h"
#include "config/config.h"
#include "tool/player.h"
#include "tool/verbs.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>

struct options {
	const char *interface;
	struct pace_plan pace;
	unsigned int timings; /* how many were given */
	uint64_t rounds, limit, version;
	bool preload, bypass, dry_run, json, help;
	char **paths;
	size_t path_count;
};

/* ---- options ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: fancap replay --interface IF [OPTION]... FILE...\n"
    "Sends capture files (pcap, pcapng; - is standard input) out of an interface, timed as\n"
    "recorded unless told otherwise. A packet that cannot be sent is counted with its reason.\n"
    "\n"
    "  --interface IF            send there; nothing is ever sent without this\n"
    "  --speed FACTOR            the recorded gaps, divided by this: 2, 0.5\n"
    "  --rate PPS                so many packets a second: 5000, 100k, 0.5\n"
    "  --bandwidth BITS          so many bits a second: 100Mbit\n"
    "  --as-fast-as-possible     without any gap\n"
    "  --loop N                  all files N times; 0: until Ctrl-C\n"
    "  --limit N                 end when N packets were sent; 0: no limit\n"
    "  --preload                 read all files into memory first\n"
    "  --bypass                  go around the queueing discipline\n"
    "  --ring-version 1|2|3      of the kernel's transmit ring; default 3\n"
    "  --dry-run                 say what would be sent and refused\n"
    "  --json                    the summary for machines\n"
    "  -h, --help\n"
    "\n"
    "Each file, and each round of --loop, begins where the one before ended. A packet is late\n"
    "that leaves a millisecond or more after its time.\n";

typedef bool take_function(struct options *options, const char *text);

static bool take_interface(struct options *options, const char *text)
{
	options->interface = text;
	return text[0] != 0;
}

static bool take_speed(struct options *options, const char *text)
{
	options->timings++;
	options->pace.mode = PACE_RECORDED;
	return units_parse_factor(text, &options->pace.value) == 0 && options->pace.value > 0;
}

static bool take_rate(struct options *options, const char *text)
{
	options->timings++;
	options->pace.mode = PACE_RATE;
	return units_parse_factor(text, &options->pace.value) == 0 && options->pace.value > 0;
}

static bool take_bandwidth(struct options *options, const char *text)
{
	options->timings++;
	options->pace.mode = PACE_BANDWIDTH;
	return units_parse_rate(text, &options->pace.value) == 0 && options->pace.value > 0;
}

static bool take_fast(struct options *options, const char *text)
{
	(void)text;
	options->timings++;
	options->pace = (struct pace_plan) { PACE_FAST, 1 };
	return true;
}

static bool take_loop(struct options *options, const char *text)
{
	return units_parse_number(text, &options->rounds) == 0;
}

static bool take_limit(struct options *options, const char *text)
{
	return units_parse_number(text, &options->limit) == 0;
}

static bool take_version(struct options *options, const char *text)
{
	return units_parse_number(text, &options->version) == 0 && options->version >= 1 &&
	       options->version <= 3;
}

static bool take_preload(struct options *options, const char *text)
{
	(void)text;
	return options->preload = true;
}

static bool take_bypass(struct options *options, const char *text)
{
	(void)text;
	return options->bypass = true;
}

static bool take_dry_run(struct options *options, const char *text)
{
	(void)text;
	return options->dry_run = true;
}

static bool take_json(struct options *options, const char *text)
{
	(void)text;
	return options->json = true;
}

static const struct {
	const char *name;
	take_function *take;
	const char *allowed; /* NULL: takes no value */
} rows[] = {
	{ "interface", take_interface, "the name of an interface" },
	{ "speed", take_speed, "a factor above 0, such as 2 or 0.5" },
	{ "rate", take_rate, "packets a second, such as 5000 or 100k" },
	{ "bandwidth", take_bandwidth, "bits a second, such as 100Mbit" },
	{ "as-fast-as-possible", take_fast, NULL },
	{ "loop", take_loop, "a number" },
	{ "limit", take_limit, "a number" },
	{ "preload", take_preload, NULL },
	{ "bypass", take_bypass, NULL },
	{ "ring-version", take_version, "1, 2 or 3" },
	{ "dry-run", take_dry_run, NULL },
	{ "json", take_json, NULL },
};

static int complain(const char *text)
{
	fprintf(stderr, "fancap: replay: %s\n", text);
	return EX_USAGE;
}

/* What no option says alone. */
static int check_options(const struct options *options)
{
	size_t pipes = 0;

	for (size_t i = 0; i < options->path_count; i++)
		pipes += strcmp(options->paths[i], "-") == 0;
	if (!options->interface)
		return complain("nothing is sent without --interface IF");
	if (options->path_count == 0)
		return complain("takes at least one FILE, or - for standard input");
	if (options->timings > 1)
		return complain("takes one of --speed, --rate, --bandwidth and "
				"--as-fast-as-possible");
	if (pipes > 1)
		return complain("standard input can be read once");
	if (pipes == 1 && options->rounds != 1 && !options->preload)
		return complain("standard input can be read once: --loop needs --preload");
	if (options->dry_run && options->rounds == 0)
		return complain("--dry-run with --loop 0 would never end");
	return 0;
}

static int parse_options(struct options *options, int argc, char **argv)
{
	struct option known[COUNT_OF(rows) + 2] = { 0 };
	int at, index;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		known[i] = (struct option) { rows[i].name,
			rows[i].allowed ? required_argument : no_argument, NULL, 0 };
	known[COUNT_OF(rows)] = (struct option) { "help", no_argument, NULL, 'h' };
	optind = 0;
	while ((at = getopt_long(argc, argv, "h", known, &index)) != -1) {
		if (at == 'h')
			return options->help = true, 0;
		if (at != 0)
			return EX_USAGE;
		if (rows[index].take(options, optarg))
			continue;
		fprintf(stderr, "fancap: replay: --%s %s: is not %s\n", rows[index].name, optarg,
		    rows[index].allowed);
		return EX_USAGE;
	}
	options->paths = argv + optind;
	options->path_count = (size_t)(argc - optind);
	return check_options(options);
}

/* ---- the interface ----------------------------------------------------------------------- */

static int status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return EX_NOPERM;
	case -ENOENT:
	case -ENOTDIR:
	case -EBADF: /* standard input that is closed */
	case -EISDIR:
		return EX_NOINPUT;
	case -ENODEV:
	case -ENXIO:
	case -ENETDOWN:
		return EX_UNAVAILABLE;
	case -EIO:
		return EX_IOERR;
	case -ESPIPE:
		return EX_USAGE;
	default:
		return EX_OSERR;
	}
}

static int look_at_interface(const char *name, struct refusal_limits *ret_limits, int *ret_ifindex)
{
	struct link_state link;
	int r = socket_interface(PLACE_OF(name), &link);

	if (strcmp(name, INTERFACE_ANY) == 0) {
		log_line(LOG_ERR, "%s: is all interfaces; one by its name", name);
		return -EOPNOTSUPP;
	}
	if (r == 0 && !link.is_up)
		r = -ENETDOWN;
	if (r == 0 && link_type_of(link.arphrd, &ret_limits->link_type) < 0) {
		log_line(LOG_ERR,
		    "%s: no recorded packet can be sent out of its type of link (ARPHRD_ %u)", name,
		    link.arphrd);
		return -EOPNOTSUPP;
	}
	if (r == -ENETDOWN)
		log_line(LOG_ERR, "%s: is down; ip link set %s up", name, name);
	else if (r < 0)
		log_failure(r, "%s: cannot find the interface", name);
	else if (!link.has_carrier)
		log_line(LOG_WARNING, "%s: has no carrier: what is sent gets nowhere", name);
	if (r < 0)
		return r;
	ret_limits->room = (struct link_room) {
		.header = (uint32_t)link_header_length(link.arphrd),
		.mtu = link.mtu,
	};
	*ret_ifindex = link.ifindex;
	return 0;
}

static int open_ring(
    const struct options *options, int ifindex, struct player_plan *player, int *fd)
{
	const struct transmit_plan plan = {
		.ifindex = ifindex,
		.version = (unsigned int)options->version,
		.room = player->limits.room,
		.bypass = options->bypass,
	};
	struct ring_fault fault;
	int r;

	*fd = socket_open(PLACE_OF(options->interface));
	if (*fd < 0)
		return log_failure(*fd, "%s: cannot open a packet socket%s", options->interface,
		    *fd == -EPERM ? "; it needs CAP_NET_RAW" : "");
	player->fd = *fd;
	r = transmit_open(&player->transmit, *fd, &plan, &fault);
	if (r < 0)
		return log_failure(r, "%s: cannot %s%s%s", options->interface, fault.purpose,
		    fault.remedy ? "; " : "", fault.remedy ? fault.remedy : "");
	return 0;
}

/* Ctrl-C becomes readable, so that it ends any wait, and none between two waits is missed. */
static int open_stop(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? log_failure(-errno, "cannot wait for signals") : fd;
}

/* ---- the summary ------------------------------------------------------------------------- */

static uint64_t refused_in_all(const struct player_counts *counts)
{
	uint64_t sum = 0;

	for (int i = 0; i < REFUSAL_COUNT_; i++)
		sum += counts->refused[i];
	return sum;
}

static void print_json(const struct player_counts *counts, bool dry_run)
{
	printf("{\"read\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"refused\":{",
	    counts->read, counts->sent, counts->bytes);
	for (int i = 0; i < REFUSAL_COUNT_; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", refusal_name((enum refusal)i),
		    counts->refused[i]);
	printf("},\"unsent\":%" PRIu64 ",\"late\":%" PRIu64 ",\"seconds\":%.6f,\"dry_run\":%s}\n",
	    counts->unsent, counts->late, (double)counts->took_ns / (double)NSEC_PER_SEC,
	    dry_run ? "true" : "false");
}

static void print_refusals(const struct player_counts *counts)
{
	const char *separator = ": ";

	printf("; %" PRIu64 " refused", refused_in_all(counts));
	for (int i = 0; i < REFUSAL_COUNT_; i++) {
		if (counts->refused[i] == 0)
			continue;
		printf("%s%" PRIu64 " %s", separator, counts->refused[i],
		    refusal_text((enum refusal)i));
		separator = ", ";
	}
}

static void print_text(const struct player_counts *counts, bool dry_run)
{
	double seconds = (double)counts->took_ns / (double)NSEC_PER_SEC;

	printf("%s %" PRIu64 " of %" PRIu64 " packets, %" PRIu64 " bytes",
	    dry_run ? "would send" : "sent", counts->sent, counts->read, counts->bytes);
	if (seconds > 0)
		printf(", in %.3f s (%.0f packet/s, %.3f Mbit/s)", seconds,
		    (double)counts->sent / seconds, (double)counts->bytes * 8 / 1e6 / seconds);
	print_refusals(counts);
	if (counts->unsent > 0)
		printf("; %" PRIu64 " not sent", counts->unsent);
	if (!dry_run)
		printf("; %" PRIu64 " late", counts->late);
	putchar('\n');
}

/* ---- the verb ---------------------------------------------------------------------------- */

static int play(const struct options *options, struct player *player)
{
	const struct playlist_plan plan = {
		.paths = options->paths,
		.count = options->path_count,
		.rounds = options->rounds,
		.preload = options->preload,
		.wait = player_wait_for,
		.look = player_is_stopped,
		.context = player,
	};
	struct playlist *playlist = NULL;
	int r = playlist_open(&playlist, &plan), status = 0;

	/* Who stopped it while files were read into memory gets the summary, too. */
	if (r == 0 || r == -EINTR) {
		r = r == 0 ? player_run(player, playlist) : 0;
		if (player->failure == -ENETDOWN || player->failure == -ENXIO)
			log_line(LOG_ERR, "%s: went %s while packets were sent", options->interface,
			    player->failure == -ENXIO ? "away" : "down");
		else if (player->failure < 0)
			log_failure(player->failure, "%s: cannot send", options->interface);
		if (options->json)
			print_json(&player->counts, options->dry_run);
		else
			print_text(&player->counts, options->dry_run);
		/* Who stopped it before the first packet got what they asked for. */
		if (r == 0 && player->counts.sent == 0 && !player->is_stopped)
			status = EX_DATAERR;
	}
	playlist_close(playlist);
	return r < 0 ? status_of(r) : status;
}

static int replay(const struct options *options)
{
	CLEANUP(close_at) int stop = -1, fd = -1;
	struct player_plan plan = {
		.interface = options->interface,
		.pace = options->pace,
		.limit = options->limit,
		.bypass = options->bypass,
		.has_progress = isatty(STDERR_FILENO),
	};
	struct player player;
	int ifindex = 0, status;
	int r = look_at_interface(options->interface, &plan.limits, &ifindex);

	if (r == 0 && !options->dry_run)
		r = open_ring(options, ifindex, &plan, &fd);
	if (r == 0)
		r = stop = open_stop();
	if (r < 0) {
		transmit_close(plan.transmit);
		return r == -EOPNOTSUPP ? EX_UNAVAILABLE : status_of(r);
	}
	plan.stop_fd = stop;
	player_begin(&player, &plan);
	status = play(options, &player);
	transmit_close(plan.transmit);
	return status;
}

int verb_replay(int argc, char **argv)
{
	struct options options = { .pace = { PACE_RECORDED, 1000000 }, .rounds = 1, .version = 3 };
	int status = parse_options(&options, argc, argv);

	if (status != 0)
		return status;
	if (options.help)
		return fputs(usage, stdout) < 0 ? EX_IOERR : 0;
	return replay(&options);
}
