/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a tun device that calls itself of any ARPHRD_ type, for links that no driver here makes;
 * says "ready"; and lets packets of one protocol arrive on it, each a number in eight bytes behind
 * what is given, as often as a line with a count comes on stdin; where that is below 0, so many get
 * lost in the driver.  The device goes with this process.
 *
 *   send_tun --name=NAME --arphrd=N --protocol=HEX [--bytes=HEX]
 */
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BYTES_MOST = 1400, NUMBER = 8 };

struct options {
	const char *name;
	unsigned long arphrd, protocol;
	uint8_t bytes[BYTES_MOST];
	size_t length;
};

static int parse_bytes(struct options *options, const char *text)
{
	for (options->length = 0; *text && options->length < BYTES_MOST; text += 2)
		if (sscanf(text, "%2hhx", &options->bytes[options->length++]) != 1)
			return -EINVAL;
	return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
	static const struct option rows[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "arphrd", required_argument, NULL, 'a' },
		{ "protocol", required_argument, NULL, 'p' },
		{ "bytes", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (option == 'n')
			options->name = optarg;
		else if (option == 'a')
			options->arphrd = strtoul(optarg, NULL, 0);
		else if (option == 'p')
			options->protocol = strtoul(optarg, NULL, 16);
		else if (option != 'b' || parse_bytes(options, optarg) < 0)
			return -EINVAL;
	}
	return options->name ? 0 : -EINVAL;
}

static int bring_up(const char *name)
{
	CLEANUP(close_at) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int make_device(const struct options *options)
{
	CLEANUP(close_at) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_flags = IFF_TUN };
	int r;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", options->name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETLINK, options->arphrd) < 0)
		return -errno;
	r = bring_up(options->name);
	return r < 0 ? r : TAKE_FD(fd);
}

static int send_packets(int fd, const struct options *options, uint64_t *number, uint64_t count)
{
	struct {
		struct tun_pi about;
		uint8_t bytes[BYTES_MOST + NUMBER];
	} packet = { .about = { .proto = htons((uint16_t)options->protocol) } };
	size_t size = sizeof(packet.about) + options->length + NUMBER;

	memcpy(packet.bytes, options->bytes, options->length);
	for (; count > 0; count--, ++*number) {
		for (size_t i = 0; i < NUMBER; i++)
			packet.bytes[options->length + i] = (uint8_t)(*number >> (56 - 8 * i));
		if (write(fd, &packet, size) != (ssize_t)size)
			return errno ? -errno : -EIO;
	}
	return 0;
}

/* Each from where no memory is: the driver has to drop it. */
static int lose_packets(int fd, uint64_t count)
{
	struct tun_pi about = { 0 };
	const struct iovec parts[] = {
		{ &about, sizeof(about) },
		/* The first page is the kernel's to keep empty. */
		{ (void *)1, 100 },
	};

	for (; count > 0; count--)
		if (writev(fd, parts, 2) >= 0 || errno != EFAULT)
			return -EIO;
	return 0;
}

static int obey(int fd, const struct options *options, uint64_t *number, long long count)
{
	return count < 0 ? lose_packets(fd, (uint64_t)-count)
			 : send_packets(fd, options, number, (uint64_t)count);
}

int main(int argc, char **argv)
{
	struct options options = { .arphrd = 0xfffe, .protocol = 0x0800 };
	uint64_t number = 0;
	char line[64];
	int r, fd;

	if (parse(&options, argc, argv) < 0)
		return 64;
	r = fd = make_device(&options);
	if (r >= 0)
		puts("ready");
	fflush(stdout);
	while (r >= 0 && fgets(line, sizeof(line), stdin)) {
		r = obey(fd, &options, &number, strtoll(line, NULL, 10));
		puts("sent");
		fflush(stdout);
	}
	if (r < 0)
		fprintf(stderr, "send_tun: %s: %s\n", options.name, strerror(-r));
	return r < 0 ? 71 : 0;
}
