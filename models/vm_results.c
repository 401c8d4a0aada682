// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Results by VM: folded from what the simulation tells of requests and ops, whose conn is the VM's
 * number.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "models/vm_results.h"

struct vm_result {
	uint64_t requests;
	uint64_t bytes;
	uint64_t first_ns; /* begin of the first op counted; of the run that is being added to */
	uint64_t last_ns;
	uint64_t before_ns; /* the time of runs added up before */
	struct hist latency; /* of ops */
};

struct vm_results {
	uint32_t nr;
	struct vm_result vm[];
};

struct vm_results *vm_results_new(uint32_t nr_vms)
{
	struct vm_results *r = calloc(1, sizeof(*r) + nr_vms * sizeof(*r->vm));

	if (!r)
		return NULL;
	r->nr = nr_vms;
	for (uint32_t i = 0; i < nr_vms; i++)
		hist_init(&r->vm[i].latency);
	return r;
}

void vm_results_free(struct vm_results *r)
{
	free(r);
}

void vm_results_add_request(struct vm_results *r, const struct span *span)
{
	r->vm[span->conn].requests++;
}

void vm_results_add_op(struct vm_results *r, const struct op_record *op)
{
	struct vm_result *vm = &r->vm[op->conn];

	if (!vm->latency.count || op->t_start_ns < vm->first_ns)
		vm->first_ns = op->t_start_ns;
	vm->last_ns = max_u64(vm->last_ns, op->t_end_ns);
	vm->bytes += op->result > 0 ? op->result : 0;
	hist_add(&vm->latency, op->t_end_ns - op->t_start_ns);
}

static uint64_t duration_ns(const struct vm_result *vm)
{
	return vm->before_ns + vm->last_ns - vm->first_ns;
}

void vm_results_merge(struct vm_results *into, const struct vm_results *from)
{
	for (uint32_t i = 0; i < into->nr && i < from->nr; i++) {
		struct vm_result *vm = &into->vm[i];

		vm->requests += from->vm[i].requests;
		vm->bytes += from->vm[i].bytes;
		vm->before_ns += duration_ns(&from->vm[i]);
		hist_merge(&vm->latency, &from->vm[i].latency);
	}
}

static double iops(const struct vm_result *vm)
{
	uint64_t ns = duration_ns(vm);

	return ns ? vm->latency.count * (double)NS_PER_SEC / ns : 0;
}

void vm_results_print(const struct vm_results *r, FILE *out)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	char text[32];

	fprintf(out, "%4s %9s %8s %8s %8s %8s %8s %8s %8s\n", "VM", "requests", "ops", "IOPS",
		"mean", "p50", "p90", "p99", "p99.9");
	for (uint32_t i = 0; i < r->nr; i++) {
		const struct vm_result *vm = &r->vm[i];

		fprintf(out, "%4" PRIu32 " %9s", i, format_count(vm->requests, text, sizeof(text)));
		fprintf(out, " %8s", format_count(vm->latency.count, text, sizeof(text)));
		fprintf(out, " %8s", format_count(iops(vm), text, sizeof(text)));
		fprintf(out, " %8s", format_ns(hist_mean(&vm->latency), text, sizeof(text)));
		for (size_t q = 0; q < ARRAY_SIZE(quantiles); q++)
			fprintf(out, " %8s",
				format_ns(hist_quantile(&vm->latency, quantiles[q]), text,
					  sizeof(text)));
		fputc('\n', out);
	}
}

json_t *vm_results_json(const struct vm_results *r)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < r->nr; i++) {
		const struct vm_result *vm = &r->vm[i];
		const struct hist *h = &vm->latency;
		json_t *row =
			json_pack("{s:I s:I s:I s:I s:f s:f s:I s:I s:I s:I}", "vm", (json_int_t)i,
				  "requests", (json_int_t)vm->requests, "ops", (json_int_t)h->count,
				  "bytes", (json_int_t)vm->bytes, "iops", iops(vm), "mean_ns",
				  hist_mean(h), "p50_ns", (json_int_t)hist_quantile(h, 0.5),
				  "p90_ns", (json_int_t)hist_quantile(h, 0.9), "p99_ns",
				  (json_int_t)hist_quantile(h, 0.99), "p999_ns",
				  (json_int_t)hist_quantile(h, 0.999));

		if (!row || json_array_append_new(array, row)) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
