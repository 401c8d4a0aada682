// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main() for fuzz targets without a fuzzer: runs the target on each file named, as libFuzzer does
 * with a corpus. It crashes or it does not; sanitizers make that strict.
 *
 * For fuzzing itself, link the target with clang's -fsanitize=fuzzer instead of this file.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/fuzz/fuzz.h"

static int run_file(const char *path)
{
	static uint8_t data[1u << 20];
	FILE *in = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (!in) {
		perror(path);
		return 1;
	}
	len = fread(data, 1, sizeof(data), in);
	fclose(in);
	/* Of the right size, so that a read beyond the end is noticed. */
	exact = malloc(len ? len : 1);
	if (!exact)
		return 1;
	for (size_t i = 0; i < len; i++)
		exact[i] = data[i];
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++)
		failed |= run_file(argv[i]);
	printf("%d inputs\n", argc - 1);
	return failed;
}
