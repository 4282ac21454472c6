/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/link.h"
#include "storage/reader.h"

/*
 * Why a packet of a recording cannot be sent through an interface.  Decided before it is queued,
 * since the kernel does not tell afterwards which one it refused.  Pure.
 */
enum refusal {
	REFUSAL_LINK_TYPE, /* recorded on another kind of link */
	REFUSAL_CUT,       /* not all of it was recorded */
	REFUSAL_TOO_SHORT, /* for the link's header */
	REFUSAL_TOO_LONG,  /* for the interface's MTU */
	REFUSAL_KERNEL,    /* what is only seen when it is sent */
	REFUSAL_COUNT_,
	REFUSAL_NONE = REFUSAL_COUNT_,
};

/* What an interface takes. */
struct refusal_limits {
	uint32_t link_type;
	struct link_room room;
};

enum refusal refusal_of(const struct refusal_limits *limits, const struct reader_record *record);

/* As JSON has it, and as a person reads it behind a number. */
const char *refusal_name(enum refusal refusal);
const char *refusal_text(enum refusal refusal);

/* The name of a link type, or NULL where it is not one of the usual. */
const char *refusal_link_name(uint32_t link_type);
