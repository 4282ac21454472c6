/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/ring_trial.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/filter.h"
#include "capture/socket.h"
#include "capture/trial.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sysexits.h>

enum { UNKNOWN_MOST = 1 << 28 };

_Static_assert(sizeof(((struct ring_trial *)0)->limit) == TRIAL_TEXT, "a trial has its own text");

/* A user namespace gives the rights in it to who has none here. */
static int enter_namespace(void)
{
	if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		return 0;
	(void)log_failure(-errno,
	    "cannot make a network namespace to try it in; as root, or with --interface IF and "
	    "CAP_NET_RAW, it can be tried");
	return EX_NOPERM;
}

static int look_for(const char *interface)
{
	struct link_state link;
	int r = socket_interface(PLACE_OF(interface), &link);

	if (r == 0)
		return 0;
	(void)log_failure(r, "%s: cannot find the interface", interface);
	return r == -ENODEV ? EX_UNAVAILABLE : EX_OSERR;
}

/* Bound, but deaf: nothing of the interface's traffic goes into what is only tried. */
static int open_socket(const char *interface)
{
	CLEANUP(close_at) int fd = socket_open(PLACE_OF(interface ? interface : ""));
	int r = 0;

	if (fd >= 0 && interface) {
		r = filter_attach(fd, &filter_refuse_all);
		if (r == 0)
			r = socket_bind(fd, PLACE_OF(interface));
	}
	return fd < 0 ? fd : r < 0 ? r : TAKE_FD(fd);
}

static struct geometry_request request_of(
    const struct ring_config *ring, unsigned int version, bool transmits)
{
	struct geometry_request request = geometry_request_of(ring);

	request.version = version;
	request.transmits = transmits;
	/* What only a ring of V3 that receives has. */
	if (version < 3 || transmits)
		request.retire_timeout_ms = 0;
	return request;
}

static int ask(struct ring_trial *trial, const char *interface, uint64_t free)
{
	CLEANUP(close_at) int fd = open_socket(interface);
	struct ring_fault fault;

	if (fd < 0) {
		(void)log_failure(fd, "%s: cannot open a packet socket%s",
		    interface ? interface : "own namespace",
		    fd == -EPERM ? "; it needs CAP_NET_RAW" : "");
		return fd == -EPERM || fd == -EACCES ? EX_NOPERM : EX_OSERR;
	}
	/* Some is left for the others, and where nothing is known little is asked for. */
	trial->error =
	    trial_ask(fd, &trial->request, free ? free - free / 8 : UNKNOWN_MOST, &fault);
	trial->is_accepted = trial->error == 0;
	if (!trial->is_accepted)
		trial_explain(&trial->request, trial->error, free, trial->limit);
	return 0;
}

int ring_trial_run(
    struct ring_trial trials[RING_TRIALS], const struct ring_config *ring, const char *interface)
{
	int status = interface ? look_for(interface) : enter_namespace();

	for (unsigned int i = 0; i < RING_TRIALS && status == 0; i++) {
		trials[i] =
		    (struct ring_trial) { .request = request_of(ring, i / 2 + 1, i % 2 == 1) };
		status = ask(&trials[i], interface, memory_available());
	}
	return status;
}

static const char *direction_of(const struct ring_trial *trial)
{
	return trial->request.transmits ? "transmit" : "receive";
}

static const char *word_of(const struct ring_trial *trial)
{
	if (trial->is_accepted)
		return "made and mapped";
	return trial->error == -EFBIG ? "NOT ASKED" : "REFUSED";
}

void ring_trial_text(FILE *to, const struct ring_trial trials[RING_TRIALS])
{
	fputs("the kernel itself:\n", to);
	for (size_t i = 0; i < RING_TRIALS; i++)
		fprintf(to, "  TPACKET_V%u %-8s  %s%s%s\n", trials[i].request.version,
		    direction_of(&trials[i]), word_of(&trials[i]),
		    trials[i].is_accepted ? "" : ": ", trials[i].limit);
}

void ring_trial_json(FILE *to, const struct ring_trial trials[RING_TRIALS])
{
	fputs(",\"tried\":[", to);
	for (size_t i = 0; i < RING_TRIALS; i++) {
		fprintf(to, "%s{\"version\":%u,\"direction\":\"%s\",\"accepted\":%s,\"limit\":",
		    i ? "," : "", trials[i].request.version, direction_of(&trials[i]),
		    trials[i].is_accepted ? "true" : "false");
		if (trials[i].is_accepted)
			fputs("null", to);
		else
			json_quote(to, trials[i].limit);
		fputc('}', to);
	}
	fputc(']', to);
}

int ring_trial_status(const struct ring_trial trials[RING_TRIALS])
{
	int status = 0;

	for (size_t i = 0; i < RING_TRIALS; i++) {
		if (geometry_kernel_fault(&trials[i].request))
			return EX_CONFIG;
		if (!trials[i].is_accepted)
			status = EX_OSERR;
	}
	return status;
}
