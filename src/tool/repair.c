/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "ledger/claim.h"
#include "storage/name.h"
#include "storage/reader.h"
#include "storage/repair.h"
#include "tool/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char usage[] =
    "usage: fancap repair [--dry-run] [--json] [--runtime-directory DIR] FILE...\n"
    "Finishes a file that was left unfinished (NAME.pcap.part, NAME.pcapng.zst.part): cuts what\n"
    "stands behind its last whole packet and gives it its name, or NAME-1 where that is taken.\n"
    "It never cuts a whole packet, and never removes or overwrites a file. Of other files it only\n"
    "says whether they are whole.\n"
    "\n"
    "  --dry-run                 only say what would be done\n"
    "  --json                    a line for each file, for machines\n"
    "  --runtime-directory DIR   of the sensor that may still want the file; default: those of\n"
    "                            all sensors, in /run/fancap\n"
    "  -h, --help\n"
    "\n"
    "The daemon does the same at its start, and enters those files in catalog.jsonl; what is\n"
    "repaired by hand is not entered there. A file that a sensor has open, or will go on with, is\n"
    "left alone.\n";

struct options {
	bool dry_run, json, help;
	const char *runtime_directory;
	char **paths;
	size_t path_count;
};

/* One file on its way through. */
struct job {
	const struct options *options;
	const char *path, *base; /* base: without folder, and without .part */
	struct claim claim;
	bool is_claimed;
	char name[PATH_MAX]; /* its final one */
};

/* ---- options ----------------------------------------------------------------------------- */

static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "runtime-directory", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'n')
			options->dry_run = true;
		else if (option == 'j')
			options->json = true;
		else if (option == 'r')
			options->runtime_directory = optarg;
		else if (option == 'h')
			return options->help = true, 0;
		else
			return EX_USAGE;
	}
	options->paths = argv + optind;
	options->path_count = (size_t)(argc - optind);
	if (options->path_count > 0)
		return 0;
	fprintf(stderr, "fancap: repair: takes at least one FILE\n");
	return EX_USAGE;
}

/* ---- what is said ------------------------------------------------------------------------ */

static int status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
	case -EROFS:
		return EX_NOPERM;
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ELOOP:
	case -EMEDIUMTYPE:
		return EX_NOINPUT;
	case -ENOMEM:
		return EX_OSERR;
	default:
		return EX_IOERR;
	}
}

static void print_json(
    const struct job *job, const char *verdict, const struct repair_report *report)
{
	printf("{\"file\":");
	json_quote(stdout, job->path);
	printf(",\"verdict\":\"%s\",\"name\":", verdict);
	if (job->name[0])
		json_quote(stdout, job->name);
	else
		printf("null");
	printf(",\"packets\":%" PRIu64 ",\"size\":%" PRIu64 ",\"whole\":%" PRIu64
	       ",\"cut\":%" PRIu64 ",\"fault\":",
	    report->packets, report->size, report->whole,
	    job->name[0] ? report->size - report->whole : 0);
	json_quote(stdout, report->fault);
	printf(",\"dry_run\":%s}\n", job->options->dry_run ? "true" : "false");
}

static int say_done(const struct job *job, const struct repair_report *report)
{
	bool dry_run = job->options->dry_run;
	uint64_t cut = report->size - report->whole;

	if (job->options->json)
		return 0;
	printf("%s: %s%s as %s: %" PRIu64 " packets", job->path, dry_run ? "would be " : "",
	    cut > 0 ? "repaired" : "finished", job->name, report->packets);
	if (cut > 0)
		printf("; %s %" PRIu64 " bytes behind byte %" PRIu64 " (%s)",
		    dry_run ? "would cut" : "cut", cut, report->whole, report->fault);
	if (report->added > 0)
		printf("; of these bytes, %" PRIu64 " packets %s a frame of their own",
		    report->moved, dry_run ? "would get" : "have");
	putchar('\n');
	return 0;
}

static int say_no_packet(const struct job *job, const struct repair_report *report)
{
	log_line(LOG_ERR, "%s: holds no whole packet (%s), and is left as it is", job->path,
	    report->fault[0] ? report->fault : "ends behind its header");
	return EX_DATAERR;
}

static int say_damaged(const struct job *job, const struct repair_report *report)
{
	log_line(LOG_ERR,
	    "%s: at byte %" PRIu64 ": %s, but packets go on at byte %" PRIu64
	    "; it is left as it is, since they would be cut; the %" PRIu64
	    " packets in front of it can be read",
	    job->path, report->whole, report->fault, report->next, report->packets);
	return EX_DATAERR;
}

static int say_foreign(const struct job *job, const struct repair_report *report)
{
	log_line(LOG_ERR, "%s: %s, and is left as it is", job->path, report->fault);
	return EX_DATAERR;
}

static int say_held(const struct job *job, const struct repair_report *report)
{
	(void)report;
	if (!job->is_claimed)
		log_line(LOG_ERR, "%s: is being written, and is left alone", job->path);
	else
		log_line(LOG_ERR,
		    "%s: sensor %s goes on with it, and has more of it in memory (%s); start that "
		    "sensor, or remove the ledger there to give that up",
		    job->path, job->claim.sensor, job->claim.place);
	return EX_OSERR;
}

static int (*const say[REPAIR_VERDICT_COUNT_])(const struct job *, const struct repair_report *) = {
	[REPAIR_DONE] = say_done,
	[REPAIR_NO_PACKET] = say_no_packet,
	[REPAIR_DAMAGED] = say_damaged,
	[REPAIR_FOREIGN] = say_foreign,
	[REPAIR_HELD] = say_held,
};

static int fail(const struct job *job, int error)
{
	if (error == -EMEDIUMTYPE)
		log_line(LOG_ERR, "%s: is no regular file", job->path);
	else if (error == -ELOOP)
		log_line(LOG_ERR, "%s: is a symbolic link; name the file itself", job->path);
	else
		(void)log_failure(error, "%s: cannot repair it", job->path);
	return status_of(error);
}

/* ---- finished files ---------------------------------------------------------------------- */

/* Only looked at: what is damaged in them was whole once, and may be of use to somebody. */
static int look_at_finished(struct job *job)
{
	CLEANUP(close_at) int fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct repair_report report = { .fault = "" };
	struct reader_record record;
	struct reader *reader = NULL;
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0)
		return fail(job, -errno);
	if (!S_ISREG(status.st_mode))
		return fail(job, -EMEDIUMTYPE);
	r = reader_open(&reader, fd);
	while (r >= 0 && (r = reader_next(reader, &record)) > 0)
		report.packets++;
	if (r < 0 && r != -EBADMSG) {
		reader_close(reader);
		return fail(job, r);
	}
	report.size = (uint64_t)status.st_size;
	report.whole = reader_offset(reader);
	report.fault = reader_fault(reader);
	if (job->options->json)
		print_json(job, r == 0 ? "whole" : "damaged", &report);
	else if (r == 0)
		printf("%s: is whole: %" PRIu64 " packets\n", job->path, report.packets);
	if (r < 0)
		log_line(LOG_ERR,
		    "%s: at byte %" PRIu64 ": %s, behind %" PRIu64
		    " packets; it is no unfinished file (NAME.pcap.part, NAME.pcapng.part or the "
		    "like), and is "
		    "left as it is",
		    job->path, report.whole, report.fault, report.packets);
	reader_close(reader);
	return r == 0 ? 0 : EX_DATAERR;
}

/* ---- unfinished files -------------------------------------------------------------------- */

static bool is_claimed(void *user, uint64_t inode)
{
	struct job *job = user;
	const char *path = job->options->runtime_directory;
	CLEANUP(close_at) int fd = open(path ? path : "/run/fancap", O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	job->is_claimed = path ? claim_find_in(fd, job->base, inode, &job->claim)
			       : claim_find(fd, job->base, inode, &job->claim);
	return job->is_claimed;
}

static int repair(struct job *job, const char *folder, size_t folder_length)
{
	CLEANUP(close_at)
	int directory = open(folder_length > 0 ? folder : ".", O_DIRECTORY | O_CLOEXEC);
	const struct repair_wish wish = {
		.dry_run = job->options->dry_run,
		.is_claimed = is_claimed,
		.user = job,
	};
	struct repair_report report;
	char final[NAME_MAX + 16];
	int r;

	if (directory < 0)
		return fail(job, -errno);
	r = repair_file(directory, job->base, &wish, &report);
	if (r < 0)
		return fail(job, r);
	if (report.verdict == REPAIR_DONE &&
	    name_number(final, sizeof(final), job->base, 0, report.number) == 0)
		snprintf(job->name, sizeof(job->name), "%.*s%s", (int)folder_length, folder, final);
	if (job->options->json)
		print_json(job, repair_verdict_name(report.verdict), &report);
	return say[report.verdict](job, &report);
}

/* The path's folder, with the slash behind it, and what is in it, without .part. */
static int take(const struct options *options, const char *path)
{
	struct job job = { .options = options, .path = path };
	size_t length = name_of_part(path);
	const char *slash = strrchr(path, '/');
	size_t folder_length = slash ? (size_t)(slash - path) + 1 : 0;
	char folder[PATH_MAX], base[NAME_MAX + 1];

	if (length == 0)
		return look_at_finished(&job);
	length -= folder_length;
	if (folder_length >= sizeof(folder) || length >= sizeof(base))
		return fail(&job, -ENAMETOOLONG);
	memcpy(folder, path, folder_length);
	folder[folder_length] = 0;
	memcpy(base, path + folder_length, length);
	base[length] = 0;
	job.base = base;
	return repair(&job, folder, folder_length);
}

int verb_repair(int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse_options(&options, argc, argv);

	if (status != 0)
		return status;
	if (options.help)
		return fputs(usage, stdout) < 0 ? EX_IOERR : 0;
	/* Each file for itself; the first fault is the status. */
	for (size_t i = 0; i < options.path_count; i++) {
		int one = take(&options, options.paths[i]);

		if (status == 0)
			status = one;
	}
	return status;
}
