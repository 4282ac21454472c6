/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/place.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *const own_path = "/proc/thread-self/ns/net";

/* Where ip-netns(8) keeps them. */
static const char *const folder = "/run/netns";

static int open_own(void)
{
	int fd = open(own_path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The kind is named, as RestrictNamespaces= of the service manager lets none pass without. */
static int enter(int namespace)
{
	return setns(namespace, CLONE_NEWNET) < 0 ? -errno : 0;
}

int place_may_visit(void)
{
	CLEANUP(close_at) int own = open_own();

	return own < 0 ? own : enter(own);
}

int place_open(const char *territory)
{
	char path[sizeof("/run/netns/") + NAME_MAX];
	CLEANUP(close_at) int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, territory);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	/* The file is there a moment before the namespace is mounted on it, and may be left over.
	 */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -ENODEV;
	return TAKE_FD(fd);
}

bool place_still_is(const char *territory, int namespace)
{
	char path[sizeof("/run/netns/") + NAME_MAX];
	struct stat now, then;

	snprintf(path, sizeof(path), "%s/%s", folder, territory);
	return fstat(namespace, &then) == 0 && stat(path, &now) == 0 && now.st_dev == then.st_dev &&
	       now.st_ino == then.st_ino;
}

int place_visit(const struct place *place, int (*act)(void *user), void *user)
{
	CLEANUP(close_at) int own = -1;
	int r, back;

	if (place->namespace == PLACE_HERE)
		return act(user);
	if (place->namespace == PLACE_NOWHERE)
		return -ENODEV;
	own = open_own();
	r = own < 0 ? own : enter(place->namespace);
	if (r < 0)
		return r;
	r = act(user);
	back = enter(own);
	if (back < 0) {
		/* All that follows would be about other interfaces than it says. */
		(void)log_failure(back, "cannot leave network namespace %s", place->territory);
		abort();
	}
	return r;
}

struct socket_request {
	int domain, type, protocol;
};

static int make_socket(void *user)
{
	const struct socket_request *request = user;
	int fd = socket(request->domain, request->type, request->protocol);

	return fd < 0 ? -errno : fd;
}

int place_socket(const struct place *place, int domain, int type, int protocol)
{
	struct socket_request request = { domain, type, protocol };

	return place_visit(place, make_socket, &request);
}
