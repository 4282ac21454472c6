/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "config/loader.h"
#include "tool/sensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[256], directory[200];
static struct config *config;
static struct config_faults *faults;

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/fancap-loader-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/dmz.yaml", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(directory);
}

static int load(const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	config_free(config);
	config_faults_free(faults);
	config = NULL;
	faults = NULL;
	return config_load(&config, path, sensors_check, &faults);
}

static int load_text(const char *text)
{
	return load(text, strlen(text));
}

static int forget(void **state)
{
	(void)state;
	config_free(config);
	config_faults_free(faults);
	config = NULL;
	faults = NULL;
	return 0;
}

static bool is_told(const char *part)
{
	for (size_t i = 0; i < config_faults_count(faults); i++)
		if (strstr(config_faults_text(faults, i), part))
			return true;
	return false;
}

static void an_interface_is_enough(void **state)
{
	(void)state;
	assert_int_equal(load_text("interfaces:\n  - name: eth1\n"), 0);
	assert_string_equal(config->sensor, "dmz");
	assert_int_equal(config->interface_count, 1);
	assert_string_equal(config->interfaces[0].name, "eth1");
	assert_int_equal(config->ring.memory, 64 << 20);
	assert_true(config->ring.memory_is_default);
	assert_int_equal(config->fanout.mode, FANOUT_FLOW);
	assert_int_equal(config->capture.snaplen, SNAPLEN_MOST);
	assert_true(config->capture.promiscuous);
	assert_int_equal(config->output.rotate.interval, UINT64_C(300000000000));
	assert_int_equal(config->output.sync, SYNC_CLOSE);
	assert_string_equal(config->output.directory, LOCALSTATEDIR "/lib/fancap/dmz");
	assert_int_equal(config_faults_count(faults), 0);
}

static void an_interface_is_called_by_its_namespace_too(void **state)
{
	(void)state;
	assert_int_equal(
	    load_text("interfaces: [{name: eth1, namespace: red}, {name: eth1}]\n"), 0);
	assert_string_equal(config->interfaces[0].name, "red@eth1");
	assert_string_equal(config->interfaces[0].device, "eth1");
	assert_string_equal(config->interfaces[1].name, "eth1");
	assert_string_equal(config->interfaces[1].namespace, "");
}

static void every_key_is_read(void **state)
{
	(void)state;
	assert_int_equal(
	    load_text(
		"interfaces: [{name: a, workers: 3, cpus: [0, 2], missing: refuse}, {name: b}]\n"
		"fanout: {mode: lb, rollover: true}\n"
		"ring: {memory: 8MiB, block_size: 64KiB, retire_timeout: 10ms}\n"
		"capture: {filter: 'tcp port 80', snaplen: 96, promiscuous: false, direction: in}\n"
		"output: {directory: /data, name: '%{worker}', resolution: us, sync: block,\n"
		"  stage: 1MiB, rotate: {size: 1MB, interval: 1h, packets: 7}}\n"
		"report: {interval: 2s}\n"),
	    0);
	assert_int_equal(config->interface_count, 2);
	assert_int_equal(config->interfaces[0].workers, 3);
	assert_int_equal(config->interfaces[0].cpu_count, 2);
	assert_int_equal(config->interfaces[0].cpus[1], 2);
	assert_int_equal(config->interfaces[0].missing, MISSING_REFUSE);
	assert_int_equal(config->fanout.mode, FANOUT_LB);
	assert_true(config->fanout.rollover);
	assert_false(config->ring.memory_is_default);
	assert_int_equal(config->capture.direction, DIRECTION_IN);
	assert_int_equal(config->output.rotate.size, 1000000);
	assert_int_equal(config->output.rotate.packets, 7);
	assert_int_equal(config->report.interval, UINT64_C(2000000000));
}

/* A faulty file, and a part of the line that tells of it. */
static const struct {
	const char *text, *told;
} faulty[] = {
	{ "{}", ":1:1: interfaces: is missing" },
	{ "ring: {memory: x}\n", ":1:1: interfaces: is missing" },
	{ "interfaces: [{}]\n", ":1:14: interfaces[0].name: is missing" },
	{ "- a\n- b\n", "is no section of keys" },
	{ "interfaces: eth1\n", ":1:13: interfaces: takes a list" },
	{ "interfaces: []\n", "takes a list of at least one" },
	{ "interfaces: [eth1]\n", ":1:14: interfaces[0]: is no section; each takes keys" },
	{ "interfaces:\n  - nmae: eth1\n",
	    ":2:5: interfaces[0].nmae: unknown key; the nearest known one is name" },
	{ "interfaces: [{name: e}]\nrnig: {}\n", ":2:1: rnig: unknown key" },
	{ "interfaces: [{name: e}]\nring: {memroy: 1MiB}\n",
	    "the nearest known one is ring.memory" },
	{ "interfaces: [{name: e}]\nring: {memory: 8}\n", "ring.memory: 8 is out of bounds" },
	{ "interfaces: [{name: e}]\nring: {memory: lots}\n", "\"lots\" is not understood" },
	{ "interfaces: [{name: e}]\nring: {memory: [1]}\n", "takes one value" },
	{ "interfaces: [{name: e}]\nring: 5\n", "ring: takes keys" },
	{ "interfaces: [{name: e}]\nring: {retire_timeout: 0}\n", "chooses its own" },
	{ "interfaces: [{name: e}]\nring: {block_size: 5000}\n",
	    ":2:20: ring.block_size: is no multiple of the page size" },
	{ "interfaces: [{name: e}]\nring: {memory: 1MiB}\n",
	    ":2:16: ring.memory: does not hold two blocks" },
	{ "interfaces: [{name: e}]\noutput: {stage: 1MiB}\n",
	    ":2:17: output.stage: 1048576 is less than two blocks; at least twice" },
	{ "interfaces: [{name: e, workers: 0}]\n", "0 is out of bounds; a number from 1 to 256" },
	{ "interfaces: [{name: e, workers: 257}]\n", "257 is out of bounds" },
	{ "interfaces: [{name: e, cpus: 3}]\n", "takes a list of CPUs" },
	{ "interfaces: [{name: e, cpus: [x]}]\n", "is no CPU" },
	{ "interfaces: [{name: e}, {name: e}]\n", ":1:32: interfaces[1].name: e is there twice" },
	{ "interfaces: [{name: e, name: f}]\n",
	    ":1:24: interfaces[0].name: the key is there twice" },
	{ "interfaces: [{name: e}]\nring: {}\nring: {}\n", ":3:1: ring: the key is there twice" },
	{ "interfaces: [{name: averyverylongname}]\n",
	    ":1:21: interfaces[0].name: \"averyverylongname\" can be no interface" },
	{ "interfaces: [{name: a/b}]\n", "can be no interface" },
	{ "interfaces: [{name: any}, {name: any}]\n",
	    ":1:34: interfaces[1].name: any is there twice" },
	{ "interfaces: [{name: e}, {name: any}]\n",
	    ":1:32: interfaces[1].name: any takes all interfaces in, and e would be" },
	{ "interfaces: [{name: e}]\nfanout: {mode: rollover, rollover: true}\n",
	    ":2:36: fanout.rollover: is what fanout.mode: rollover does" },
	{ "interfaces: [{name: any}]\ncapture: {timestamp: hardware}\n",
	    ":2:22: capture.timestamp: hardware is a device's own clock, and any is all" },
	{ "interfaces: [{name: e}, {name: any, namespace: red}]\ncapture: {timestamp: hardware}\n",
	    ":2:22: capture.timestamp: hardware is a device's own clock, and red@any is all" },
	{ "interfaces: [{name: any}]\ncapture: {filter: vlan}\n",
	    ":2:19: capture.filter: no VLAN" },
	{ "interfaces: [{name: e, namespace: x/y}]\n",
	    ":1:35: interfaces[0].namespace: \"x/y\" can be no namespace; 1 to 47 letters" },
	{ "interfaces: [{name: e, namespace: x@y}]\n", "can be no namespace" },
	{ "interfaces: [{name: e, namespace: ..}]\n", "can be no namespace" },
	{ "interfaces: [{name: e, namespace: abcdefghijabcdefghijabcdefghijabcdefghijabcdefgh}]\n",
	    ":1:35: interfaces[0].namespace: is 48 bytes long; at most 47" },
	{ "interfaces: [{name: e, namespace: x}, {name: e}, {name: e, namespace: x}]\n",
	    ":1:57: interfaces[2].name: x@e is there twice" },
	{ "interfaces: [{name: e, namespace: x}, {name: x@e}]\n",
	    ":1:46: interfaces[1].name: x@e is there twice" },
	{ "interfaces: [{name: e, namespace: abcdefghijabcdefghijabcdefghijabcdefghijabcdefg}]\n"
	  "output: {name: '%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%{interface}'}\n",
	    ":2:16: output.name: grows too long" },
	{ "interfaces: [{name: e}]\nfanout: {mode: hush}\n", "\"hush\" is none of them" },
	{ "interfaces: [{name: e}]\nfanout: {mode: program}\n",
	    ":2:16: fanout.program: is missing; a file" },
	{ "interfaces: [{name: e}]\nfanout: {mode: program, program: x}\n",
	    ":2:34: fanout.program: \"x\" is not absolute" },
	{ "interfaces: [{name: e}]\nfanout: {mode: program, program: /absent.bpf}\n",
	    "/absent.bpf: fanout.program: cannot be read: No such file" },
	{ "interfaces: [{name: e}]\ncapture: {link: raw}\n", "none of them; auto, cooked" },
	{ "interfaces: [{name: e}]\ncapture: {timestamp: gps}\n",
	    ":2:22: capture.timestamp: \"gps\" is none of them; software, hardware" },
	{ "interfaces: [{name: e}]\ncapture: {promiscuous: maybe}\n", "true or false" },
	{ "interfaces: [{name: e}]\noutput: {compression: gzip}\n",
	    "\"gzip\" is none of them; none, lz4, zstd" },
	{ "interfaces: [{name: e}]\noutput: {compression: zstd, level: 23}\n",
	    "23 is out of bounds; a number from 0 (the library's own default) to 12 with lz4, to "
	    "22 with zstd" },
	{ "interfaces: [{name: e}]\noutput: {compression: lz4, level: 13}\n",
	    "13 is out of bounds; a number from 0 to 12 with lz4" },
	{ "interfaces: [{name: e}]\nring: {block_size: 4KiB, memory: 1MiB}\n"
	  "output: {compression: lz4, stage: 8KiB}\n",
	    "8192 is too small for compression; at least 12288" },
	{ "interfaces: [{name: e}]\noutput: {digest: sha256}\n", "not in this version" },
	{ "interfaces: [{name: e}]\noutput: {index: true}\n", "true is not in this version" },
	{ "interfaces: [{name: e}]\noutput: {preallocate: true}\n", "not in this version" },
	{ "interfaces: [{name: e}]\noutput: {on_close: x}\n",
	    ":2:20: output.on_close: takes a list, a program and its arguments" },
	{ "interfaces: [{name: e}]\noutput: {on_close: [x, [y]]}\n",
	    ":2:24: output.on_close: is no argument" },
	{ "interfaces: [{name: e}]\noutput: {on_close: [\"\", y]}\n", "\"\" is no program" },
	{ "interfaces: [{name: e}]\noutput: {on_close: [\"a\\0b\"]}\n", "is no argument" },
	{ "interfaces: [{name: e}]\noutput: {on_close: [x], on_close_parallel: 65}\n",
	    ":2:44: output.on_close_parallel: 65 is out of bounds" },
	{ "interfaces: [{name: e}]\noutput: {retain: {free: 101%}}\n",
	    ":2:25: output.retain.free: \"101%\" is too large" },
	{ "interfaces: [{name: e}]\noutput: {retain: {free: 5}}\n", "a share such as 5%" },
	{ "interfaces: [{name: e}]\noutput: {retain: {age: 1}}\n", "a time, or 0" },
	{ "interfaces: [{name: e}]\noutput: {retain: {size: much}}\n", "a size, or 0" },
	{ "interfaces: [{name: e, workers: 4}, {name: f, workers: 2}]\n"
	  "output: {retain: {files: 6}}\n",
	    ":2:26: output.retain.files: 6 leaves room for no finished file" },
	{ "interfaces: [{name: e}]\noutput: {retain: {after_close: true}}\n",
	    ":2:32: output.retain.after_close: keeps files until output.on_close is done" },
	{ "interfaces: [{name: e}]\noutput: {directory: data}\n",
	    ":2:21: output.directory: \"data\" is not absolute" },
	{ "interfaces: [{name: e}]\noutput: {name: ../x}\n",
	    ":2:16: output.name: \"../x\" leaves output.directory" },
	{ "interfaces: [{name: e}]\noutput: {name: a/../../x}\n", "leaves output.directory" },
	{ "interfaces: [{name: e}]\noutput: {name: /x}\n", "leaves output.directory" },
	{ "interfaces: [{name: e}]\noutput: {name: a/}\n", "names no file" },
	{ "interfaces: [{name: e}]\noutput: {name: '%{host}'}\n",
	    ":2:16: output.name: \"%{host}\" is unknown" },
	{ "interfaces: [{name: e}]\noutput: {name: '%Q'}\n", "is unknown" },
	{ "interfaces: [{name: e}]\noutput: {name: 'a%'}\n", "is unknown" },
	{ "interfaces: &a [{name: e}]\nring: *a\n", "aliases are not read" },
	{ "interfaces: [{name: e}\n", "no YAML" },
	{ "interfaces: [{name: e}]\n---\nring: {}\n", ":3:1: is a second document" },
	{ "interfaces: [{name: e}]\noutput: {stage: 1000000}\n",
	    ":2:17: output.stage: 1000000 is no multiple of 4096" },
	{ "interfaces: [{name: e}]\nring: {block_size: 4MiB}\n",
	    ":2:20: output.stage: 4194304 is less than two blocks" },
	{ "interfaces: [{name: e}]\nring: {block_size: 128MiB}\n",
	    ":2:20: ring.memory: does not hold two blocks" },
	{ "interfaces: [{name: e}]\ncapture: {filter: 'tcp prot 80'}\n",
	    ":2:19: capture.filter: can't parse filter expression: syntax error; a pcap-filter" },
	{ "interfaces: [{name: e}]\ncapture: {filter: \"tcp\\0\"}\n", "holds a zero byte" },
	{ "interfaces: [{name: e}]\noutput: {name: \"a\\nb\"}\n", "holds a control character" },
	{ "interfaces: [{name: e}]\noutput: {name: 'a%n'}\n", "is unknown" },
	{ "interfaces: [{name: \"e\\e[0m\"}]\n", "\"e?[0m\" can be no interface" },
	{ "interfaces: [{name: e}]\noutput: {name: '%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A%A"
	  "%A%A%A%A%A%A%A'}\n",
	    ":2:16: output.name: grows too long" },
	{ "a: [[[[[[[[[[[[[[[[[[[[[[", ":1:19: is nested too deep" },
	{ "\t\n", "no YAML" },
	{ "# nothing\n", "is empty" },
	{ "interfaces: [{name: e}]\n? [a]\n: b\n", "a key must be a word" },
};

static void each_fault_is_told_in_its_own_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
		int r = load_text(faulty[i].text);

		if (r != -EINVAL || !is_told(faulty[i].told))
			fail_msg("%s-> %d, %s", faulty[i].text, r,
			    config_faults_count(faults) ? config_faults_text(faults, 0)
							: "nothing");
		assert_null(config);
	}
}

static void every_fault_is_told_at_once(void **state)
{
	(void)state;
	assert_int_equal(
	    load_text("interfaces: [{name: e, workers: 0}]\nring: {memory: x, size: 1}\n"
		      "output: {sync: now}\nreport: {interval: 0}\n"),
	    -EINVAL);
	assert_true(is_told("workers") && is_told("ring.memory") && is_told("ring.size") &&
		    is_told("output.sync") && is_told("report.interval"));
}

static void each_fault_is_told_once(void **state)
{
	(void)state;
	assert_int_equal(
	    load_text("interfaces: [{name: e}]\nring: {memory: x, block_size: 128MiB}\n"
		      "output: {stage: lots, directory: data}\ncapture: {filter: tcp prot}\n"),
	    -EINVAL);
	assert_true(is_told("ring.memory: \"x\"") && is_told("output.stage: \"lots\"") &&
		    is_told("output.directory") && is_told("capture.filter"));
	assert_int_equal(config_faults_count(faults), 4);
}

static void a_file_of_nothing_but_faults_is_read_in_no_time(void **state)
{
	enum { KEYS = 100000 };
	char *text = malloc(KEYS * 8 + 1);

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < KEYS; i++)
		snprintf(text + i * 8, 9, "k%05d:\n", i);
	assert_int_equal(load_text(text), -EINVAL);
	assert_true(config_faults_count(faults) <= 101);
	memset(text, '[', KEYS * 8);
	assert_int_equal(load_text(text), -EINVAL);
	assert_true(is_told("is nested too deep"));
	free(text);
}

static void a_block_that_wastes_memory_is_only_warned_of(void **state)
{
	(void)state;
	assert_int_equal(
	    load_text("interfaces: [{name: e}]\nring: {memory: 12MiB, block_size: 1.5MiB}\n"), 0);
	assert_true(is_told(":2:35: warning: ring.block_size: the kernel takes 2048 KiB"));
}

static void files_that_are_none_are_refused(void **state)
{
	static const uint8_t binary[] = { 0x7f, 'E', 'L', 'F', 0, 1, 2, 0xff, 0xfe };
	char *large = malloc(2 << 20);

	(void)state;
	assert_non_null(large);
	assert_int_equal(load("", 0), -EINVAL);
	assert_true(is_told("is empty"));
	assert_int_equal(load(binary, sizeof(binary)), -EINVAL);
	assert_true(is_told("no YAML"));
	memset(large, '#', 2 << 20);
	assert_int_equal(load(large, 2 << 20), -EINVAL);
	assert_true(is_told("longer than 1 MiB"));
	free(large);
	forget(NULL);
	assert_int_equal(config_load(&config, "/nonexistent/dmz.yaml", NULL, &faults), -ENOENT);
	forget(NULL);
	assert_int_equal(config_load(&config, "/dev", NULL, &faults), -EINVAL);
	assert_true(is_told("is no plain file"));
}

static void the_file_s_name_is_the_sensor_s(void **state)
{
	char other[256];

	(void)state;
	assert_int_equal(load_text("interfaces: [{name: e}]\n"), 0);
	snprintf(other, sizeof(other), "%s/DMZ 1.yaml", directory);
	assert_int_equal(rename(path, other), 0);
	forget(NULL);
	assert_int_equal(config_load(&config, other, NULL, &faults), -EINVAL);
	assert_true(is_told("cannot be a sensor's"));
	assert_int_equal(rename(other, path), 0);
}

#define LOADER_TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOADER_TEST(an_interface_is_enough),
		LOADER_TEST(an_interface_is_called_by_its_namespace_too),
		LOADER_TEST(every_key_is_read),
		LOADER_TEST(each_fault_is_told_in_its_own_words),
		LOADER_TEST(every_fault_is_told_at_once),
		LOADER_TEST(each_fault_is_told_once),
		LOADER_TEST(a_file_of_nothing_but_faults_is_read_in_no_time),
		LOADER_TEST(a_block_that_wastes_memory_is_only_warned_of),
		LOADER_TEST(files_that_are_none_are_refused),
		LOADER_TEST(the_file_s_name_is_the_sensor_s),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
