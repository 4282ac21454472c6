# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # used by those who source this
#
# Sourced by the integration tests, which run from the top of the build tree: a pair of network
# namespaces of its own for each test, and a daemon in one of them.
#
#   $capture_ns, $traffic_ns   the namespaces; $interface, $peer  the ends of the veth pair in them
#   $work                      a directory in the build tree, gone at the end
#   $runtime                   one in memory, gone at the end
set -u
LC_ALL=C
TZ=UTC
export LC_ALL TZ

tools=$PWD/tests/support
fancapd=${FANCAPD:-$PWD/fancapd}
fancap=${FANCAP:-$PWD/fancap}
test_name=$(basename "$0")
interface=cap0
peer=gen0
capture_ns=fc$$c
traffic_ns=fc$$t
daemon_pid=
notify_pid=
daemon_count=0
work=
runtime=
checks_failed=0
checks_done=0

skip() {
	echo "SKIP: $*"
	exit 77
}

# Something that makes all that follows meaningless.
die() {
	echo "FAIL: $*" >&2
	show_log >&2
	exit 1
}

show_log() {
	if [ -n "$work" ] && [ -s "$work/log" ]; then
		echo "--- the daemon said:"
		tail -n 40 "$work/log"
		echo "---"
	fi
}

# check TEXT COMMAND...: goes on after a failure, so that one run tells all of them.
check() {
	local text=$1

	shift
	checks_done=$((checks_done + 1))
	if "$@"; then
		echo "ok: $text"
	else
		echo "NOT OK: $text   [$*]"
		checks_failed=$((checks_failed + 1))
		failed_checks+=("$text")
		return 1
	fi
}

equal() {
	[ "$1" = "$2" ] || { echo "   '$1' is not '$2'"; return 1; }
}

matches() { # TEXT REGEX
	grep -Eq -- "$2" <<<"$1" || { echo "   '$1' is not like '$2'"; return 1; }
}

at_most() {
	[ "$1" -le "$2" ] || { echo "   $1 is above $2"; return 1; }
}

# For who has more to look at when a test is done.
last_checks() {
	:
}

finish() {
	last_checks
	if [ "$checks_failed" -gt 0 ]; then
		show_log
		# Once more at the end: of a long log often no more than that is kept.
		printf 'NOT OK: %s\n' "${failed_checks[@]}"
		echo "$checks_failed of $checks_done checks failed"
		exit 1
	fi
	echo "$checks_done checks passed"
	exit 0
}

# wait_until SECONDS COMMAND...: 1 if it was not true by then.
wait_until() {
	local deadline=$(($(now_ms) + $1 * 1000))

	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

now_ms() {
	local up rest

	read -r up rest </proc/uptime
	echo $((${up%.*} * 1000 + 10#${up#*.} * 10))
}

is_gone() {
	local state

	[ -e "/proc/$1" ] || return 0
	read -r _ _ state _ <"/proc/$1/stat" 2>/dev/null || return 0
	[ "$state" = Z ]
}

in_capture() {
	nsenter --net="/run/netns/$capture_ns" "$@"
}

in_traffic() {
	nsenter --net="/run/netns/$traffic_ns" "$@"
}

# One test at a time: they measure, and there are few CPUs.
take_turn() {
	exec {turn}>"$PWD/tests-turn.lock" || die "cannot lock"
	flock "$turn"
}

clean_up() {
	local status=$?

	trap - EXIT
	if [ -n "$daemon_pid" ] && ! is_gone "$daemon_pid"; then
		kill -CONT "$daemon_pid" 2>/dev/null
		kill -KILL "$daemon_pid" 2>/dev/null
	fi
	[ -n "$notify_pid" ] && kill "$notify_pid" 2>/dev/null
	ip netns delete "$capture_ns" 2>/dev/null
	ip netns delete "$traffic_ns" 2>/dev/null
	if [ -n "${FANCAP_TEST_KEEP:-}" ]; then
		echo "kept: $work $runtime"
	else
		[ -n "$work" ] && rm -rf "$work"
		[ -n "$runtime" ] && rm -rf "$runtime"
	fi
	exit "$status"
}

# make_namespaces [MTU]: nothing but what the test sends is on the pair.
make_namespaces() {
	local mtu=${1:-1500} ns

	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in ip nsenter jq flock; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
	take_turn
	trap clean_up EXIT
	trap 'exit 1' INT TERM HUP
	work=$(mktemp -d "$PWD/it-$test_name.XXXXXX") || die "no directory"
	runtime=$(mktemp -d "/dev/shm/it-$test_name.XXXXXX") || die "no directory"
	for ns in "$capture_ns" "$traffic_ns"; do
		ip netns add "$ns" || skip "cannot make namespaces"
	done
	for ns in "$capture_ns" "$traffic_ns"; do
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
		ip -n "$ns" link set lo up
	done
	make_pair "$mtu"
}

make_pair() {
	ip -n "$traffic_ns" link add "$peer" mtu "$1" type veth \
		peer name "$interface" mtu "$1" netns "$capture_ns" || die "no veth pair"
	ip -n "$capture_ns" link set "$interface" up
	ip -n "$traffic_ns" link set "$peer" up
	wait_until 5 is_up || die "the pair does not come up"
}

is_up() {
	ip -n "$capture_ns" -j link show "$interface" | jq -e '.[0].operstate == "UP"' >/dev/null
}

# write_config [SENSOR] <<TEXT: sets $config.
write_config() {
	config=$work/${1:-sensor}.yaml
	cat >"$config"
	# Or a file more is there where the clock's next five minutes begin meanwhile.
	grep -q rotate "$config" || sed -i \
		"s|{directory: $work/out\([,}]\)|{directory: $work/out, rotate: {interval: 0}\1|" "$config"
}

notified() { # REGEX
	grep -Eq "^[0-9]+ $1" "$work/notify"
}

# launch_daemon [ARGUMENTS...]: without waiting for anything.
launch_daemon() {
	local socket=$runtime/notify

	daemon_count=$((daemon_count + 1))
	mkdir -p "$runtime/run" "$work/out"
	rm -f "$socket"
	: >"$work/notify"
	"$tools/notify_log" "$socket" >"$work/notify" {turn}>&- &
	notify_pid=$!
	wait_until 5 test -S "$socket" || die "notify_log does not run"
	started_ms=$("$tools/notify_log" --now)
	# Not in_capture: a function in the background is a shell of its own, and not the daemon.
	NOTIFY_SOCKET=$socket nsenter --net="/run/netns/$capture_ns" "$fancapd" --config "$config" \
		--runtime-directory "$runtime/run" "$@" 2>>"$work/log" >>"$work/log" {turn}>&- &
	daemon_pid=$!
}

ready_or_gone() {
	notified READY=1 || is_gone "$daemon_pid"
}

# start_daemon [ARGUMENTS...]: until READY=1.
start_daemon() {
	launch_daemon "$@"
	wait_until 20 ready_or_gone
	notified READY=1 || die "fancapd is not ready"
}

# stop_daemon: sets $daemon_status; fails if the daemon does not leave.
stop_daemon() {
	kill -TERM "$daemon_pid" 2>/dev/null
	await_end "${1:-30}"
}

await_end() { # SECONDS
	if ! wait_until "$1" is_gone "$daemon_pid"; then
		die "fancapd does not leave"
	fi
	wait "$daemon_pid"
	daemon_status=$?
	daemon_pid=
	kill "$notify_pid" 2>/dev/null
	wait "$notify_pid" 2>/dev/null
	notify_pid=
}

# status FILTER: of the daemon's status, also after its end.
status() {
	"$fancap" status --config "$config" --runtime-directory "$runtime/run" --json |
		jq -r "$1"
}

status_is() { # FILTER VALUE
	[ "$(status "$1" 2>/dev/null)" = "$2" ]
}

worker_pid() { # NUMBER
	status ".workers[$1].pid"
}

# Send a worker a signal; 1 where there is none just now: 0 and -1 would be everybody.
signal_worker() { # SIGNAL NUMBER
	local pid

	pid=$(worker_pid "$2")
	[[ $pid =~ ^[0-9]+$ ]] && [ "$pid" -gt 1 ] || return 1
	[ "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status" 2>/dev/null)" = "$daemon_pid" ] || return 1
	kill "-$1" "$pid"
}

# The nanoseconds of CPU that the daemon's processes have used, with all their threads.
cpu_ns() {
	local pid sum=0 time

	for pid in "$@"; do
		while read -r time _; do
			sum=$((sum + time))
		done < <(cat /proc/"$pid"/task/*/schedstat 2>/dev/null)
	done
	echo "$sum"
}

# A process and all below it.
process_tree() { # PID
	local child

	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		process_tree "$child"
	done
}

# From nothing: another case of the same test.
forget() {
	rm -rf "$work/out" "$runtime/run"
	mkdir -p "$work/out" "$runtime/run"
	: >"$work/log"
}

log_has() { # REGEX
	grep -Eqi -- "$1" "$work/log"
}

# offer ARGUMENTS...: sends from the other end; every frame has arrived when it returns.
offer() {
	sent_line=$(in_traffic "$tools/send_numbered" --interface="$peer" "$@") || die "cannot send"
	echo "sent: $sent_line"
	[ "$(jq .device_dropped <<<"$sent_line")" = 0 ] || die "the device dropped frames"
	sent=$(jq .sent <<<"$sent_line")
}

# files [EXPRESSION]: the output's files, below $work/out; of $output_format, where that is set.
files() {
	find "$work/out" -type f -name "${1:-*.${output_format:-pcap}}" | sort
}

unpack() { # FILE
	case ${1%.part} in
	*.zst) zstd -dcq "$1" ;;
	*.lz4) lz4 -dcq "$1" ;;
	*) cat "$1" ;;
	esac
}

# Each file as it is, or what a compressed one holds, by the usual tools, by the same name.
plain_files() {
	local file plain

	rm -rf "$work/plain"
	while read -r file; do
		case $file in
		*.zst | *.lz4)
			mkdir -p "$work/plain"
			plain=$work/plain/$(basename "${file%.*}")
			unpack "$file" >"$plain" || echo "$file-cannot-be-unpacked"
			echo "$plain"
			;;
		*) echo "$file" ;;
		esac
	done < <(files)
}

# verify ARGUMENTS...: all finished files against the plan; sets $verdict.
verify() {
	local list

	mapfile -t list < <(plain_files)
	verdict=$("$tools/check_numbered" "$@" "${list[@]}")
	local result=$?
	echo "found: $verdict"
	return $result
}

# The books of a stopped sensor are closed: SENT frames were offered (empty: any number).
books_balance() {
	status .total >"$work/total" || return 1
	if ! jq -e '.seen == .dropped + .written + .discarded and .staged == 0 and .waiting == 0' \
		"$work/total" >/dev/null; then
		echo "   $(jq -c . "$work/total")"
		return 1
	fi
	equal "$(status .balanced)" true && { [ -z "${1:-}" ] || equal "$(jq .seen "$work/total")" "$1"; }
}

nothing_left() {
	equal "$(files '*.part' | wc -l)" 0
}

# scaled NUMBER: fewer where time is short or every access is checked.
scaled() {
	echo $(($1 / ${FANCAP_TEST_SCALE:-1}))
}
