/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/own_namespace.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Commands of iproute2, which lies where a user's PATH need not lead. */
static const char *const links =
    "PATH=$PATH:/usr/sbin:/sbin && ip link set lo up && "
    "ip link add name " OWN_NEAR " mtu 9000 type veth peer name " OWN_FAR " mtu 9000 && "
    "ip link set " OWN_NEAR " up && ip link set " OWN_FAR " up";

static int put(const char *path, const char *text)
{
	CLEANUP(close_at) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int become_root(uid_t uid, gid_t gid)
{
	char users[64], groups[64];
	int r;

	snprintf(users, sizeof(users), "0 %u 1", (unsigned int)uid);
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned int)gid);
	r = put("/proc/self/setgroups", "deny");
	if (r >= 0)
		r = put("/proc/self/uid_map", users);
	return r < 0 ? r : put("/proc/self/gid_map", groups);
}

static int enter(void)
{
	static const char *const chatter[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6",
	};
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = 0;

	if (unshare(CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0)
		return -errno;
	if (uid != 0)
		r = become_root(uid, gid);
	for (size_t i = 0; r >= 0 && i < COUNT_OF(chatter); i++)
		r = put(chatter[i], "1");
	/* Without IPv6 there is no chatter to end. */
	if (r < 0 && r != -ENOENT)
		return r;
	return system(links) == 0 ? 0 : -ENOEXEC;
}

int own_namespace_enter(void)
{
	int r = enter();

	if (r < 0)
		printf("skipped: no network namespace of its own: %s\n", strerror(-r));
	return r;
}
