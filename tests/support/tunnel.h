/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Flows in tunnels: frames of many inner flows within one tunnel of each kind.  Both ends of all
 * layers change places in the way back; what a real tunnel chooses anew for each direction (source
 * ports, keys, labels) differs.  A frame says at its end whose it is.  Pure.
 */
enum {
	TUNNEL_LENGTH_MAX = 65535 + 64,
	TUNNEL_MARK = 16, /* bytes at the end of each frame */
};

/* How the inner ends of flow 0, 1, 2, … follow from each other. */
enum tunnel_ends {
	TUNNEL_PAIRED,   /* the same difference between both ends */
	TUNNEL_MIRRORED, /* one up, one down: the same sum */
	TUNNEL_PORTS,    /* two hosts, one port that counts */
};

struct tunnel_frame {
	unsigned int kind; /* 0 to tunnel_count() - 1 */
	uint32_t flow;
	bool back;
	enum tunnel_ends ends;
	size_t payload; /* bytes besides the mark */
};

size_t tunnel_count(void);
const char *tunnel_name(unsigned int kind);

/* How a kind's frames can be told apart: by what is in the tunnel, or only by their addresses. */
bool tunnel_has_ports(unsigned int kind);

/* Build a frame from its Ethernet header on, where there is room for TUNNEL_LENGTH_MAX. */
size_t tunnel_build(const struct tunnel_frame *frame, uint8_t *bytes);

/* What a frame's end says of it.  False where it says nothing. */
bool tunnel_find(const uint8_t *bytes, size_t length, struct tunnel_frame *ret_frame);
