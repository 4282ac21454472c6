/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/claim.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static bool is_that(const struct ledger_segment *segment, const char *name, uint64_t inode)
{
	/* A name that is only meant yet is taken by its own writer alone. */
	return segment->name[0] && (segment->inode == inode || segment->inode == 0) &&
	       strcmp(base_of(segment->name), base_of(name)) == 0;
}

bool claim_is_in(const struct ledger *ledger, const char *name, uint64_t inode)
{
	const struct ledger_header *header = ledger_header(ledger);

	for (uint32_t i = 0; i < header->worker_count; i++) {
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(ledger, i), &commit) == 0 &&
		    (is_that(&commit.open, name, inode) || is_that(&commit.closing, name, inode)))
			return true;
	}
	return false;
}

static bool look_at(int directory, const char *name, uint64_t inode, struct claim *claim)
{
	struct ledger *ledger = NULL;
	bool found;

	if (ledger_open(&ledger, directory) < 0)
		return false;
	found = claim_is_in(ledger, name, inode);
	if (found) {
		snprintf(claim->sensor, sizeof(claim->sensor), "%s", ledger_header(ledger)->sensor);
		claim->pid = atomic_load(&ledger_header(ledger)->pid);
	}
	ledger_close(ledger);
	return found;
}

/* Each directory in a directory, from sensors to the old lives in them. */
static bool search(
    int above, const char *name, uint64_t inode, unsigned int depth, struct claim *claim)
{
	CLEANUP(close_at) int again = openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	bool found = false;

	if (!directory)
		return false;
	(void)TAKE_FD(again);
	while (!found && (entry = readdir(directory))) {
		CLEANUP(close_at) int fd = -1;
		char below[sizeof(claim->place)];

		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		fd = openat(dirfd(directory), entry->d_name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		claim->place[0] = 0;
		found = look_at(fd, name, inode, claim) ||
			(depth > 0 && search(fd, name, inode, depth - 1, claim));
		snprintf(below, sizeof(below), "%s%s%.200s", entry->d_name,
		    claim->place[0] ? "/" : "", claim->place);
		memcpy(claim->place, below, sizeof(below));
	}
	closedir(directory);
	return found;
}

bool claim_find(int above, const char *name, uint64_t inode, struct claim *ret_claim)
{
	return search(above, name, inode, 1, ret_claim);
}

bool claim_find_in(int runtime, const char *name, uint64_t inode, struct claim *ret_claim)
{
	ret_claim->place[0] = 0;
	return look_at(runtime, name, inode, ret_claim) ||
	       search(runtime, name, inode, 0, ret_claim);
}
