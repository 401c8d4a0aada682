// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads hostile model files; what is accepted must survive being written and read again.
 */
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "models/model_file.h"
#include "tests/fuzz/fuzz.h"

static void write_and_read_again(const struct stack *stack, struct stack *again)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out || model_write(stack, out, NULL) || fclose(out))
		abort();
	if (model_parse(again, "again", text, len))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stack *stack = malloc(sizeof(*stack)), *again = malloc(sizeof(*again));

	if (!stack || !again)
		abort();
	msg_set_level(MSG_ERROR);
	if (!model_parse(stack, "fuzz", (const char *)data, size))
		write_and_read_again(stack, again);
	free(stack);
	free(again);
	return 0;
}
