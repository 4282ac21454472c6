/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces as `ip netns` makes them, below a /run of the test's own. */
#include "support/cmocka.h"

#include "base/cleanup.h"
#include "capture/device.h"
#include "capture/filter.h"
#include "capture/place.h"
#include "capture/socket.h"
#include "support/own_namespace.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THERE "fcthere"

/* iproute2 lies where a user's PATH need not lead. */
static const char *const namespace_there =
    "PATH=$PATH:/usr/sbin:/sbin && ip netns add " THERE " && "
    "ip link add name fcleft type veth peer name fcright netns " THERE " && "
    "ip -n " THERE " link set fcright mtu 1234 up";

static struct place there = { PLACE_NOWHERE, THERE, "fcright" };

static void name_own(char name[64])
{
	ssize_t length = readlink("/proc/thread-self/ns/net", name, 63);

	assert_true(length > 0);
	name[length] = 0;
}

/* ---- in and out -------------------------------------------------------------------------- */

static int note_where(void *user)
{
	name_own(user);
	return -EXDEV;
}

static void a_visit_comes_back_whatever_was_done(void **state)
{
	char before[64], during[64], after[64];

	(void)state;
	name_own(before);
	assert_int_equal(place_visit(&there, note_where, during), -EXDEV);
	name_own(after);
	assert_string_not_equal(before, during);
	assert_string_equal(before, after);
}

static void here_is_no_visit(void **state)
{
	char before[64], during[64];

	(void)state;
	name_own(before);
	assert_int_equal(place_visit(PLACE_OF("fcleft"), note_where, during), -EXDEV);
	assert_string_equal(before, during);
}

static void there_is_no_way_to_nowhere(void **state)
{
	const struct place nowhere = { PLACE_NOWHERE, "gone", "eth0" };
	struct link_state link;

	(void)state;
	assert_int_equal(socket_open(&nowhere), -ENODEV);
	assert_int_equal(socket_interface(&nowhere, &link), -ENODEV);
}

static void who_may_not_visit_is_told_so(void **state)
{
	int status;

	(void)state;
	assert_int_equal(place_may_visit(), 0);
	if (fork() == 0) {
		capng_clear(CAPNG_SELECT_CAPS);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0)
			_exit(9);
		_exit(place_may_visit() == -EPERM && socket_open(&there) == -EPERM ? 0 : 1);
	}
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

/* ---- what is asked there ----------------------------------------------------------------- */

static void a_device_is_found_where_it_is(void **state)
{
	struct place other = { there.namespace, THERE, "fcleft" };
	struct link_state link, here;
	struct device_facts facts;
	uint64_t dropped;

	(void)state;
	assert_int_equal(socket_interface(PLACE_OF("fcleft"), &here), 0);
	assert_int_equal(socket_interface(&there, &link), 0);
	assert_true(link.namespace != here.namespace || link.namespace == 0);
	assert_int_equal(link.mtu, 1234);
	assert_true(link.is_up);
	assert_int_equal(socket_interface(PLACE_OF("fcright"), &link), -ENODEV);
	assert_int_equal(socket_interface(&other, &link), -ENODEV);
	assert_int_equal(device_look(&there, &facts), 0);
	assert_string_equal(facts.driver, "veth");
	assert_int_equal(socket_interface(&there, &link), 0);
	assert_int_equal(device_dropped(&there, link.ifindex, &dropped), 0);
}

static void a_socket_says_where_it_was_made(void **state)
{
	CLEANUP(close_at) int fd = socket_open(&there);
	struct link_state link;
	struct socket_seat seat;

	(void)state;
	assert_int_equal(socket_interface(&there, &link), 0);
	assert_int_equal(socket_seat(fd, &seat), 0);
	assert_true(seat.namespace == link.namespace);
}

/* By its own namespace's list: to the other one it was never there. */
static void a_socket_is_held_until_its_last_descriptor_is_closed(void **state)
{
	int fd = socket_open(&there), again = dup(fd);
	uint64_t inode = socket_inode(fd);

	(void)state;
	assert_true(fd >= 0 && again >= 0);
	assert_int_not_equal(inode, 0);
	assert_int_equal(socket_is_held(&there, inode), 1);
	assert_int_equal(socket_is_held(PLACE_OF("lo"), inode), 0);
	close(fd);
	assert_int_equal(socket_is_held(&there, inode), 1);
	close(again);
	assert_int_equal(socket_is_held(&there, inode), 0);
}

static bool has_group_address(const char *address)
{
	char command[256];

	snprintf(command, sizeof(command),
	    "PATH=$PATH:/usr/sbin:/sbin; ip -n " THERE " maddr show dev lo | grep -q '%s'",
	    address);
	return system(command) == 0;
}

/* Whoever closes it last may have taken it from the list, and not yet from its fanout group. */
static void a_marked_socket_is_held_until_its_mark_is_gone(void **state)
{
	int fd = socket_open(&there), later = socket_open(&there);
	const uint64_t inode = socket_mark(fd);
	struct packet_mreq mark = { .mr_ifindex = 1, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6 };
	char text[32];

	(void)state;
	assert_int_equal(inode, socket_inode(fd));
	mark.mr_address[0] = 3;
	for (int i = 1; i < 6; i++)
		mark.mr_address[i] = (uint8_t)(inode >> 8 * (5 - i));
	snprintf(text, sizeof(text), "03:%02x:%02x:%02x:%02x:%02x", mark.mr_address[1],
	    mark.mr_address[2], mark.mr_address[3], mark.mr_address[4], mark.mr_address[5]);
	assert_true(has_group_address(text));
	assert_int_equal(
	    setsockopt(later, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mark, sizeof(mark)), 0);
	close(fd);
	assert_int_equal(socket_is_held(&there, inode), 1);
	assert_int_equal(socket_is_held(PLACE_OF("lo"), inode), 0);
	close(later);
	assert_int_equal(socket_is_held(&there, inode), 0);
	assert_false(has_group_address(text));
}

static void a_filter_is_compiled_where_its_device_is(void **state)
{
	static char text[] = "vlan 7 and udp";
	const struct capture_config capture = { .filter = text, .snaplen = SNAPLEN_MOST };
	const struct link_state ethernet = { .ifindex = 2, .arphrd = 1, .link_type = 1 };
	struct filter filter = { 0 };
	CLEANUP(free_at) char *reason = NULL;

	(void)state;
	assert_int_equal(filter_compile_live(&filter, &there, &capture, &ethernet, &reason), 0);
	assert_true(filter.count > 1);
	filter_release(&filter);
	assert_true(
	    filter_compile_live(&filter, PLACE_OF("fcright"), &capture, &ethernet, &reason) < 0);
	assert_non_null(reason);
}

/* ---- names ------------------------------------------------------------------------------- */

static void a_name_of_nothing_is_no_namespace(void **state)
{
	int fd = open("/run/netns/plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	close(fd);
	assert_int_equal(place_open("absent"), -ENODEV);
	/* As it is for a moment when `ip netns` makes one, or when it is left over. */
	assert_int_equal(place_open("plain"), -ENODEV);
}

static void a_name_may_come_to_stand_for_another(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(system("PATH=$PATH:/usr/sbin:/sbin; ip netns add fcshort"), 0);
	fd = place_open("fcshort");
	assert_true(fd >= 0);
	assert_true(place_still_is("fcshort", fd));
	assert_false(place_still_is(THERE, fd));
	assert_int_equal(system("PATH=$PATH:/usr/sbin:/sbin; ip netns delete fcshort"), 0);
	assert_false(place_still_is("fcshort", fd));
	assert_int_equal(system("PATH=$PATH:/usr/sbin:/sbin; ip netns add fcshort"), 0);
	assert_false(place_still_is("fcshort", fd));
	close(fd);
}

/* ------------------------------------------------------------------------------------------ */

static int own_run(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/run", "tmpfs", 0, "mode=0755") < 0)
		return -errno;
	return system(namespace_there) == 0 ? 0 : -ENOEXEC;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_visit_comes_back_whatever_was_done),
		cmocka_unit_test(here_is_no_visit),
		cmocka_unit_test(there_is_no_way_to_nowhere),
		cmocka_unit_test(who_may_not_visit_is_told_so),
		cmocka_unit_test(a_device_is_found_where_it_is),
		cmocka_unit_test(a_socket_says_where_it_was_made),
		cmocka_unit_test(a_socket_is_held_until_its_last_descriptor_is_closed),
		cmocka_unit_test(a_marked_socket_is_held_until_its_mark_is_gone),
		cmocka_unit_test(a_filter_is_compiled_where_its_device_is),
		cmocka_unit_test(a_name_of_nothing_is_no_namespace),
		cmocka_unit_test(a_name_may_come_to_stand_for_another),
	};

	if (own_namespace_enter() < 0)
		return 77;
	if (own_run() < 0) {
		printf("skipped: no namespaces by name: %s\n", strerror(errno));
		return 77;
	}
	there.namespace = place_open(THERE);
	return there.namespace < 0 ? 99 : RUN_TESTS(tests);
}
