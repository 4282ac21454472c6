/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/filter.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sock_filter refuse[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
const struct filter filter_refuse_all = { refuse, 1 };

enum {
	PREFIX_LENGTH = 3,
	LIVE_BUFFER = 64 * 1024, /* of a handle that never reads */
	COMPILE_SECONDS = 2,     /* of CPU; the service manager's watchdog waits for 10 */
};

static const char *const too_long = "longer than the 4096 instructions that the kernel takes";
static const char *const too_costly =
    "takes libpcap more than 2 s to compile; fewer terms, such as net and portrange in place of "
    "many hosts and ports";

static inline void close_handle(pcap_t *handle)
{
	if (handle)
		pcap_close(handle);
}

DEFINE_CLEANUP(pcap_t *, close_handle)

static int say(char **ret_reason, const char *text, int error)
{
	*ret_reason = strdup(text);
	return error;
}

static bool is_empty(const char *text)
{
	return text[strspn(text, " \t\r\n")] == 0;
}

/* Which packets of a direction are refused: SKF_AD_PKTTYPE says where a packet was seen. */
static size_t put_direction(
    struct sock_filter *to, const struct capture_config *capture, bool is_loopback)
{
	bool only_outgoing = capture->direction == DIRECTION_OUT;
	bool no_outgoing = capture->direction == DIRECTION_IN ||
			   (capture->direction == DIRECTION_BOTH && is_loopback);
	const struct sock_filter load =
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	const struct sock_filter test = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING,
	    only_outgoing ? 1 : 0, only_outgoing ? 0 : 1);

	if (!only_outgoing && !no_outgoing)
		return 0;
	to[0] = load;
	to[1] = test;
	to[2] = refuse[0];
	return PREFIX_LENGTH;
}

struct live {
	const char *device;
	int snaplen;
	pcap_t *handle;
	char message[PCAP_ERRBUF_SIZE];
};

/* Its handle makes sockets, which belong to the namespace that is visited. */
static int activate(void *user)
{
	struct live *live = user;
	CLEANUP(close_handle_at) pcap_t *handle = pcap_create(live->device, live->message);

	if (!handle)
		return -EIO;
	(void)pcap_set_snaplen(handle, live->snaplen);
	(void)pcap_set_promisc(handle, 0);
	(void)pcap_set_buffer_size(handle, LIVE_BUFFER);
	if (pcap_activate(handle) < 0) {
		snprintf(live->message, sizeof(live->message), "%s", pcap_geterr(handle));
		return -EIO;
	}
	live->handle = TAKE(handle);
	return 0;
}

static int open_live(pcap_t **ret_handle, const struct place *place, int snaplen, char **ret_reason)
{
	struct live live = { .device = place->device, .snaplen = snaplen };
	int r = place_visit(place, activate, &live);
	CLEANUP(close_handle_at) pcap_t *handle = live.handle;

	if (r < 0)
		return say(ret_reason, live.message[0] ? live.message : strerror(-r), r);
	/* Its code would look where our packets, which have their link header, hold other bytes. */
	if (pcap_datalink(handle) == DLT_LINUX_SLL)
		return say(
		    ret_reason, "libpcap captures this kind of interface cooked only", -EINVAL);
	*ret_handle = TAKE(handle);
	return 0;
}

/* The user's program behind the direction's; jumps are relative, so that nothing changes in it. */
static int join(struct filter *ret_filter, const struct sock_filter *prefix, size_t prefix_count,
    const struct bpf_program *program)
{
	size_t count = prefix_count + program->bf_len;
	struct sock_filter *all;

	if (count > BPF_MAXINSNS)
		return -E2BIG;
	all = calloc(count, sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all, prefix, prefix_count * sizeof(*all));
	for (size_t i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *from = &program->bf_insns[i];

		all[prefix_count + i] =
		    (struct sock_filter) { from->code, from->jt, from->jf, from->k };
	}
	*ret_filter = (struct filter) { all, count };
	return 0;
}

int filter_compile_live(struct filter *ret_filter, const struct place *place,
    const struct capture_config *capture, bool is_loopback, char **ret_reason)
{
	struct bpf_insn everything[] = { { BPF_RET | BPF_K, 0, 0, (uint32_t)capture->snaplen } };
	struct bpf_program program = { 1, everything };
	CLEANUP(close_handle_at) pcap_t *handle = NULL;
	struct sock_filter prefix[PREFIX_LENGTH];
	bool has_text = !is_empty(capture->filter);
	int r;

	*ret_reason = NULL;
	if (has_text) {
		r = open_live(&handle, place, (int)capture->snaplen, ret_reason);
		if (r < 0)
			return r;
		if (pcap_compile(handle, &program, capture->filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
			return say(ret_reason, pcap_geterr(handle), -EINVAL);
	}
	r = join(ret_filter, prefix, put_direction(prefix, capture, is_loopback), &program);
	if (r == -E2BIG)
		r = say(ret_reason, too_long, -EINVAL);
	if (has_text)
		pcap_freecode(&program);
	return r;
}

static int compile_dead(int link_type, const char *text, char **ret_reason)
{
	CLEANUP(close_handle_at) pcap_t *handle = pcap_open_dead(link_type, SNAPLEN_MOST);
	struct bpf_program program;
	size_t count;

	if (!handle)
		return -ENOMEM;
	if (pcap_compile(handle, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return say(ret_reason, pcap_geterr(handle), -EINVAL);
	count = program.bf_len;
	pcap_freecode(&program);
	return PREFIX_LENGTH + count > BPF_MAXINSNS ? say(ret_reason, too_long, -EINVAL) : 0;
}

/*
 * libpcap's optimizer takes minutes for some thousand ports, and its recursion ends in a crash at
 * some length; neither depends on the text's length alone.  So a process of its own tries.
 */
static int try_compile(const char *text, char **ret_reason)
{
	static const struct itimerval bound = { .it_value = { .tv_sec = COMPILE_SECONDS } };
	char *ignored = NULL;
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)signal(SIGPROF, SIG_DFL);
		(void)setitimer(ITIMER_PROF, &bound, NULL);
		(void)compile_dead(DLT_EN10MB, text, &ignored);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? say(ret_reason, too_costly, -EINVAL) : 0;
}

int filter_check(const char *text, char **ret_reason)
{
	int r;

	*ret_reason = NULL;
	if (is_empty(text))
		return 0;
	r = try_compile(text, ret_reason);
	if (r < 0)
		return r;
	return compile_dead(DLT_EN10MB, text, ret_reason);
}

int filter_attach(int fd, const struct filter *filter)
{
	const struct sock_fprog program = {
		.len = (unsigned short)filter->count,
		.filter = filter->instructions,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

void filter_release(struct filter *filter)
{
	free(filter->instructions);
	*filter = (struct filter) { 0 };
}
