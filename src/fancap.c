/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/log.h"
#include "base/streams.h"
#include "build.h"
#include "tool/verbs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int verb_help(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{ "check", verb_check, "say every fault of a configuration" },
	{ "status", verb_status, "show what a sensor has seen, dropped, written" },
	{ "list", verb_list, "show the finished files" },
	{ "hold", verb_hold, "keep the files of a time, whatever output.retain says" },
	{ "holds", verb_holds, "show what is held" },
	{ "release", verb_release, "hold it no more" },
	{ "on-close", verb_on_close, "run a program for each finished file" },
	{ "ring", verb_ring, "say what a ring takes, and how long it lasts" },
	{ "repair", verb_repair, "finish capture files that were left unfinished" },
	{ "replay", verb_replay, "send capture files through an interface" },
	{ "help", verb_help, "this" },
};

static int verb_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("usage: fancap VERB [SENSOR | --config FILE] [OPTION]... [FILE]...\n");
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	puts("\n`fancap VERB --help` tells a verb's options.");
	return 0;
}

/* Every verb has it, so that none needs to know of it. */
static bool asks_for_version(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
			return true;
	return false;
}

static int run(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	char name[64];

	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
		return verb_help(argc, argv);
	if (asks_for_version(argc, argv)) {
		puts("fancap " PACKAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		if (strcmp(verb, verbs[i].name) != 0)
			continue;
		/* As getopt_long() begins its own messages. */
		snprintf(name, sizeof(name), "fancap: %s", verb);
		argv[1] = name;
		return verbs[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "fancap: %s%s; `fancap help` names the verbs\n",
	    verb[0] ? "there is no verb " : "a verb is missing", verb);
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	int status;

	streams_fill();
	log_open("fancap");
	status = run(argc, argv);
	return streams_flush() < 0 && status == 0 ? EX_IOERR : status;
}
