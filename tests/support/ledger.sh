# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # who sources this sets $ledger
#
# Sourced by tests that look into a ledger, by the places in its header.

number_at() { # OFFSET TYPE
	od -An -t"$2" -j"$1" -N"${2#u}" "$ledger" | tr -d ' '
}

# Which number the kernel has the worker of that slot as, by what the ledger says; -1: it is no member.
member() { # SLOT
	echo $(($(number_at $(($(number_at 48 u8) + $1 * $(number_at 28 u4) + 112)) u4) - 1))
}

# Which worker stands there as number 0 of the first interface's fanout group; -1: not known.
front() {
	echo $(($(number_at $(($(number_at 40 u8) + 96)) u4) - 1))
}
