/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * What a worker tells of blocks and files, entered in catalog and journal.  All log.
 */

/* Enter what its record has, and the catalog does not. */
void news_finished(struct group *group, struct child *child);

/* The same, where an earlier life of the supervisor may have entered the first of it. */
void news_inherited(struct group *group, struct child *child);

/* It goes on in the ring of the life before. */
void news_took_over(struct group *group, struct child *child, const struct message *message);

/* The storage refuses data. */
void news_refused(struct group *group, struct child *child, const struct message *message);

/* It takes data again. */
void news_works(struct group *group, struct child *child, const struct message *message);

/* A ring block does not hold together. */
void news_damaged(struct group *group, struct child *child, const struct message *message);

/* A block that two have died of is out of the way. */
void news_set_aside(struct group *group, struct child *child, const struct message *message);

/* What was its share was let in by nobody, from then until now. */
void news_gap(const struct group *group, const struct child *child, uint64_t since_utc_ns);

/* It was killed, and does not end. */
void news_frozen(const struct group *group, const struct child *child);

/* Its rings wait for less than a worker may hang. */
void news_patience(const struct group *group);

/*
 * That its link type is not known, where that is so; what its device does to packets, what it lost,
 * and whether its clock is right.
 */
void news_device(struct group *group);
