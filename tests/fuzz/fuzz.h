/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every fuzz target defines: libFuzzer's entry. Always returns 0. */
#ifndef VFSCOPE_TESTS_FUZZ_H
#define VFSCOPE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
