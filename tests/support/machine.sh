# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # used by those who source this
#
# Sourced by the system tests: a systemd of its own for each, fancap installed in it as by make
# install, and a veth pair cap0, gen0.
#
#   $work     a directory in the build tree, gone at the end
#   $machine  where the machine lives, gone at the end
. "${srcdir:-.}/tests/support/namespaces.sh"

helpers=() # processes outside of it

leave() {
	local status=$?

	trap - EXIT
	[ ${#helpers[@]} = 0 ] || kill -KILL "${helpers[@]}" 2>/dev/null
	"$machine_program" stop "$machine"
	if [ -n "${FANCAP_TEST_KEEP:-}" ]; then
		echo "kept: $work $machine"
	else
		rm -rf "$work" "$machine"
	fi
	exit "$status"
}

show_log() {
	echo "--- the journal's end:"
	inside journalctl --no-pager --quiet -n 40 -o short-precise
	echo "---"
}

inside() {
	"$machine_program" run "$machine" "$@"
}

# Send a signal; never to 0, which would be everybody, and who runs this test with them.
signal_inside() { # SIGNAL PID...
	local pid

	for pid in "${@:2}"; do
		[[ $pid =~ ^[0-9]+$ ]] && [ "$pid" -gt 1 ] || die "no process to send SIG$1: '$pid'"
	done
	inside kill "-$1" "${@:2}"
}

has_sanitizers() {
	grep -q '^#define WITH_SANITIZERS' build.h
}

# What the sanitizers' runtime does, and the unit forbids.
loosen() {
	inside mkdir -p /etc/systemd/system/fancapd@.service.d
	inside tee /etc/systemd/system/fancapd@.service.d/sanitizers.conf >/dev/null <<-'TEXT'
	[Service]
	MemoryDenyWriteExecute=no
	SystemCallFilter=
	TEXT
}

# A report of theirs is a failure, also where who it is about was to end anyway.
last_checks() {
	! has_sanitizers || check "the sanitizers found nothing" equal "$(inside journalctl --quiet --no-pager -o cat |
		grep -A 40 -E '(ERROR|WARNING): [A-Za-z]*Sanitizer|runtime error: ' | head -n 100)" ""
	[ "$checks_failed" = 0 ] || inside journalctl --no-pager --quiet -o short-precise >"$test_name.journal"
}

# boot_machine [loose]: where it is loose, a build with sanitizers is let be what it is.
boot_machine() {
	local prefix tool confinement=${1:-as-installed}

	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in ip jq nsenter unshare journalctl flock; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
	prefix=$(sed -n 's/^prefix = //p' Makefile)
	case $prefix in
	/usr | /usr/local) ;;
	*) skip "systemd looks for no unit below $prefix" ;;
	esac
	[ "$confinement" = loose ] || ! has_sanitizers ||
		skip "the unit's confinement leaves no room for sanitizers"

	machine_program=$(realpath "${srcdir:-.}/tests/support/boot-systemd")
	source=$(realpath "${srcdir:-.}")
	work=$(mktemp -d "$PWD/it-$test_name.XXXXXX") || die "no directory"
	machine=$(mktemp -d "/dev/shm/it-$test_name.XXXXXX") || die "no directory"

	take_turn
	trap leave EXIT
	trap 'exit 1' INT TERM HUP
	"$machine_program" start "$machine" "$source" "$PWD" {turn}>&- || skip "no machine"
	inside make -s -C "$PWD" install >"$work/install" 2>&1 || { cat "$work/install"; die "make install"; }
	inside systemd-sysusers || die "systemd-sysusers"
	inside systemd-tmpfiles --create fancap.conf || die "systemd-tmpfiles"
	inside journalctl --update-catalog || die "journalctl --update-catalog"
	! has_sanitizers || loosen
	inside systemctl daemon-reload || die "daemon-reload"
	inside ip link add cap0 type veth peer name gen0 || die "no veth pair"
	inside ip link set cap0 up
	inside ip link set gen0 up
	unit_file=$(inside systemctl show -P FragmentPath fancapd@x)
	configurations=$(sed -n 's,^ExecStart=.* --config \(.*\)/%i.yaml$,\1,p' systemd/fancapd@.service)
	check "the unit is found where it was installed" equal "$unit_file" \
		"$(sed -n 's/^systemdsystemunitdir = //p' Makefile | sed "s,\${prefix},$prefix,")/fancapd@.service"
}

configure() { # SENSOR <<TEXT
	inside tee "$configurations/$1.yaml" >/dev/null
}

show() { # PROPERTY [SENSOR]
	inside systemctl show -P "$1" "fancapd@${2:-x}"
}

shows() { # PROPERTY VALUE [SENSOR]
	[ "$(show "$1" "${3:-x}")" = "$2" ]
}

status_of() { # SENSOR FILTER
	inside fancap status --config "$configurations/$1.yaml" --runtime-directory "/run/fancap/$1" \
		--json 2>/dev/null | jq -r "$2"
}

status() {
	status_of x "$1"
}

running() { # [SENSOR]
	[ "$(status_of "${1:-x}" '.state, (.workers[] | .state)' | sort -u)" = running ]
}

active_again() { # OLD-PID [SENSOR]
	local pid

	pid=$(show MainPID "${2:-x}")
	[ "${pid:-0}" -gt 0 ] && [ "$pid" != "$1" ] && shows ActiveState active "${2:-x}"
}

restart() { # [SENSOR]
	local before

	before=$(show MainPID "${1:-x}")
	inside systemctl restart "fancapd@${1:-x}" && active_again "$before" "${1:-x}"
}

kill_supervisor() { # [SENSOR]
	local before

	before=$(show MainPID "${1:-x}")
	signal_inside KILL "$before"
	wait_until 20 active_again "$before" "${1:-x}"
}

# journal EVENT [FILTER]: the entries of a kind, one object a line.
journal() {
	local id

	id=$(sed -n "s/^#define MESSAGE_ID_$1 \"\(.*\)\"/\1/p" "$source/src/base/message_ids.h")
	inside journalctl --quiet --no-pager -o json MESSAGE_ID="$id" | jq -c "${2:-.}"
}

journal_has() { # EVENT JQ-CONDITION
	journal "$1" "select($2)" | grep -q .
}

send() {
	local line

	line=$(inside "$PWD/tests/support/send_numbered" --interface=gen0 "$@") || die "cannot send"
	jq .sent <<<"$line"
}
