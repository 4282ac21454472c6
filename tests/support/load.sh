# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # used by those who source this
#
# Sourced by the system tests that lose nothing under a load of numbered frames: the load, and what is
# found of it in the files of sensor x, which are looked through while more come, so that they need not
# all be kept.
. "${srcdir:-.}/tests/support/machine.sh"
load_most=100000000
load_plan=(--size=imix --flows=500)

# The files are on the build tree's disk, not in the machine's memory.
keep_files() {
	mkdir "$work/out"
	inside mkdir -p /var/lib/fancap/x
	inside mount --bind "$work/out" /var/lib/fancap/x || die "no directory for the files"
	inside chown fancap:fancap /var/lib/fancap/x
}

# From outside, so that signals reach it itself.
begin_load() { # RATE
	local init

	init=$(cat "$machine/init")
	nsenter --net="/proc/$init/ns/net" "$tools/send_numbered" --interface=gen0 --count=$load_most \
		"${load_plan[@]}" --rate="$1" >"$work/sent" {turn}>&- &
	sender=$!
	helpers+=("$sender")
}

is_stopped() {
	local state

	read -r _ _ state _ <"/proc/$1/stat" && [ "$state" = T ]
}

# Nothing is on its way any more when it returns.
pause_load() {
	kill -STOP "$sender" && wait_until 5 is_stopped "$sender" && sleep 0.05
}

resume_load() {
	kill -CONT "$sender"
}

is_linked() {
	inside ip -j link show | jq -e '[.[] | select(.ifname == "cap0" or .ifname == "gen0") |
		.operstate == "UP" and .qdisc != "noop"] | length == 2 and all' >/dev/null
}

# Only what is sent while it is up is there to be captured.
link_down_and_up() { # COMMAND-MEANWHILE...
	pause_load && inside ip link set cap0 down && "$@" && inside ip link set cap0 up &&
		wait_until 10 is_linked && resume_load
}

load_is_on() {
	kill -0 "$sender" 2>/dev/null
}

end_load() {
	kill -TERM "$sender"
	kill -CONT "$sender"
	wait "$sender"
	sent=$(jq .sent "$work/sent")
	echo "sent: $(cat "$work/sent")"
}

# ---- what is in the files --------------------------------------------------------------------

# Takes in what the catalog names behind line $taken; a file keeps its name and inode, not its bytes.
take_in() {
	local name verdict

	[ -e "$work/out/catalog.jsonl" ] || return
	while read -r name; do
		taken=$((taken + 1))
		if verdict=$("$tools/check_numbered" --count=$load_most "${load_plan[@]}" --any-resolution --missing=any \
			--state="$work/found" "$work/out/$name" 2>&1); then
			truncate --size=0 "$work/out/$name"
		else
			echo "$name: $verdict" >>"$work/faults"
		fi
	done < <(tail -n "+$((taken + 1))" "$work/out/catalog.jsonl" | jq -r .file)
}

# While there is a load this is nobody's hurry.
begin_collecting() {
	: >"$work/faults"
	(
		taken=0
		renice -n 19 "$BASHPID" >/dev/null
		while [ ! -e "$work/ended" ]; do
			take_in
			sleep 0.5
		done
		take_in
	) {turn}>&- &
	collector=$!
	helpers+=("$collector")
}

# Once nothing writes any more.
end_collecting() {
	touch "$work/ended"
	wait "$collector"
	found=$("$tools/check_numbered" --count="$sent" "${load_plan[@]}" --any-resolution --missing=any --state="$work/found")
	echo "found: $found"
}

# What was sent against what was found, after the service has stopped.
judge() {
	local missing dropped

	end_collecting
	missing=$(jq .missing <<<"$found")
	dropped=$(status .total.dropped)
	check "the device dropped nothing" equal "$(jq .device_dropped "$work/sent")" 0
	check "no ring was full (else the machine was too busy for this load, or a gap too long)" equal "$dropped" 0
	check "no packet is missing by our own doing" equal "$((missing - dropped))" 0
	check "none is twice, damaged or not ours; each file is readable" equal "$(cat "$work/faults")" ""
	check "none was found that was not sent" equal "$(jq .unexpected <<<"$found")" 0
	check "nothing was discarded" equal "$(status .total.discarded)" 0
	check "the counters went on over all of it" equal "$(status .total.seen)" "$sent"
	check "the books balance" equal "$(status .balanced)" true
	check "no entry of an imbalance" equal "$(journal IMBALANCE | wc -l)" 0
	check "no unfinished file" equal "$(find "$work/out" -name '*.part')" ""
	check "the catalog has every packet" equal \
		"$(jq -s 'map(.packets) | add' "$work/out/catalog.jsonl")" "$((sent - missing))"
	check "the catalog has every file once" equal \
		"$(jq -r '"\(.inode) \(.file)"' "$work/out/catalog.jsonl" | sort |
			diff - <(find "$work/out" -name '*.pcap' -printf '%i %P\n' | sort))" ""
}
