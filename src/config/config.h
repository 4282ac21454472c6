/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A sensor's configuration, as SPEC section 3 names it.  Plain data: each module is given its own
 * section.  Sizes are in bytes, times in nanoseconds, shares in hundredths of a percent.
 */

/* The device that stands for all there are. */
#define INTERFACE_ANY "any"

enum missing_policy { MISSING_WAIT, MISSING_REFUSE };
enum fanout_mode {
	FANOUT_FLOW,
	FANOUT_HASH,
	FANOUT_LB,
	FANOUT_CPU,
	FANOUT_QUEUE,
	FANOUT_RANDOM,
	FANOUT_ROLLOVER,
	FANOUT_PROGRAM,
};
enum direction { DIRECTION_BOTH, DIRECTION_IN, DIRECTION_OUT };
enum link_kind { LINK_AUTO, LINK_COOKED };
enum timestamp_source { TIMESTAMP_SOFTWARE, TIMESTAMP_HARDWARE };
enum file_format { FORMAT_PCAP, FORMAT_PCAPNG };
enum file_resolution { RESOLUTION_NS, RESOLUTION_US };
enum compression { COMPRESSION_NONE, COMPRESSION_LZ4, COMPRESSION_ZSTD };
enum sync_policy { SYNC_NONE, SYNC_CLOSE, SYNC_BLOCK };
enum digest { DIGEST_NONE, DIGEST_SHA256 };

enum {
	WORKERS_MOST = 256,      /* of one interface */
	SENSOR_NAME_LENGTH = 32, /* at most, without the NUL */
	DEVICE_LENGTH = 15,      /* IFNAMSIZ without the NUL */
	NAMESPACE_LENGTH = 47,   /* with @ and a device's name, what the ledger has room for */
	/* For a block of the least size, which may take more room as a pcapng, with statistics, and
	 * more again as a frame that did not become smaller. */
	PCAPNG_STAGE_LEAST = 12288,
	/* What the libraries have; the least is 0, which is their own default. */
	LZ4_LEVEL_MOST = 12,
	ZSTD_LEVEL_MOST = 22,
	ON_CLOSE_PARALLEL_MOST = 64,
	SNAPLEN_MOST = 262144, /* tcpdump's and libpcap's own limit; 0 in the file means this */
};

struct interface_config {
	char *name;           /* what it is called everywhere: DEVICE, or NAMESPACE@DEVICE */
	char *device;         /* what the kernel calls it */
	char *namespace;      /* of `ip netns`, in which that is; "": our own */
	uint64_t workers;     /* 0: not given, to be settled at the start by the CPUs there are */
	uint64_t *cpus;       /* worker k is pinned to cpus[k % cpu_count] */
	size_t cpu_count;     /* 0: not pinned */
	unsigned int missing; /* enum missing_policy */
};

struct fanout_config {
	unsigned int mode; /* enum fanout_mode */
	char *program;
	bool rollover;
};

struct ring_config {
	uint64_t memory; /* of one worker */
	uint64_t block_size;
	uint64_t retire_timeout;
	bool memory_is_default; /* not given in the file */
};

struct capture_config {
	char *filter; /* "" is everything */
	uint64_t snaplen;
	bool promiscuous;
	unsigned int direction; /* enum direction */
	unsigned int link;      /* enum link_kind */
	unsigned int timestamp; /* enum timestamp_source */
};

struct rotate_config {
	uint64_t size;     /* 0 is never, for all three */
	uint64_t interval; /* aligned to the clock, in UTC */
	uint64_t packets;
};

struct retain_config {
	uint64_t size; /* 0 is no bound, for all four */
	uint64_t age;
	uint64_t files;
	uint64_t free;
	bool after_close;
};

struct output_config {
	char *directory; /* never empty once loaded */
	char *name;
	unsigned int format;      /* enum file_format */
	unsigned int resolution;  /* enum file_resolution */
	unsigned int compression; /* enum compression */
	uint64_t level;
	struct rotate_config rotate;
	struct retain_config retain;
	unsigned int sync; /* enum sync_policy */
	uint64_t stage;    /* of one worker */
	bool preallocate;
	bool index;
	unsigned int digest; /* enum digest */
	char **on_close;     /* a program and its arguments, NULL at the end */
	size_t on_close_count;
	uint64_t on_close_parallel;
};

struct report_config {
	uint64_t interval;
};

struct config {
	char *sensor; /* the file's name without .yaml */
	char *text;   /* of the file, as it was read, and how long it is */
	size_t length;
	struct interface_config *interfaces;
	size_t interface_count;
	struct fanout_config fanout;
	struct ring_config ring;
	struct capture_config capture;
	struct output_config output;
	struct report_config report;
};
