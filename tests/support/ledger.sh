# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # who sources this sets $ledger
#
# Sourced by tests that look into a ledger, by the places in its header.

number_at() { # OFFSET TYPE
	od -An -t"$2" -j"$1" -N"${2#u}" "$ledger" | tr -d ' '
}

# Which worker stands there as number 0 of the first interface's fanout group; -1: not known.
front() {
	echo $(($(number_at $(($(number_at 40 u8) + 96)) u4) - 1))
}
