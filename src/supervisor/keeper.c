/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/keeper.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "capture/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static const char prefix[] = "ring.";
/* Half of what WatchdogSec= leaves to the loop that waits here. */
static const uint64_t settle_us = 5000000;

struct keeper {
	size_t count;
	struct kept {
		struct keeper_ring ring;
		int fd; /* -1: claimed */
	} kept[];
};

void keeper_name(char name[KEEPER_NAME_SIZE], const struct keeper_ring *ring)
{
	snprintf(name, KEEPER_NAME_SIZE, "%s%s.%" PRIu32 ".%" PRIu32, prefix, ring->interface,
	    ring->generation, ring->worker);
}

/* The number behind the last dot of text[0..*length), which is cut off. */
static int cut_number(const char *text, size_t *length, uint32_t *ret_number)
{
	size_t at = *length;
	uint64_t number = 0;

	while (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9')
		at--;
	if (at == *length || at == 0 || text[at - 1] != '.' || *length - at > 10)
		return -EINVAL;
	for (size_t i = at; i < *length; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (number > UINT32_MAX)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	*length = at - 1;
	return 0;
}

int keeper_parse(const char *name, struct keeper_ring *ret_ring)
{
	struct keeper_ring ring = { 0 };
	size_t skip = strlen(prefix), length;

	if (strncmp(name, prefix, skip) != 0)
		return -EINVAL;
	name += skip;
	length = strlen(name);
	if (cut_number(name, &length, &ring.worker) < 0 ||
	    cut_number(name, &length, &ring.generation) < 0)
		return -EINVAL;
	if (length == 0 || length >= sizeof(ring.interface))
		return -EINVAL;
	memcpy(ring.interface, name, length);
	*ret_ring = ring;
	return 0;
}

/* ---- to the store ------------------------------------------------------------------------ */

static void remove_name(const char *name)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void keeper_store(const struct keeper_ring *ring, int fd)
{
	char name[KEEPER_NAME_SIZE], text[KEEPER_NAME_SIZE + 32];

	keeper_name(name, ring);
	/* Without FDPOLL=0 a link that goes down has the service manager drop the socket. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=%d\nFDNAME=%s", LACKS(FDPOLL),
	    LACKS(NAMES) ? "ring.any.0.0" : name);
	(void)sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

void keeper_remove(const struct keeper_ring *ring)
{
	char name[KEEPER_NAME_SIZE];

	keeper_name(name, ring);
	remove_name(name);
}

bool keeper_holds(uint32_t size, uint64_t workers)
{
	const uint64_t least = 2 * workers;

	if (size >= least)
		return true;
	log_line(LOG_WARNING,
	    "descriptor store: the unit keeps %" PRIu32 " descriptors, and there are %" PRIu64
	    " workers, or twice as many while they change: a restart will lose packets; "
	    "FileDescriptorStoreMax=%" PRIu64 " in a drop-in would be right",
	    size, workers, least);
	return false;
}

bool keeper_has_room(uint32_t size, uint64_t kept, uint64_t coming)
{
	/* Where it does not hold what there is, a restart loses packets already, which was told. */
	if (size == 0 || kept > size || kept + coming <= size)
		return true;
	log_line(LOG_ERR,
	    "descriptor store: the unit keeps %" PRIu32 " descriptors, and while %" PRIu64
	    " workers come there would be %" PRIu64 ": a supervisor that dies then would lose "
	    "packets; FileDescriptorStoreMax=%" PRIu64 " in a drop-in would be right",
	    size, coming, kept + coming, kept + coming);
	return false;
}

int keeper_settle(void)
{
	int r = LACKS(BARRIER) ? 0 : sd_notify_barrier(0, settle_us);

	return r < 0 ? r : 0;
}

/* ---- from the store ---------------------------------------------------------------------- */

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

bool keeper_finds_rings(void)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(0, &names);
	struct keeper_ring ring;
	bool is_found = false;

	for (int i = 0; i < count && !is_found; i++)
		is_found = keeper_parse(names[i], &ring) == 0;
	free_names(names);
	return is_found;
}

static void take(struct keeper *keeper, int fd, const char *name)
{
	struct kept *kept = &keeper->kept[keeper->count];

	if (keeper_parse(name, &kept->ring) == 0) {
		kept->fd = fd;
		keeper->count++;
		return;
	}
	log_line(LOG_WARNING, "descriptor store: %s is no ring of ours, and closed", name);
	close(fd);
	remove_name(name);
}

int keeper_open(struct keeper **ret_keeper)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	struct keeper *keeper;

	if (count < 0)
		return log_failure(count, "descriptor store: cannot take what it kept");
	keeper = calloc(1, sizeof(*keeper) + (size_t)count * sizeof(keeper->kept[0]));
	if (!keeper) {
		free_names(names);
		return log_failure(-ENOMEM, "descriptor store: cannot take what it kept");
	}
	for (int i = 0; i < count; i++)
		take(keeper, SD_LISTEN_FDS_START + i, names[i]);
	free_names(names);
	*ret_keeper = keeper;
	return 0;
}

size_t keeper_count(const struct keeper *keeper)
{
	size_t count = 0;

	for (size_t i = 0; keeper && i < keeper->count; i++)
		count += keeper->kept[i].fd >= 0;
	return count;
}

static bool is_same(const struct keeper_ring *a, const struct keeper_ring *b)
{
	return a->generation == b->generation && a->worker == b->worker &&
	       strcmp(a->interface, b->interface) == 0;
}

int keeper_claim(struct keeper *keeper, const struct keeper_ring *ring)
{
	for (size_t i = 0; i < keeper->count; i++)
		if (keeper->kept[i].fd >= 0 && is_same(&keeper->kept[i].ring, ring))
			return TAKE_FD(keeper->kept[i].fd);
	return -1;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	for (size_t i = 0; i < keeper->count; i++)
		close_at(&keeper->kept[i].fd);
	free(keeper);
}

/* What nobody will read is counted at least: as far as no worker had asked for it before. */
static void tell_dropped(const char *name, int fd)
{
	struct ledger_statistics lost = { 0 };

	if (socket_statistics(fd, &lost) == 0)
		log_line(LOG_WARNING,
		    "descriptor store: %s does not fit the configuration or the ledger; it is "
		    "closed, with %" PRIu32 " packets that came since the last worker looked",
		    name, lost.packets - lost.drops);
	else
		log_line(LOG_WARNING, "descriptor store: %s is no packet socket, and closed", name);
}

void keeper_drop(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++) {
		const struct kept *kept = &keeper->kept[i];
		char name[KEEPER_NAME_SIZE];

		if (kept->fd < 0)
			continue;
		keeper_name(name, &kept->ring);
		tell_dropped(name, kept->fd);
		remove_name(name);
	}
	keeper_free(keeper);
}
