/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/filter.h"

#include "base/cleanup.h"
#include "capture/link.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
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
	PREFIX_LENGTH = 6,
	LIVE_BUFFER = 64 * 1024, /* of a handle that never reads */
	COMPILE_SECONDS = 2,     /* of CPU; the service manager's watchdog waits for 10 */
	TYPE_CAN = 280,          /* ARPHRD_; not in every C library's header */
};

static const char *const too_long = "longer than the 4096 instructions that the kernel takes";
static const char *const too_costly =
    "takes libpcap more than 2 s to compile; fewer terms, such as net and portrange in place of "
    "many hosts and ports";

static const char *const not_in_kernel =
    "asks for bytes of the link header, which the kernel does not have where it filters a cooked "
    "capture; protocols, addresses, ports, ifindex, inbound and outbound can be asked for";

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

/* ---- the direction ----------------------------------------------------------------------- */

static struct sock_filter load_about(uint32_t word)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + word);
}

/* Of all interfaces, those that bring what they send back refuse what leaves. */
static size_t put_echoes(struct sock_filter *to)
{
	to[0] = load_about(SKF_AD_PKTTYPE);
	to[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 4);
	to[2] = load_about(SKF_AD_HATYPE);
	to[3] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPHRD_LOOPBACK, 1, 0);
	to[4] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_CAN, 0, 1);
	to[5] = refuse[0];
	return 6;
}

/* Which packets of a direction are refused: SKF_AD_PKTTYPE says where a packet was seen. */
static size_t put_direction(
    struct sock_filter *to, const struct capture_config *capture, const struct link_state *link)
{
	bool echoes = link->is_loopback || link->arphrd == TYPE_CAN;
	bool only_outgoing = capture->direction == DIRECTION_OUT;
	bool no_outgoing =
	    capture->direction == DIRECTION_IN || (capture->direction == DIRECTION_BOTH && echoes);

	if (capture->direction == DIRECTION_BOTH && link->ifindex == 0)
		return put_echoes(to);
	if (!only_outgoing && !no_outgoing)
		return 0;
	to[0] = load_about(SKF_AD_PKTTYPE);
	to[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING,
	    only_outgoing ? 1 : 0, only_outgoing ? 0 : 1);
	to[2] = refuse[0];
	return 3;
}

/* ---- the text, for an interface ---------------------------------------------------------- */

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
	*ret_handle = TAKE(handle);
	return 0;
}

static int compile(
    pcap_t *handle, const char *text, struct bpf_program *ret_program, char **ret_reason)
{
	if (pcap_compile(handle, ret_program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return say(ret_reason, pcap_geterr(handle), -EINVAL);
	return 0;
}

static int take_program(struct filter *ret_program, const struct bpf_program *program)
{
	struct sock_filter *all = calloc(program->bf_len, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *from = &program->bf_insns[i];

		all[i] = (struct sock_filter) { from->code, from->jt, from->jf, from->k };
	}
	*ret_program = (struct filter) { all, program->bf_len };
	return 0;
}

/* For packets with their link header. */
static int compile_raw(struct filter *ret_program, const struct place *place,
    const struct capture_config *capture, char **ret_reason)
{
	CLEANUP(close_handle_at) pcap_t *handle = NULL;
	struct bpf_program program;
	int r = open_live(&handle, place, (int)capture->snaplen, ret_reason);

	/* A tunnel that libpcap captures cooked: nobody takes a tag out of what is IP alone. */
	if (r == 0 && pcap_datalink(handle) == DLT_LINUX_SLL) {
		pcap_close(handle);
		handle = pcap_open_dead(DLT_RAW, (int)capture->snaplen);
	}
	if (r == 0)
		r = handle ? compile(handle, capture->filter, &program, ret_reason) : -ENOMEM;
	if (r < 0)
		return r;
	r = take_program(ret_program, &program);
	pcap_freecode(&program);
	return r;
}

/* The program that libpcap has put on its own socket; SO_GET_FILTER counts instructions. */
static int take_from_socket(struct filter *ret_program, int fd, char **ret_reason)
{
	struct sock_filter *all;
	socklen_t count = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count) < 0)
		return -errno;
	if (count == 0)
		return say(ret_reason, not_in_kernel, -EINVAL);
	all = calloc(count, sizeof(*all));
	if (!all)
		return -ENOMEM;
	*ret_program = (struct filter) { all, count };
	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, all, &count) < 0 ? -errno : 0;
}

/*
 * A cooked socket's filter sees no link header: offsets are from the network header, and what a
 * cooked header says is asked of the kernel.  libpcap turns its program into one of that kind where
 * it puts it on a socket of its own; that one is taken.
 */
static int compile_cooked(struct filter *ret_program, const struct place *place,
    const struct capture_config *capture, uint32_t link_type, char **ret_reason)
{
	bool is_sll2 = link_type == LINKTYPE_LINUX_SLL2;
	CLEANUP(close_handle_at) pcap_t *handle = NULL;
	struct place at = *place;
	struct bpf_program program;
	int r;

	/* Whatever an interface is, libpcap captures all of them cooked. */
	if (is_sll2)
		at.device = INTERFACE_ANY;
	r = open_live(&handle, &at, (int)capture->snaplen, ret_reason);

	if (r == 0 && is_sll2 && pcap_set_datalink(handle, DLT_LINUX_SLL2) < 0)
		r = say(ret_reason, pcap_geterr(handle), -EINVAL);
	if (r == 0)
		r = compile(handle, capture->filter, &program, ret_reason);
	if (r < 0)
		return r;
	if (pcap_setfilter(handle, &program) < 0)
		r = say(ret_reason, pcap_geterr(handle), -EINVAL);
	else
		r = take_from_socket(ret_program, pcap_fileno(handle), ret_reason);
	pcap_freecode(&program);
	return r;
}

/* The user's program behind the direction's; jumps are relative, so that nothing changes in it. */
static int join(struct filter *ret_filter, const struct sock_filter *prefix, size_t prefix_count,
    const struct filter *program)
{
	size_t count = prefix_count + program->count;
	struct sock_filter *all;

	if (count > BPF_MAXINSNS)
		return -E2BIG;
	all = calloc(count, sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all, prefix, prefix_count * sizeof(*all));
	memcpy(all + prefix_count, program->instructions, program->count * sizeof(*all));
	*ret_filter = (struct filter) { all, count };
	return 0;
}

int filter_compile_live(struct filter *ret_filter, const struct place *place,
    const struct capture_config *capture, const struct link_state *link, char **ret_reason)
{
	struct sock_filter everything = BPF_STMT(BPF_RET | BPF_K, (uint32_t)capture->snaplen);
	CLEANUP(filter_release) struct filter compiled = { 0 };
	const struct filter all = { &everything, 1 };
	struct sock_filter prefix[PREFIX_LENGTH];
	bool has_text = !is_empty(capture->filter);
	int r = 0;

	*ret_reason = NULL;
	if (has_text && link_is_cooked(link->link_type))
		r = compile_cooked(&compiled, place, capture, link->link_type, ret_reason);
	else if (has_text)
		r = compile_raw(&compiled, place, capture, ret_reason);
	if (r == 0)
		r = join(ret_filter, prefix, put_direction(prefix, capture, link),
		    has_text ? &compiled : &all);
	return r == -E2BIG ? say(ret_reason, too_long, -EINVAL) : r;
}

/* ---- the text alone ---------------------------------------------------------------------- */

static int compile_dead(int dlt, const char *text, char **ret_reason)
{
	CLEANUP(close_handle_at) pcap_t *handle = pcap_open_dead(dlt, SNAPLEN_MOST);
	struct bpf_program program;
	size_t count;
	int r;

	if (!handle)
		return -ENOMEM;
	r = compile(handle, text, &program, ret_reason);
	if (r < 0)
		return r;
	count = program.bf_len;
	pcap_freecode(&program);
	return PREFIX_LENGTH + count > BPF_MAXINSNS ? say(ret_reason, too_long, -EINVAL) : 0;
}

/*
 * libpcap's optimizer takes minutes for some thousand ports, and its recursion ends in a crash at
 * some length; neither depends on the text's length alone.  So a process of its own tries.
 */
static int try_compile(int dlt, const char *text, char **ret_reason)
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
		(void)compile_dead(dlt, text, &ignored);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? say(ret_reason, too_costly, -EINVAL) : 0;
}

int filter_check(const char *text, uint32_t link_type, char **ret_reason)
{
	int dlt = link_type == LINKTYPE_LINUX_SLL2 ? DLT_LINUX_SLL2 : DLT_EN10MB;
	int r;

	*ret_reason = NULL;
	if (is_empty(text))
		return 0;
	r = try_compile(dlt, text, ret_reason);
	return r < 0 ? r : compile_dead(dlt, text, ret_reason);
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
