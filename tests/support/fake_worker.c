/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/fake_worker.h"

#include "base/clock.h"
#include "capture/socket.h"
#include "control/channel.h"
#include "ledger/finished.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct play *play;

bool play_open(void)
{
	void *shared =
	    mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	play = shared == MAP_FAILED ? NULL : shared;
	return play != NULL;
}

struct fake {
	const struct heritage *heritage;
	bool beats;
	bool stops; /* does what a stop asks for */
};

/* As a worker does: a socket that others hold is still a member of its group. */
static void close_sockets_of_others(const struct heritage *heritage)
{
	for (int fd = 3; fd < 256; fd++) {
		int domain;
		socklen_t length = sizeof(domain);

		if (fd != heritage->socket &&
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
		    domain == AF_PACKET)
			close(fd);
	}
}

static unsigned int note_birth(const struct heritage *heritage)
{
	unsigned int life = atomic_fetch_add(&play->lives[heritage->worker], 1);

	close_sockets_of_others(heritage);

	if (life < LIVES) {
		atomic_store(&play->born_ns[heritage->worker][life], clock_monotonic_ns());
		atomic_store(&play->life[heritage->worker][life], (int)heritage->life);
		atomic_store(&play->poison[heritage->worker][life], heritage->poison);
		atomic_store(&play->cookie[heritage->worker][life],
		    heritage->socket < 0 ? 0 : socket_cookie(heritage->socket));
	}
	return life;
}

static void say(const struct heritage *heritage, enum message_kind kind)
{
	struct message message = { .kind = kind, .value = FAKE_GROUP };

	if (kind == MESSAGE_MAPPED || kind == MESSAGE_JOINED) {
		unsigned int step = atomic_fetch_add(&play->steps, 1);

		if (step < STEPS)
			play->said[step] =
			    (char)((kind == MESSAGE_MAPPED ? 'a' : 'A') + (int)heritage->worker);
	}
	(void)channel_send(heritage->channel, &message);
}

static void doze(unsigned int ms)
{
	(void)usleep(ms * 1000);
}

static void note_group(const struct heritage *heritage, const struct message *message)
{
	unsigned int life = atomic_load(&play->lives[heritage->worker]);

	if (life >= 1 && life <= LIVES)
		atomic_store(&play->asked[heritage->worker][life - 1], (int32_t)message->value);
}

/* As a good worker lives; returns its exit status. */
static int obey(const struct fake *fake)
{
	const struct heritage *heritage = fake->heritage;
	struct message message;
	int r;

	for (;;) {
		if (fake->beats)
			atomic_store(&heritage->record->heartbeat_ns, clock_monotonic_ns());
		r = channel_receive(heritage->channel, &message);
		if (r < 0 || getppid() != heritage->supervisor_pid)
			return 9;
		if (r == 0) {
			doze(2);
			continue;
		}
		if (message.kind == MESSAGE_JOIN) {
			note_group(heritage, &message);
			say(heritage, MESSAGE_JOINED);
		}
		if (message.kind == MESSAGE_STOP && fake->stops) {
			say(heritage, MESSAGE_STOPPED);
			return 0;
		}
	}
}

static int live_well(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = true };

	if (heritage->life == LIFE_FINISHES) {
		say(heritage, MESSAGE_STOPPED);
		return 0;
	}
	if (heritage->life == LIFE_TAKES_OVER) {
		say(heritage, MESSAGE_TOOK_OVER);
		return obey(&fake);
	}
	/* The last is the first to be mapped. */
	doze(20 * (WORKERS - heritage->worker));
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

int fake_good(const struct heritage *heritage)
{
	(void)note_birth(heritage);
	return live_well(heritage);
}

int fake_exits_at_once(const struct heritage *heritage)
{
	(void)note_birth(heritage);
	return 3;
}

int fake_hangs(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = false, .stops = true };

	if (note_birth(heritage) > 0 || heritage->worker != 1)
		return live_well(heritage);
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

int fake_never_comes_up(const struct heritage *heritage)
{
	if (note_birth(heritage) > 0 || heritage->worker != 1)
		return live_well(heritage);
	for (;;)
		(void)pause();
}

int fake_opens_on_a_slow_disk(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = true };

	if (heritage->worker != 1 || note_birth(heritage) > 0)
		return fake_good(heritage);
	atomic_store(&heritage->record->in_storage, 1);
	doze(600);
	atomic_store(&heritage->record->heartbeat_ns, clock_monotonic_ns());
	atomic_store(&heritage->record->in_storage, 0);
	doze(100);
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

int fake_opens_on_a_stuck_disk(const struct heritage *heritage)
{
	if (heritage->worker != 1 || note_birth(heritage) > 0)
		return fake_good(heritage);
	atomic_store(&heritage->record->in_storage, 1);
	for (;;)
		(void)pause();
}

int fake_speaks_nonsense(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = true };
	struct message message;

	if (note_birth(heritage) > 0 || heritage->worker != 1)
		return live_well(heritage);
	say(heritage, MESSAGE_MAPPED);
	for (;;) {
		if (channel_receive(heritage->channel, &message) > 0) {
			if (message.kind == MESSAGE_RUN)
				break;
			say(heritage, MESSAGE_JOINED);
		}
		doze(1);
	}
	if (play->nonsense == MESSAGE_COUNT_)
		(void)send(heritage->channel, "nonsense", 8, MSG_NOSIGNAL);
	else
		say(heritage, play->nonsense);
	/* Left alone, it would end in order, and be missed by nobody. */
	if (play->nonsense == MESSAGE_STOPPED)
		return 0;
	return obey(&fake);
}

int fake_joins_unasked(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = true };

	if (note_birth(heritage) > 0 || heritage->worker != 1)
		return live_well(heritage);
	say(heritage, MESSAGE_MAPPED);
	say(heritage, MESSAGE_JOINED);
	return obey(&fake);
}

int fake_fails(const struct heritage *heritage)
{
	struct message message = { .kind = MESSAGE_FAILED, .error = -EBUSY, .text = "do it" };

	(void)note_birth(heritage);
	(void)channel_send(heritage->channel, &message);
	return 1;
}

int fake_loses(const struct heritage *heritage)
{
	struct message message = { .kind = MESSAGE_LOST, .error = -EINVAL, .text = "map it" };

	if (heritage->life != LIFE_TAKES_OVER)
		return fake_good(heritage);
	(void)note_birth(heritage);
	(void)channel_send(heritage->channel, &message);
	return 1;
}

int fake_dies_of_a_block(const struct heritage *heritage)
{
	if (heritage->worker != 1 || heritage->poison == FAKE_BLOCK)
		return fake_good(heritage);
	if (heritage->life == LIFE_BEGINS) {
		const struct fake fake = { heritage, .beats = true, .stops = true };

		(void)note_birth(heritage);
		atomic_store(&heritage->record->leased, FAKE_BLOCK);
		say(heritage, MESSAGE_MAPPED);
		return obey(&fake);
	}
	(void)note_birth(heritage);
	atomic_store(&heritage->record->leased, FAKE_BLOCK);
	say(heritage, MESSAGE_TOOK_OVER);
	/* cmocka catches it. */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)kill(getpid(), SIGSEGV);
	return 0;
}

int fake_dies_while_stopping(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = false };

	if (heritage->worker != 1)
		return fake_good(heritage);
	if (note_birth(heritage) > 0)
		return 4; /* the life that was to finish */
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

int fake_never_stops(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = false };

	if (note_birth(heritage) > 0)
		return 4;
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

static void finish_file(const struct heritage *heritage, uint64_t number)
{
	const struct ledger_finished file = { .number = number, .name = "same.pcap", .inode = 5 };

	ledger_finished_write(heritage->record, &file);
}

/* The first of them says no word of it, and the second writes the same again. */
int fake_finishes_files(const struct heritage *heritage)
{
	const struct fake fake = { heritage, .beats = true, .stops = true };
	unsigned int life;

	if (heritage->worker != 1)
		return fake_good(heritage);
	life = note_birth(heritage);
	finish_file(heritage, 1);
	if (life == 0)
		return 5;
	finish_file(heritage, 2);
	say(heritage, MESSAGE_FINISHED);
	say(heritage, MESSAGE_MAPPED);
	return obey(&fake);
}

int fake_joins_into_the_stop(const struct heritage *heritage)
{
	struct message message;

	(void)note_birth(heritage);
	say(heritage, MESSAGE_MAPPED);
	while (channel_receive(heritage->channel, &message) == 0 || message.kind != MESSAGE_STOP) {
		atomic_store(&heritage->record->heartbeat_ns, clock_monotonic_ns());
		doze(1);
	}
	say(heritage, MESSAGE_JOINED);
	doze(50);
	say(heritage, MESSAGE_STOPPED);
	return 0;
}
