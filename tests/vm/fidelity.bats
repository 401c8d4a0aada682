# SPDX-License-Identifier: GPL-2.0-or-later
#
# A small part of tests/live/fidelity: what random op scripts send in a guest, and simulated.

bats_require_minimum_version 1.5.0

LIVE=$BATS_TEST_DIRNAME/../live

setup() {
	make -s -C "$LIVE/../.." build/tests/tools/run_ops build/tests/tools/gen_ops
}

# Prints the table and differences if there are any.
same_requests() { # MODE
	"$LIVE/fidelity" --kernels 6.1 --modes "$1" --kinds turns --seeds '1 2' --ops 60 --jobs '' --works '' 3>&-
}

@test "write-through: random scripts send the same requests in a guest and simulated" {
	same_requests auto
}

@test "direct: random scripts send the same requests in a guest and simulated" {
	same_requests never
}

@test "writeback: random scripts send the same requests in a guest and simulated" {
	same_requests wb
}
