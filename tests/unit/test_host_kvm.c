// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of --kvm with this process as VMM, virtual CPU and daemon at once: the kernel runs
 * them with the arguments that KVM's tracepoints would have. Where the reason of an exit comes from
 * a tracepoint's record, the record is that of task_rename, whose bytes this process can choose.
 * Needs the right to load them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include "bpf/host_abi.h"
#include "lib/compiler.h"
#include "lib/hist.h"
#include "trace/bpf_util.h"
#include "trace/host_kvm.h"
#include "trace/kvm_names.h"
#include "trace/tracefs.h"

#include "bpf/host.skel.h"

#define VMX 1
#define SVM 2
#define PIO_OUT 1
#define MMIO_READ 1
#define MMIO_WRITE 2
#define TO_USER_IO 2 /* KVM_EXIT_IO */
#define TO_USER_INTR 10

/* arch/x86/include/uapi/asm/vmx.h */
#define VMX_HLT 12
#define VMX_IO 30
#define VMX_EPT_MISCONFIG 49

struct fixture {
	struct host_bpf *bpf;
	struct bpf_link *exits;
	struct host_targets targets;
};

static void run(const struct bpf_program *prog, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t args[] = {a, b, c, d};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
}

/* An exit whose record says so: the new name is where the reason is, the old one where the isa is.
 */
static void leave_guest(uint32_t isa, uint32_t reason)
{
	char name[16] = "", before[16] = "";

	memcpy(before, &isa, sizeof(isa));
	memcpy(name, &reason, sizeof(reason));
	prctl(PR_SET_NAME, before);
	prctl(PR_SET_NAME, name);
}

static void enter_guest(const struct fixture *f)
{
	run(f->bpf->progs.raw_kvm_entry, 0, 0, 0, 0);
}

/* This process is the VMM and its daemon, and is just calling the guest. */
static int take_part(struct fixture *f)
{
	struct host_daemon daemon = {.vmm = (uint32_t)getpid()};
	uint32_t pid = (uint32_t)getpid(), unused = 0;
	int err;

	f->targets.count = 1;
	f->targets.items[0].layout = daemon;
	err = bpf_map_update_elem(bpf_map__fd(f->bpf->maps.kvm_vmms), &pid, &unused, BPF_ANY);
	return err ? err
		   : bpf_map_update_elem(bpf_map__fd(f->bpf->maps.daemons), &pid, &daemon, BPF_ANY);
}

static int load(struct fixture *f, uint32_t max_counts)
{
	int isa = tracefs_event_field("task/task_rename", "oldcomm[16]", 16);
	int reason = tracefs_event_field("task/task_rename", "newcomm[16]", 16);
	struct bpf_program *prog;

	bpf_util_begin();
	f->bpf = host_bpf__open();
	if (!f->bpf || isa < 0 || reason < 0)
		return f->bpf ? isa < 0 ? isa : reason : -errno;
	bpf_object__for_each_program(prog, f->bpf->obj)
		bpf_program__set_autoload(prog, strstr(bpf_program__name(prog), "kvm") != NULL);
	f->bpf->rodata->kvm = true;
	memcpy((void *)&f->bpf->rodata->kvm_fields,
	       &(struct host_kvm_fields){.reason = (uint32_t)reason, .isa = (uint32_t)isa},
	       sizeof(struct host_kvm_fields));
	bpf_map__set_max_entries(f->bpf->maps.kvm_counts, max_counts);
	bpf_map__set_max_entries(f->bpf->maps.kvm_vcpus, HOST_KVM_MAX_VCPUS);
	bpf_map__set_max_entries(f->bpf->maps.kvm_doors, HOST_KVM_MAX_DOORS);
	return host_bpf__load(f->bpf);
}

static void begin_with(struct fixture *f, uint32_t max_counts)
{
	int err;

	*f = (struct fixture){0};
	err = load(f, max_counts);
	if (!err) {
		f->exits = bpf_program__attach_tracepoint(f->bpf->progs.tp_kvm_exit, "task",
							  "task_rename");
		err = f->exits ? take_part(f) : -errno;
	}
	if (!err)
		return;
	print_message("cannot load or attach BPF programs here: %s\n", strerror(-err));
	bpf_link__destroy(f->exits);
	host_bpf__destroy(f->bpf);
	skip();
}

static void begin(struct fixture *f)
{
	begin_with(f, HOST_KVM_MAX_COUNTS);
}

static void end(struct fixture *f)
{
	bpf_link__destroy(f->exits);
	host_bpf__destroy(f->bpf);
}

/* What the footer says of the one VM. */
static json_t *counted(struct fixture *f)
{
	const struct host_kvm_maps maps = {
		.counts = bpf_map__fd(f->bpf->maps.kvm_counts),
		.doors = bpf_map__fd(f->bpf->maps.kvm_doors),
		.vcpus = bpf_map__fd(f->bpf->maps.kvm_vcpus),
	};
	json_t *all = host_kvm_json(&maps, &f->targets), *vm = json_incref(json_array_get(all, 0));

	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	assert_int_equal(json_integer_value(json_object_get(vm, "vmm")), getpid());
	return vm;
}

static json_int_t exits_of(const json_t *vm, const char *isa, const char *name, const char *by)
{
	const json_t *entry;
	json_int_t n = 0;
	size_t i;

	json_array_foreach(json_object_get(vm, "exits"), i, entry)
	{
		const json_t *outside = json_object_get(entry, "outside_ns");

		if (strcmp(json_string_value(json_object_get(entry, "isa")), isa) ||
		    strcmp(json_string_value(json_object_get(entry, "name")), name) ||
		    strcmp(json_string_value(json_object_get(entry, "handled_by")), by))
			continue;
		assert_int_equal(n, 0);
		n = json_integer_value(json_object_get(outside, "count"));
		assert_true(json_integer_value(json_object_get(outside, "min")) > 0);
	}
	return n;
}

static json_int_t door_of(const json_t *vm, const char *space, uint64_t address)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(vm, "doorbells"), i, entry)
	{
		if (!strcmp(json_string_value(json_object_get(entry, "space")), space) &&
		    (uint64_t)json_integer_value(json_object_get(entry, "address")) == address)
			return json_integer_value(json_object_get(entry, "writes"));
	}
	return 0;
}

static json_int_t times_of(const json_t *vm, const char *what)
{
	return json_integer_value(json_object_get(json_object_get(vm, what), "count"));
}

static uint64_t lost(const struct fixture *f)
{
	uint64_t losses[NR_LOSS_CLASSES] = {0};

	assert_int_equal(
		bpf_util_sum_percpu(bpf_map__fd(f->bpf->maps.losses), NR_LOSS_CLASSES, losses), 0);
	return losses[LOSS_MAP_FULL];
}

static void exits_by_reason(void **state)
{
	struct fixture f;
	json_t *vm;

	begin(&f);
	for (int i = 0; i < 3; i++) {
		leave_guest(VMX, VMX_HLT);
		enter_guest(&f);
	}
	enter_guest(&f); /* an entry whose exit was not seen */
	/* Reported twice by the kernel, entered once: the last one counts. */
	leave_guest(VMX, VMX_IO);
	leave_guest(SVM, 0x7b);
	enter_guest(&f);
	/* Of a VMX reason only the low half is the reason. */
	leave_guest(VMX, 0x80020131);
	enter_guest(&f);
	leave_guest(SVM, 0x80020131);
	enter_guest(&f);
	vm = counted(&f);
	assert_int_equal(exits_of(vm, "vmx", "HLT", "kvm"), 3);
	assert_int_equal(exits_of(vm, "vmx", "IO_INSTRUCTION", "kvm"), 0);
	assert_int_equal(exits_of(vm, "svm", "io", "kvm"), 1);
	assert_int_equal(exits_of(vm, "vmx", "0x131", "kvm"), 1);
	assert_int_equal(exits_of(vm, "svm", "0x80020131", "kvm"), 1);
	assert_int_equal(json_integer_value(json_object_get(vm, "vcpu_threads")), 1);
	assert_int_equal(lost(&f), 0);
	json_decref(vm);
	end(&f);
}

static void exits_without_reasons(void **state)
{
	struct fixture f;
	json_t *vm;

	begin(&f);
	run(f.bpf->progs.raw_kvm_exit, 0, 0, 0, 0);
	enter_guest(&f);
	vm = counted(&f);
	assert_int_equal(exits_of(vm, "?", "any", "kvm"), 1);
	json_decref(vm);
	end(&f);
}

static void doorbells_apart_from_other_writes(void **state)
{
	struct fixture f;
	json_t *vm;

	begin(&f);
	leave_guest(VMX, VMX_EPT_MISCONFIG);
	run(f.bpf->progs.raw_kvm_fast_mmio, 0xfebf3000, 0, 0, 0);
	enter_guest(&f);
	leave_guest(VMX, VMX_EPT_MISCONFIG);
	run(f.bpf->progs.raw_kvm_mmio, MMIO_WRITE, 4, 0xfebf3004, 0);
	enter_guest(&f);
	leave_guest(VMX, VMX_IO);
	run(f.bpf->progs.raw_kvm_pio, PIO_OUT, 0xc050, 2, 1);
	enter_guest(&f);
	/* The VMM's: a device without an ioeventfd. */
	leave_guest(VMX, VMX_IO);
	run(f.bpf->progs.raw_kvm_pio, PIO_OUT, 0x3f8, 1, 1);
	run(f.bpf->progs.raw_kvm_userspace_exit, TO_USER_IO, 0, 0, 0);
	enter_guest(&f);
	/* Reads, and what KVM has of its own. */
	leave_guest(VMX, VMX_IO);
	run(f.bpf->progs.raw_kvm_pio, !PIO_OUT, 0xc050, 2, 1);
	run(f.bpf->progs.raw_kvm_mmio, MMIO_READ, 4, 0xfebf3004, 0);
	run(f.bpf->progs.raw_kvm_mmio, MMIO_WRITE, 4, 0xfee000b0, 0);
	run(f.bpf->progs.raw_kvm_pio, PIO_OUT, 0x20, 1, 1);
	enter_guest(&f);
	vm = counted(&f);
	assert_int_equal(exits_of(vm, "vmx", "EPT_MISCONFIG", "doorbell"), 2);
	assert_int_equal(exits_of(vm, "vmx", "IO_INSTRUCTION", "doorbell"), 1);
	assert_int_equal(exits_of(vm, "vmx", "IO_INSTRUCTION", "vmm"), 1);
	assert_int_equal(exits_of(vm, "vmx", "IO_INSTRUCTION", "kvm"), 1);
	assert_int_equal(json_array_size(json_object_get(vm, "doorbells")), 3);
	assert_int_equal(door_of(vm, "memory", 0xfebf3000), 1);
	assert_int_equal(door_of(vm, "memory", 0xfebf3004), 1);
	assert_int_equal(door_of(vm, "port", 0xc050), 1);
	json_decref(vm);
	end(&f);
}

/* Where KVM emulates the guest, nothing tells of exits: a write is taken when something follows. */
static void doorbells_without_exits(void **state)
{
	struct fixture f;
	json_t *vm;

	begin(&f);
	for (int i = 0; i < 5; i++)
		run(f.bpf->progs.raw_kvm_pio, PIO_OUT, 0xc050, 2, 1);
	/* A signal is no answer of the VMM to the write. */
	run(f.bpf->progs.raw_kvm_userspace_exit, TO_USER_INTR, (uint64_t)-EINTR, 0, 0);
	vm = counted(&f);
	assert_int_equal(door_of(vm, "port", 0xc050), 5);
	assert_int_equal(json_array_size(json_object_get(vm, "exits")), 0);
	json_decref(vm);
	end(&f);
}

static void put_call(const struct fixture *f)
{
	const struct host_thread_call call = {.t_enter_ns = 1, .cls = SYSC_CALL};
	uint32_t tid = (uint32_t)gettid();

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(f->bpf->maps.calls), &tid, &call, BPF_ANY),
			 0);
}

static void interrupts(void **state)
{
	const struct bpf_program *msi, *inject;
	struct fixture f;
	json_t *vm, *counts;

	begin(&f);
	msi = f.bpf->progs.raw_kvm_msi_set_irq;
	inject = f.bpf->progs.raw_kvm_inj_virq;
	run(msi, 0xfee00000, 0x41, 0, 0); /* not in a call */
	put_call(&f);
	run(msi, 0xfee00000, 0x41, 0, 0);
	run(inject, 0x41, false, false, 0);
	run(inject, 0x41, false, false, 0); /* another device's, or the same again */
	run(msi, 0xfee00000, 0x42, 0, 0);
	run(msi, 0xfee00000, 0x42, 0, 0); /* before the first one was injected */
	run(inject, 0x42, false, true, 0); /* put in again after an exit: not counted twice */
	run(inject, 0x80, true, false, 0); /* INT n of the guest */
	run(inject, 0x42, false, false, 0);
	run(f.bpf->progs.raw_kvm_set_irq, 0, 0, 0, 0);
	vm = counted(&f);
	counts = json_object_get(vm, "interrupts");
	assert_int_equal(times_of(vm, "call_to_message_ns"), 3);
	assert_int_equal(times_of(vm, "call_to_injection_ns"), 2);
	assert_int_equal(json_integer_value(json_object_get(counts, "messages_of_daemons")), 3);
	assert_int_equal(json_integer_value(json_object_get(counts, "injected")), 3);
	assert_int_equal(json_integer_value(json_object_get(counts, "by_number")), 1);
	json_decref(vm);
	end(&f);
}

static void halts(void **state)
{
	struct fixture f;
	json_t *vm, *waits;

	begin(&f);
	run(f.bpf->progs.raw_kvm_vcpu_wakeup, 1000, true, true, 0);
	run(f.bpf->progs.raw_kvm_vcpu_wakeup, 3000, true, true, 0);
	run(f.bpf->progs.raw_kvm_vcpu_wakeup, 500, false, true, 0);
	vm = counted(&f);
	waits = json_object_get(vm, "halt_wait_ns");
	assert_int_equal(json_integer_value(json_object_get(waits, "count")), 2);
	assert_int_equal(json_integer_value(json_object_get(waits, "sum")), 4000);
	assert_int_equal(times_of(vm, "halt_poll_ns"), 1);
	assert_null(json_object_get(vm, "call_to_awake_ns"));
	json_decref(vm);
	end(&f);
}

static void no_room(void **state)
{
	struct fixture f;
	json_t *vm;

	begin_with(&f, 1);
	run(f.bpf->progs.raw_kvm_set_irq, 0, 0, 0, 0);
	assert_int_equal(lost(&f), 0);
	run(f.bpf->progs.raw_kvm_userspace_exit, TO_USER_IO, 0, 0, 0);
	run(f.bpf->progs.raw_kvm_set_irq, 0, 0, 0, 0);
	assert_int_equal(lost(&f), 1);
	vm = counted(&f);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(vm, "interrupts"), "by_number")),
		2);
	json_decref(vm);
	end(&f);
}

static void other_processes(void **state)
{
	uint32_t pid = (uint32_t)getpid();
	struct fixture f;
	json_t *vm;

	begin(&f);
	bpf_map_delete_elem(bpf_map__fd(f.bpf->maps.kvm_vmms), &pid);
	leave_guest(VMX, VMX_HLT);
	enter_guest(&f);
	run(f.bpf->progs.raw_kvm_pio, PIO_OUT, 0xc050, 2, 1);
	run(f.bpf->progs.raw_kvm_set_irq, 0, 0, 0, 0);
	vm = counted(&f);
	assert_int_equal(json_array_size(json_object_get(vm, "exits")), 0);
	assert_int_equal(json_array_size(json_object_get(vm, "doorbells")), 0);
	assert_int_equal(json_integer_value(json_object_get(vm, "vcpu_threads")), 0);
	json_decref(vm);
	end(&f);
}

static void fields_of_format_files(void **state)
{
	static const char text[] =
		"name: kvm_exit\nID: 103\nformat:\n"
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
		"\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;\n"
		"\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;\n"
		"\tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;\n"
		"\nprint fmt: \"isa\", REC->isa\n";

	assert_int_equal(tracefs_find_field(text, "exit_reason", 4), 8);
	assert_int_equal(tracefs_find_field(text, "isa", 4), 24);
	assert_int_equal(tracefs_find_field(text, "guest_rip", 4), -EPROTO);
	assert_int_equal(tracefs_find_field(text, "reason", 4), -ENOENT);
	assert_int_equal(tracefs_find_field(text, "info1", 8), -ENOENT);
	assert_int_equal(tracefs_find_field("\tfield:u32 isa;", "isa", 4), -EPROTO);
	assert_int_equal(tracefs_find_field("\tfield:", "isa", 4), -ENOENT);
	assert_int_equal(tracefs_find_field("", "isa", 4), -ENOENT);
}

static void names(void **state)
{
	char buf[32];

	assert_string_equal(kvm_exit_name(VMX, 48, buf, sizeof(buf)), "EPT_VIOLATION");
	assert_string_equal(kvm_exit_name(SVM, 0x400, buf, sizeof(buf)), "npf");
	assert_string_equal(kvm_exit_name(SVM, 0x7ff, buf, sizeof(buf)), "0x7ff");
	assert_string_equal(kvm_user_exit_name(6, buf, sizeof(buf)), "MMIO");
	assert_string_equal(kvm_user_exit_name(9999, buf, sizeof(buf)), "0x270f");
	assert_string_equal(kvm_errno_name(EINTR, buf, sizeof(buf)), "EINTR");
	assert_string_equal(kvm_isa_name(3), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_by_reason),
		cmocka_unit_test(exits_without_reasons),
		cmocka_unit_test(doorbells_apart_from_other_writes),
		cmocka_unit_test(doorbells_without_exits),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(halts),
		cmocka_unit_test(no_room),
		cmocka_unit_test(other_processes),
		cmocka_unit_test(fields_of_format_files),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
