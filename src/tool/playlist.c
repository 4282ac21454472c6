/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/playlist.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* A moment's reading, of packets of any size. */
enum { LOOK_EACH = 1000, ASK_FROM = 64 << 20 };

/* A packet in memory: its bytes are found by their place, since the memory moves while it grows. */
struct kept {
	struct playlist_entry entry;
	size_t at;
};

struct playlist {
	struct playlist_plan plan;
	uint64_t round;
	bool has_packets; /* in this round; a round of none would be followed by others for ever */
	/* The recording that is read. */
	size_t number; /* of the next one */
	int fd;
	struct reader *reader;
	bool is_first;
	/* What was read before. */
	struct kept *kept;
	size_t kept_count, kept_capacity, kept_next;
	uint8_t *bytes;
	size_t size, capacity;
};

DEFINE_CLEANUP(struct playlist *, playlist_close)

static const char *path_of(const struct playlist *playlist)
{
	return playlist->plan.paths[playlist->number - 1];
}

static const char *name_of(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

static void end_recording(struct playlist *playlist)
{
	reader_close(playlist->reader);
	playlist->reader = NULL;
	close_at(&playlist->fd);
}

static int begin_recording(struct playlist *playlist)
{
	const char *path = playlist->plan.paths[playlist->number++];

	/* A pipe by name would else be waited for here, where nobody could end that. */
	playlist->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					      : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (playlist->fd < 0) {
		int r = log_failure(-errno, "%s: cannot open it", name_of(path));

		/* A socket, or a device that has no driver: it is there, and no file. */
		return r == -ENXIO || r == -ENODEV ? -ENOENT : r;
	}
	if (reader_open(&playlist->reader, playlist->fd) < 0)
		return log_failure(-ENOMEM, "%s: cannot read it", name_of(path));
	reader_on_wait(playlist->reader, playlist->plan.wait, playlist->plan.context);
	playlist->is_first = true;
	return 0;
}

/* What became of the recording: 0 where the next one may follow. */
static int judge_end(struct playlist *playlist, int result)
{
	if (result == -EINTR)
		return result;
	if (result == -EBADMSG && playlist->round == 0) {
		log_line(LOG_WARNING, "%s: at byte %" PRIu64 ": %s%s", name_of(path_of(playlist)),
		    reader_offset(playlist->reader), reader_fault(playlist->reader),
		    playlist->is_first ? "" : "; what stands before is used");
	}
	if (result < 0 && result != -EBADMSG)
		return log_failure(result, "%s: cannot read it", name_of(path_of(playlist)));
	return 0;
}

/* The next packet of this round, from the files. */
static int next_read(struct playlist *playlist, struct playlist_entry *entry)
{
	for (;;) {
		int r = 0;

		if (!playlist->reader && playlist->number == playlist->plan.count)
			return 0;
		if (!playlist->reader)
			r = begin_recording(playlist);
		if (r < 0)
			return r;
		r = reader_next(playlist->reader, &entry->record);
		if (r > 0) {
			entry->path = name_of(path_of(playlist));
			entry->is_first = playlist->is_first;
			playlist->is_first = false;
			return 1;
		}
		r = judge_end(playlist, r);
		end_recording(playlist);
		if (r < 0)
			return r;
	}
}

static int next_kept(struct playlist *playlist, struct playlist_entry *entry)
{
	const struct kept *kept;

	if (playlist->kept_next == playlist->kept_count)
		return 0;
	kept = &playlist->kept[playlist->kept_next++];
	*entry = kept->entry;
	entry->record.packet.bytes = playlist->bytes + kept->at;
	return 1;
}

/* Asking takes some time, and is for what is large. */
static bool is_beyond(uint64_t bytes)
{
	uint64_t available = bytes < ASK_FROM ? 0 : memory_available();

	return available > 0 && bytes > available;
}

/* Room for `needed` things in what has room for *capacity, or NULL. */
static void *grow(void *memory, size_t *capacity, size_t needed, size_t size)
{
	size_t wanted = MOST(*capacity, (size_t)4096);
	void *more;

	if (needed <= *capacity)
		return memory;
	while (wanted < needed)
		wanted *= 2;
	/* The kernel would rather end a process for it than refuse it: ours, or another. */
	if (is_beyond(((uint64_t)wanted - *capacity) * size))
		return NULL;
	more = reallocarray(memory, wanted, size);
	if (more)
		*capacity = wanted;
	return more;
}

static int make_room(struct playlist *playlist, size_t length)
{
	struct kept *kept = grow(playlist->kept, &playlist->kept_capacity, playlist->kept_count + 1,
	    sizeof(*playlist->kept));
	uint8_t *bytes;

	if (!kept)
		return -ENOMEM;
	playlist->kept = kept;
	bytes = grow(playlist->bytes, &playlist->capacity, playlist->size + length, 1);
	if (!bytes)
		return -ENOMEM;
	playlist->bytes = bytes;
	return 0;
}

static int keep(struct playlist *playlist, const struct playlist_entry *entry)
{
	/* One more than needed: what has no bytes has a place too. */
	const size_t length = entry->record.packet.captured_length;

	if (make_room(playlist, length + 1) < 0)
		return log_failure(
		    -ENOMEM, "cannot keep more than %zu packets in memory", playlist->kept_count);
	memcpy(playlist->bytes + playlist->size, entry->record.packet.bytes, length);
	playlist->kept[playlist->kept_count++] =
	    (struct kept) { .entry = *entry, .at = playlist->size };
	playlist->size += length;
	return 0;
}

static int preload(struct playlist *playlist)
{
	struct playlist_entry entry;
	int r;

	while ((r = next_read(playlist, &entry)) > 0) {
		r = keep(playlist, &entry);
		if (r == 0 && playlist->kept_count % LOOK_EACH == 0)
			r = playlist->plan.look(playlist->plan.context);
		if (r < 0)
			return r;
	}
	return r;
}

static int check_path(const struct playlist_plan *plan, const char *path)
{
	struct stat facts;

	if (access(path, R_OK) < 0 || stat(path, &facts) < 0)
		return log_failure(-errno, "%s: cannot open it", path);
	if (S_ISDIR(facts.st_mode))
		return log_failure(-EISDIR, "%s: cannot read it", path);
	if (S_ISFIFO(facts.st_mode) && plan->rounds != 1 && !plan->preload) {
		log_line(
		    LOG_ERR, "%s: is a pipe, which can be read once: --loop needs --preload", path);
		return -ESPIPE;
	}
	return 0;
}

/* A name that is wrong is told before anything is sent. */
static int check_paths(const struct playlist_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++)
		if (strcmp(plan->paths[i], "-") != 0)
			r = check_path(plan, plan->paths[i]);
	return r;
}

int playlist_open(struct playlist **ret_playlist, const struct playlist_plan *plan)
{
	CLEANUP(playlist_close_at) struct playlist *playlist = calloc(1, sizeof(*playlist));
	int r;

	if (!playlist)
		return log_failure(-ENOMEM, "cannot allocate a list of files");
	playlist->plan = *plan;
	playlist->fd = -1;
	r = check_paths(plan);
	if (r == 0 && plan->preload)
		r = preload(playlist);
	if (r < 0)
		return r;
	*ret_playlist = TAKE(playlist);
	return 0;
}

int playlist_next(struct playlist *playlist, struct playlist_entry *ret_entry)
{
	for (;;) {
		int r = playlist->plan.preload ? next_kept(playlist, ret_entry)
					       : next_read(playlist, ret_entry);

		playlist->has_packets |= r > 0;
		ret_entry->round = playlist->round;
		if (r != 0)
			return r;
		playlist->round++;
		if (!playlist->has_packets || playlist->round == playlist->plan.rounds)
			return 0;
		playlist->has_packets = false;
		playlist->number = 0;
		playlist->kept_next = 0;
	}
}

void playlist_close(struct playlist *playlist)
{
	if (!playlist)
		return;
	end_recording(playlist);
	free(playlist->kept);
	free(playlist->bytes);
	free(playlist);
}
