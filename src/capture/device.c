/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/device.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* ---- what it does ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint32_t command; /* that asks for a value; 0: a bit of ETHTOOL_GFLAGS */
	uint32_t flag;
	/* Where it is on; %1$s is the device, %2$s what a command begins with; NULL: no harm. */
	const char *sentence;
} features[DEVICE_FEATURE_COUNT_] = {
	[DEVICE_GRO] = { "gro", ETHTOOL_GGRO, 0,
	    "generic receive offload is on: packets are joined, up to 64 KiB, before "
	    "they are captured; `%2$sethtool -K %1$s gro off` shows them as they came" },
	[DEVICE_LRO] = { "lro", 0, ETH_FLAG_LRO,
	    "large receive offload is on: the device joins packets, and their headers "
	    "are not what came; `%2$sethtool -K %1$s lro off` shows them as they came" },
	[DEVICE_GSO] = { "gso", ETHTOOL_GGSO, 0,
	    "generic segmentation offload is on: what this machine sends is captured "
	    "before it is cut into frames; `%2$sethtool -K %1$s gso off tso off` shows "
	    "the frames" },
	[DEVICE_TSO] = { "tso", ETHTOOL_GTSO, 0, NULL },
	[DEVICE_RX_VLAN] = { "rxvlan", 0, ETH_FLAG_RXVLAN, NULL },
};

const char *device_feature_name(enum device_feature feature)
{
	return features[feature].name;
}

/* One question to the device: the request begins with the command.  Returns 0 or an errno. */
static int ask(int fd, const char *name, void *request)
{
	struct ifreq envelope = { .ifr_data = request };

	snprintf(envelope.ifr_name, sizeof(envelope.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &envelope) < 0 ? -errno : 0;
}

static void ask_for_features(int fd, struct device_facts *facts)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	if (ask(fd, facts->name, &flags) < 0)
		flags.data = 0;
	for (int i = 0; i < DEVICE_FEATURE_COUNT_; i++) {
		struct ethtool_value value = { .cmd = features[i].command };

		if (features[i].command == 0)
			facts->feature[i] = flags.data & features[i].flag;
		else
			facts->feature[i] = ask(fd, facts->name, &value) == 0 && value.data;
	}
}

static void ask_for_sizes(int fd, struct device_facts *facts)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	if (ask(fd, facts->name, &driver) == 0)
		snprintf(facts->driver, sizeof(facts->driver), "%.31s", driver.driver);
	if (ask(fd, facts->name, &ring) == 0) {
		facts->ring_size = ring.rx_pending;
		facts->ring_most = ring.rx_max_pending;
	}
	if (ask(fd, facts->name, &channels) == 0)
		facts->receive_queues = channels.rx_count + channels.combined_count;
}

int device_look(const struct place *place, struct device_facts *ret_facts)
{
	CLEANUP(close_at) int fd = socket_open_questions(place);
	const char *name = place->device;
	struct device_facts facts = { 0 };
	struct ifreq request = { 0 };

	if (fd < 0)
		return fd;
	if (strlen(name) >= sizeof(facts.name))
		return -ENODEV;
	snprintf(facts.name, sizeof(facts.name), "%s", name);
	snprintf(facts.territory, sizeof(facts.territory), "%s", place->territory);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	ask_for_features(fd, &facts);
	ask_for_sizes(fd, &facts);
	(void)device_dropped(place, request.ifr_ifindex, &facts.dropped);
	*ret_facts = facts;
	return 0;
}

/* ---- what it lost ------------------------------------------------------------------------ */

static void close_netlink(struct mnl_socket *socket)
{
	if (socket)
		(void)mnl_socket_close(socket);
}

DEFINE_CLEANUP(struct mnl_socket *, close_netlink)

static int take_statistics(const struct nlattr *attribute, void *user)
{
	uint64_t *dropped = user;
	struct rtnl_link_stats64 statistics = { 0 };
	/* An older kernel's has fewer fields, but these. */
	size_t length = LEAST(sizeof(statistics), (size_t)mnl_attr_get_payload_len(attribute));

	if (mnl_attr_get_type(attribute) != IFLA_STATS_LINK_64)
		return MNL_CB_OK;
	memcpy(&statistics, mnl_attr_get_payload(attribute), length);
	*dropped = statistics.rx_dropped + statistics.rx_missed_errors;
	return MNL_CB_OK;
}

static int take_answer(const struct nlmsghdr *header, void *user)
{
	if (mnl_attr_parse(header, sizeof(struct if_stats_msg), take_statistics, user) < 0)
		return MNL_CB_ERROR;
	return MNL_CB_OK;
}

int device_dropped(const struct place *place, int ifindex, uint64_t *ret_dropped)
{
	CLEANUP(close_netlink_at) struct mnl_socket *socket = NULL;
	int fd = place_socket(place, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	char buffer[8192] __attribute__((aligned(8)));
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct if_stats_msg *question;
	ssize_t n;

	if (fd < 0)
		return fd;
	socket = mnl_socket_fdopen(fd);
	if (!socket)
		close(fd);
	header->nlmsg_type = RTM_GETSTATS;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = 1;
	question = mnl_nlmsg_put_extra_header(header, sizeof(*question));
	question->ifindex = (uint32_t)ifindex;
	question->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket), take_answer,
			 ret_dropped) < 0)
		return -errno;
	return 0;
}

/* ---- in words ---------------------------------------------------------------------------- */

struct audience {
	const struct device_facts *facts;
	char called[64]; /* as it is spelled everywhere */
	char prefix[72]; /* of a command that is to run where the device is */
	device_tell *tell;
	void *user;
};

static void say(const struct audience *audience, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct audience *audience, const char *format, ...)
{
	char sentence[400];
	int used = snprintf(sentence, sizeof(sentence), "%s: ", audience->called);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence + used, sizeof(sentence) - (size_t)used, format, arguments);
	va_end(arguments);
	audience->tell(audience->user, sentence);
}

static void address(struct audience *audience)
{
	const char *territory = audience->facts->territory, *name = audience->facts->name;

	snprintf(audience->called, sizeof(audience->called), "%s%s%s", territory,
	    territory[0] ? "@" : "", name);
	if (territory[0])
		snprintf(
		    audience->prefix, sizeof(audience->prefix), "ip netns exec %s ", territory);
}

static void say_features(const struct audience *audience)
{
	const struct device_facts *facts = audience->facts;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (int i = 0; i < DEVICE_FEATURE_COUNT_; i++)
		if (facts->feature[i] && features[i].sentence)
			say(audience, features[i].sentence, facts->name, audience->prefix);
#pragma GCC diagnostic pop
}

void device_advise(
    const struct device_facts *facts, uint64_t workers, device_tell *tell, void *user)
{
	struct audience audience = { .facts = facts, .tell = tell, .user = user };
	const char *name = facts->name, *prefix = audience.prefix;

	address(&audience);
	say_features(&audience);
	if (facts->ring_size > 0 && facts->ring_size < facts->ring_most)
		say(&audience,
		    "its receive ring has %" PRIu32 " of at most %" PRIu32
		    " descriptors; `%sethtool -G %s rx %" PRIu32 "` outlasts longer bursts",
		    facts->ring_size, facts->ring_most, prefix, name, facts->ring_most);
	if (facts->receive_queues > 0 && facts->receive_queues < workers)
		say(&audience,
		    "%" PRIu32 " receive queue%s for %" PRIu64
		    " workers: fewer CPUs take packets in than there are to write them; "
		    "`%sethtool -l %s` shows how many queues it can have",
		    facts->receive_queues, facts->receive_queues == 1 ? "" : "s", workers, prefix,
		    name);
	if (facts->dropped > 0)
		say(&audience,
		    "%" PRIu64 " packets were lost since it was made, before the kernel could "
		    "offer them (rx_dropped and rx_missed_errors of `%sip -s -s link show %s`)",
		    facts->dropped, prefix, name);
}
