/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/ring.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/filter.h"
#include "capture/program.h"
#include "capture/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct ring {
	int fd;
	struct geometry geometry;
	struct ring_seat seat;
	uint8_t *bytes;
	size_t size;
	uint32_t next; /* index of the block to lease */
	uint64_t done; /* number of the block before, as far as ring_adopt() was told */
	bool is_lost;  /* the next is the oldest that the kernel has handed over */
	uint16_t group;
};

DEFINE_CLEANUP(struct ring *, ring_close)

struct step {
	int (*run)(struct ring *);
	const char *purpose;
	const char *remedy;
};

static int set_option(
    const struct ring *ring, int level, int option, const void *value, size_t size)
{
	return setsockopt(ring->fd, level, option, value, (socklen_t)size) < 0 ? -errno : 0;
}

static int choose_version(struct ring *ring)
{
	const int version = TPACKET_V3;

	return set_option(ring, SOL_PACKET, PACKET_VERSION, &version, sizeof(version));
}

/* The stack stamps each packet on arrival then, so that all sockets see one stamp of it. */
static int ask_for_stamps(struct ring *ring)
{
	const int on = 1;

	return set_option(ring, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

static int create_blocks(struct ring *ring)
{
	const struct tpacket_req3 request = {
		.tp_block_size = ring->geometry.block_size,
		.tp_block_nr = ring->geometry.block_count,
		.tp_frame_size = ring->geometry.frame_size,
		.tp_frame_nr = ring->geometry.frame_count,
		.tp_retire_blk_tov = ring->geometry.retire_timeout_ms,
	};

	return set_option(ring, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request));
}

static int map_blocks(struct ring *ring)
{
	size_t size = (size_t)ring->geometry.block_size * ring->geometry.block_count;
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	ring->bytes = bytes;
	ring->size = size;
	/* A core dump delays the reap, and holds packets. */
	(void)madvise(bytes, size, MADV_DONTDUMP);
	return 0;
}

static int refuse_everything(struct ring *ring)
{
	return filter_attach(ring->fd, &filter_refuse_all);
}

/*
 * Which of a packet's stamps the ring takes; the device's only where it has one.  Before Linux 5.14
 * tpacket_rcv() took not even the stack's own unless asked, but the time of the copy.
 */
static int choose_stamps(struct ring *ring)
{
	const int source =
	    SOF_TIMESTAMPING_SOFTWARE |
	    (ring->seat.timestamp == TIMESTAMP_HARDWARE ? SOF_TIMESTAMPING_RAW_HARDWARE : 0);

	return set_option(ring, SOL_PACKET, PACKET_TIMESTAMP, &source, sizeof(source));
}

static int bind_interface(struct ring *ring)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ring->seat.ifindex,
	};

	return bind(ring->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* Type and flags, or -EOPNOTSUPP: the type of number 0 is hash, which was not asked for. */
static int fanout_type(const struct ring_seat *seat, uint16_t *ret_type)
{
	static const struct {
		bool is_known;
		uint16_t type;
	} modes[] = {
		[FANOUT_HASH] = { true, PACKET_FANOUT_HASH },
		[FANOUT_LB] = { true, PACKET_FANOUT_LB },
		[FANOUT_ROLLOVER] = { true, PACKET_FANOUT_ROLLOVER },
	};

	if (program_runs(seat->mode))
		*ret_type = PACKET_FANOUT_CBPF;
	else if (seat->mode < COUNT_OF(modes) && modes[seat->mode].is_known)
		*ret_type = modes[seat->mode].type;
	else
		return -EOPNOTSUPP;
	if (seat->rollover)
		*ret_type |= PACKET_FANOUT_FLAG_ROLLOVER;
	if (seat->group == RING_NEW_GROUP)
		*ret_type |= PACKET_FANOUT_FLAG_UNIQUEID;
	return 0;
}

static int join_fanout(struct ring *ring)
{
	struct fanout_args arguments = {
		.id = ring->seat.group == RING_NEW_GROUP ? 0 : (uint16_t)ring->seat.group,
		/* Room for as many again, that take over before the first leave. */
		.max_num_members = MOST(2 * ring->seat.member_count, 256U),
	};
	uint32_t answer = 0;
	socklen_t length = sizeof(answer);
	int r = fanout_type(&ring->seat, &arguments.type_flags);

	if (r < 0)
		return r;
	r = set_option(ring, SOL_PACKET, PACKET_FANOUT, &arguments, sizeof(arguments));
	/* Older kernels take its first word only; a group holds 256 then. */
	if (r == -EINVAL)
		r = set_option(ring, SOL_PACKET, PACKET_FANOUT, &arguments, sizeof(answer));
	if (r < 0)
		return r;
	if (getsockopt(ring->fd, SOL_PACKET, PACKET_FANOUT, &answer, &length) < 0)
		return -errno;
	ring->group = (uint16_t)(answer & 0xffff);
	return 0;
}

static int see_everything(struct ring *ring)
{
	return ring->seat.promiscuous ? socket_set_promiscuous(ring->fd, ring->seat.ifindex, true)
				      : 0;
}

/* Nothing is received before the socket is bound, so that these may run beside each other. */
static const struct step opening_steps[] = {
	{ choose_version, "select TPACKET_V3", "Linux 5.10 or newer has it" },
	{ ask_for_stamps, "ask for nanosecond stamps", NULL },
	{ create_blocks, "create the ring",
	    "less ring.memory, or a smaller ring.block_size where memory is in pieces" },
	{ map_blocks, "map the ring", NULL },
};

/* Between bind and fanout packets would reach every member, so all is refused before. */
static const struct step joining_steps[] = {
	{ refuse_everything, "attach a filter that refuses everything", NULL },
	{ choose_stamps, "choose whose stamps to take", NULL },
	{ bind_interface, "bind to the interface", NULL },
	{ join_fanout, "join the fanout group", "the interface must be up" },
	{ see_everything, "make the interface promiscuous", NULL },
};

static int run_steps(
    struct ring *ring, const struct step *steps, size_t count, struct ring_fault *ret_fault)
{
	for (size_t i = 0; i < count; i++) {
		int r = steps[i].run(ring);

		if (r < 0) {
			*ret_fault = (struct ring_fault) { steps[i].purpose, steps[i].remedy };
			return r;
		}
	}
	return 0;
}

static struct ring *make(int fd, const struct geometry *geometry, struct ring_fault *ret_fault)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	*ret_fault = (struct ring_fault) { "allocate a ring", NULL };
	if (!ring)
		return NULL;
	ring->fd = fd;
	ring->geometry = *geometry;
	return ring;
}

int ring_open(
    struct ring **ret_ring, int fd, const struct geometry *geometry, struct ring_fault *ret_fault)
{
	CLEANUP(ring_close_at) struct ring *ring = make(fd, geometry, ret_fault);
	int r;

	if (!ring)
		return -ENOMEM;
	r = run_steps(ring, opening_steps, COUNT_OF(opening_steps), ret_fault);
	if (r < 0)
		return r;
	*ret_ring = TAKE(ring);
	return 0;
}

int ring_join(struct ring *ring, const struct ring_seat *seat, uint16_t *ret_group,
    struct ring_fault *ret_fault)
{
	int r;

	ring->seat = *seat;
	r = run_steps(ring, joining_steps, COUNT_OF(joining_steps), ret_fault);
	if (r == 0)
		*ret_group = ring->group;
	return r;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static struct tpacket_block_desc *block_at(const struct ring *ring, uint32_t index)
{
	void *block = ring->bytes + (size_t)index * ring->geometry.block_size;

	return block;
}

static bool is_handed_over(const struct ring *ring, uint32_t index)
{
	return __atomic_load_n(&block_at(ring, index)->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
	       TP_STATUS_USER;
}

static void give_back(const struct ring *ring, uint32_t index)
{
	__atomic_store_n(
	    &block_at(ring, index)->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

static uint64_t number_at(const struct ring *ring, uint32_t index)
{
	return block_at(ring, index)->hdr.bh1.seq_num;
}

/* Numbers only grow, so that it is the one of the least; 0 where none has been handed over. */
static uint64_t find_oldest(struct ring *ring)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t i = 0; i < ring->geometry.block_count; i++) {
		if (!is_handed_over(ring, i) || number_at(ring, i) >= oldest)
			continue;
		oldest = number_at(ring, i);
		ring->next = i;
	}
	return oldest == UINT64_MAX ? 0 : oldest;
}

void *ring_lease(struct ring *ring, size_t *ret_size, uint64_t *ret_number)
{
	struct tpacket_block_desc *block;
	uint32_t length;

	if (__builtin_expect(ring->is_lost, 0) && find_oldest(ring) > 0)
		ring->is_lost = false;
	if (!is_handed_over(ring, ring->next))
		return NULL;
	block = block_at(ring, ring->next);
	length = block->hdr.bh1.blk_len;
	*ret_size = LEAST(length, ring->geometry.block_size);
	*ret_number = block->hdr.bh1.seq_num;
	return block;
}

void ring_release(struct ring *ring)
{
	give_back(ring, ring->next);
	ring->next = (ring->next + 1) % ring->geometry.block_count;
}

/* ---- a ring that is there already -------------------------------------------------------- */

/* Returns whether the ring agrees with that place. */
static bool take_place(struct ring *ring, uint64_t done)
{
	uint64_t oldest = find_oldest(ring);

	if (oldest == 0) {
		/* The next lies where its number says: the kernel has yet to hand it over. */
		ring->is_lost = done == RING_PLACE_UNKNOWN;
		ring->done = done;
		ring->next = (uint32_t)(done % ring->geometry.block_count);
	} else if (oldest == done) {
		ring_release(ring);
	}
	return oldest == 0 ? !ring->is_lost : oldest == done || oldest == done + 1;
}

int ring_adopt(struct ring **ret_ring, int fd, const struct geometry *geometry, uint64_t done,
    struct ring_fault *ret_fault)
{
	static const struct step step = { map_blocks, "map the ring that is there", NULL };
	CLEANUP(ring_close_at) struct ring *ring = make(fd, geometry, ret_fault);
	int r;

	if (!ring)
		return -ENOMEM;
	r = run_steps(ring, &step, 1, ret_fault);
	if (r < 0)
		return r;
	r = !take_place(ring, done);
	*ret_ring = TAKE(ring);
	return r;
}

uint32_t ring_waiting(const struct ring *ring, uint64_t *ret_next)
{
	const uint32_t count = ring->geometry.block_count;
	uint32_t waiting = 0;

	while (waiting < count && is_handed_over(ring, (ring->next + waiting) % count))
		waiting++;
	if (waiting > 0)
		*ret_next = number_at(ring, ring->next);
	else
		*ret_next = ring->is_lost ? 0 : ring->done + 1;
	return waiting;
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->bytes)
		munmap(ring->bytes, ring->size);
	free(ring);
}
