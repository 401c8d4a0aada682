// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exits and interrupts of VMs as text. Reads what any file may hold: whatever is not as the
 * recorder writes it is printed as nothing.
 */
#include "trace-cli/kvm_text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/summary_table.h"
#include "lib/units.h"
#include "trace-cli/trace_text.h"

#define MAX_DOORS_PRINTED 8

json_t *kvm_of_trace(const struct trace_summary *t)
{
	if (t->kind == VFT_HOST)
		return json_object_get(t->footer, "kvm");
	if (t->kind == VFT_JOINED)
		return json_object_get(json_object_get(t->header, "host"), "kvm");
	return NULL;
}

static json_int_t number(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? n : 0;
}

/* The end of a table's line, from a distribution. */
static void print_times(FILE *out, const json_t *ns)
{
	static const char *const percentiles[] = {"50", "90", "99", "99.9"};
	const json_t *of = json_object_get(ns, "percentiles");

	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++)
		summary_print_ns(out, (double)number(of, percentiles[i]));
	summary_print_ns(out, (double)number(ns, "max"));
	fputc('\n', out);
}

static json_int_t total_ns_of(const json_t *exits)
{
	const json_t *exit;
	json_int_t sum = 0;
	size_t i;

	json_array_foreach((json_t *)exits, i, exit)
	{
		json_int_t n = number(json_object_get(exit, "outside_ns"), "sum");

		sum = n > INT64_MAX - sum ? INT64_MAX : sum + n;
	}
	return sum;
}

static double percent(json_int_t part, json_int_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void print_exits(FILE *out, const json_t *exits)
{
	const json_int_t total_ns = total_ns_of(exits);
	char name[24], by[10];
	const json_t *exit;
	size_t i;

	if (!json_array_size(exits)) {
		fprintf(out, "  KVM said nothing of exits\n");
		return;
	}
	fprintf(out, "  %-20s %-8s %8s %7s %6s" SUMMARY_QUANTILE_HEADER, "exit", "by", "count",
		"outside", "share");
	json_array_foreach((json_t *)exits, i, exit)
	{
		const json_t *outside = json_object_get(exit, "outside_ns");

		fprintf(out, "  %-20s %-8s %8" JSON_INTEGER_FORMAT,
			trace_text_of(exit, "name", name, sizeof(name)),
			trace_text_of(exit, "handled_by", by, sizeof(by)),
			number(outside, "count"));
		summary_print_ns(out, (double)number(outside, "sum"));
		fprintf(out, " %5.1f%%", percent(number(outside, "sum"), total_ns));
		print_times(out, outside);
	}
}

static void print_steps(FILE *out, const json_t *vm)
{
	static const struct {
		const char *key, *what;
	} steps[] = {
		{"doorbell_to_wake_ns", "doorbell, until the daemon is woken"},
		{"wake_to_run_ns", "from there until the daemon runs"},
		{"call_to_message_ns", "call, until KVM has the interrupt"},
		{"call_to_injection_ns", "call, until it is injected"},
		{"call_to_awake_ns", "call, until a halted CPU is awake"},
		{"halt_wait_ns", "halts in which the CPU slept"},
		{"halt_poll_ns", "halts that polling ended"},
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const json_t *ns = json_object_get(vm, steps[i].key);

		if (!ns)
			continue;
		if (!any)
			fprintf(out, "  %-36s %10s" SUMMARY_QUANTILE_HEADER, "step", "count");
		any = true;
		fprintf(out, "  %-36s %10" JSON_INTEGER_FORMAT, steps[i].what, number(ns, "count"));
		print_times(out, ns);
	}
}

static int by_wakes(const void *x, const void *y)
{
	const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
	json_int_t p = number(a, "wakes"), q = number(b, "wakes");

	if (p == q) {
		p = number(a, "writes");
		q = number(b, "writes");
	}
	return p > q ? -1 : p < q;
}

static void print_doors(FILE *out, const json_t *doors)
{
	size_t n = json_array_size(doors);
	const json_t **sorted = calloc(n ? n : 1, sizeof(*sorted));
	char space[12];

	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = json_array_get(doors, i);
	if (sorted && n)
		qsort(sorted, n, sizeof(*sorted), by_wakes);
	if (sorted && n)
		fprintf(out, "  %-36s %10s %16s\n", "doorbell", "writes", "woke the daemon");
	for (size_t i = 0; sorted && i < n && i < MAX_DOORS_PRINTED; i++)
		fprintf(out,
			"  %-8s %#-27" PRIx64 " %10" JSON_INTEGER_FORMAT " %16" JSON_INTEGER_FORMAT
			"\n",
			trace_text_of(sorted[i], "space", space, sizeof(space)),
			(uint64_t)number(sorted[i], "address"), number(sorted[i], "writes"),
			number(sorted[i], "wakes"));
	if (n > MAX_DOORS_PRINTED)
		fprintf(out, "  and %zu others\n", n - MAX_DOORS_PRINTED);
	free(sorted);
}

static void print_interrupts(FILE *out, const json_t *vm)
{
	const json_t *interrupts = json_object_get(vm, "interrupts");
	const json_t *to_vmm = json_object_get(vm, "to_vmm");
	const json_t *entry;
	char name[24];
	size_t i;

	fprintf(out,
		"  interrupts: %" JSON_INTEGER_FORMAT " messages of daemons, %" JSON_INTEGER_FORMAT
		" others, %" JSON_INTEGER_FORMAT " by number; %" JSON_INTEGER_FORMAT
		" injected at an entry\n",
		number(interrupts, "messages_of_daemons"), number(interrupts, "other_messages"),
		number(interrupts, "by_number"), number(interrupts, "injected"));
	if (json_array_size(to_vmm))
		fprintf(out, "  returns to the VMM:");
	json_array_foreach((json_t *)to_vmm, i, entry)
	{
		fprintf(out, " %s %" JSON_INTEGER_FORMAT,
			trace_text_of(entry, "name", name, sizeof(name)), number(entry, "count"));
	}
	if (json_array_size(to_vmm))
		fputc('\n', out);
}

void kvm_print(FILE *out, const json_t *kvm)
{
	const json_t *vm;
	size_t i;

	json_array_foreach((json_t *)kvm, i, vm)
	{
		fprintf(out,
			"KVM, VM of process %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
			" virtual CPUs seen\n",
			number(vm, "vmm"), number(vm, "vcpu_threads"));
		print_exits(out, json_object_get(vm, "exits"));
		print_steps(out, vm);
		print_doors(out, json_object_get(vm, "doorbells"));
		print_interrupts(out, vm);
		fputc('\n', out);
	}
}
