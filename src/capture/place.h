/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>

/*
 * Where a device is: a network namespace, and the device's name in that.
 *
 * A socket belongs for ever to the namespace in which it was made, whoever uses it from where: so a
 * namespace is visited to make sockets, for one call, and nothing else.  place_visit() is the one
 * way into another namespace, and comes back by itself.
 */
enum {
	PLACE_HERE = -1,    /* our own namespace */
	PLACE_NOWHERE = -2, /* one that is not there at present */
};

struct place {
	int namespace;         /* a descriptor of it, or one of the above */
	const char *territory; /* the namespace's name, as `ip netns` has it; "" for our own */
	const char *device;
};

/* One of our own namespace. */
#define PLACE_OF(name) (&(const struct place) { PLACE_HERE, "", (name) })

/*
 * Whether this process may visit a namespace.  Needs CAP_SYS_ADMIN, and leave to call setns(2).
 * Returns 0 or a negative errno, such as -EPERM.
 */
int place_may_visit(void);

/*
 * Open the namespace that `ip netns` calls by a name.  Returns a descriptor, -ENODEV where there is
 * none, or a negative errno.
 */
int place_open(const char *territory);

/* Whether the name still stands for the namespace that was opened by it. */
bool place_still_is(const char *territory, int namespace);

/*
 * Call a function with the calling thread in the place's namespace, and come back.  Returns what
 * it returned, -ENODEV for PLACE_NOWHERE, or a negative errno where there is no way in.  The whole
 * process ends where there is no way back.
 */
int place_visit(const struct place *place, int (*act)(void *user), void *user);

/* socket(2) there.  Returns a descriptor or a negative errno. */
int place_socket(const struct place *place, int domain, int type, int protocol);
