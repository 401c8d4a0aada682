// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mode dax did, for people and programs: dax_report.h.
 */
#include <inttypes.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "models/dax_report.h"

static void append(char *buf, size_t len, const char *section, const char *name)
{
	size_t used = strlen(buf);

	snprintf(buf + used, len - used, "%s%s.%s", used ? ", " : "", section, name);
}

const char *dax_stand_ins(const struct stack *stack, const struct dax_stats *stats, char *buf,
			  size_t len)
{
	const uint64_t used[NR_DAX_COSTS] = {
		[DAX_EPT_FAULT] = stats->ept_faults,
		[DAX_PTE_FAULT] = stats->pte_faults,
		[DAX_PMD_FAULT] = stats->pmd_faults,
	};
	const struct {
		uint32_t opcode;
		uint64_t count;
	} services[] = {
		{FUSE_SETUPMAPPING, stats->setups},
		{FUSE_REMOVEMAPPING,
		 stats->removed_worker + stats->removed_inline + stats->removed_evict},
	};

	buf[0] = '\0';
	for (int i = 0; i < NR_DAX_COSTS; i++)
		if (used[i] && !(stack->dax.given & 1u << i))
			append(buf, len, "dax", dax_cost_name(i));
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (services[i].count && !stack->service[services[i].opcode].known)
			append(buf, len, "service", fuse_opcode_name(services[i].opcode));
	return buf;
}

void dax_report_print(const struct stack *stack, const struct dax_stats *s, FILE *out)
{
	char text[256], mean[32];

	if (stack->daemon.mode != MODE_DAX)
		return;
	fprintf(out,
		"\ndax: %" PRIu64 " ranges of 2 MiB, %" PRIu64 " mapped at the end; set up %" PRIu64
		", upgraded %" PRIu64 "\n",
		s->ranges, s->busy, s->setups, s->upgrades);
	fprintf(out,
		"  removed: %" PRIu64 " by the worker, %" PRIu64 " inline, %" PRIu64
		" at eviction; "
		"%" PRIu64 " pages faulted in by the host\n",
		s->removed_worker, s->removed_inline, s->removed_evict, s->ept_faults);
	fprintf(out, "  waits for a free range: %" PRIu64, s->waits);
	if (s->waits)
		fprintf(out, ", %s in the mean",
			format_ns((double)s->wait_ns / s->waits, mean, sizeof(mean)));
	fprintf(out, "\n");
	if (s->pte_faults || s->pmd_faults)
		fprintf(out,
			"  page faults of mapped memory: %" PRIu64 " for 4 KiB, %" PRIu64
			" for 2 MiB\n",
			s->pte_faults, s->pmd_faults);
	if (*dax_stand_ins(stack, s, text, sizeof(text)))
		fprintf(out, "  not in the model, defaults stand in:\n    %s\n", text);
}

json_t *dax_report_json(const struct stack *stack, const struct dax_stats *s)
{
	char text[256];

	if (stack->daemon.mode != MODE_DAX)
		return NULL;
	return json_pack(
		"{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:s}", "ranges",
		(json_int_t)s->ranges, "free", (json_int_t)s->free, "mapped", (json_int_t)s->busy,
		"setups", (json_int_t)s->setups, "upgrades", (json_int_t)s->upgrades,
		"removed_by_worker", (json_int_t)s->removed_worker, "removed_inline",
		(json_int_t)s->removed_inline, "removed_at_eviction", (json_int_t)s->removed_evict,
		"waits", (json_int_t)s->waits, "wait_ns", (json_int_t)s->wait_ns, "ept_faults",
		(json_int_t)s->ept_faults, "pte_faults", (json_int_t)s->pte_faults, "pmd_faults",
		(json_int_t)s->pmd_faults, "stand_ins",
		dax_stand_ins(stack, s, text, sizeof(text)));
}
