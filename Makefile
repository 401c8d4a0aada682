# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build ./vfscope
# make demo       install what is missing, build, record a real VM, predict and compare: out/demo/
# make check      install what is missing, build, run every test
# make help       the other targets

prefix ?= /usr/local
bindir ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
BUILD ?= build
# make has a CC of its own, which ?= would keep.
ifeq ($(origin CC),default)
CC = gcc
endif
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config

PACKAGES = libbpf libelf jansson libzstd inih zlib

.DELETE_ON_ERROR:
.SUFFIXES:
# The first goal may come before the packages are there: ask pkg-config only when compiling.
lib_cflags = $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
lib_libs = $(shell $(PKG_CONFIG) --libs $(PACKAGES))

OPT ?= -O2
CFLAGS ?= -g $(OPT)
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
# SAN=1: a second build with AddressSanitizer and UndefinedBehaviorSanitizer in its own folder.
ifdef SAN
BUILD := build-san
CFLAGS := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
endif
# No fused multiply-add: simulations must draw the same numbers on every architecture.
ALL_CFLAGS = -std=gnu11 -ffp-contract=off $(WARN) $(CFLAGS) -I. -I$(BUILD) -D_GNU_SOURCE \
	$(lib_cflags) $(EXTRA_CFLAGS)
LDLIBS = $(lib_libs) -lm -lpthread

V ?= 0
ifeq ($(V),1)
Q =
msg =
else
Q = @
msg = @printf '  %-8s %s\n' $(1) $(2);
endif

MODULES = lib trace sim workloads models plots
MODULE_SRC = $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
CLI_SRC = $(wildcard trace-cli/*.c)
BPF_SRC = $(wildcard bpf/*.bpf.c)
TEST_SRC = $(wildcard tests/unit/test_*.c)
BENCH_SRC = $(wildcard bench/bench_*.c)
FUZZ_SRC = $(wildcard tests/fuzz/fuzz_*.c)
TOOL_SRC = $(wildcard tests/tools/*.c)

MODULE_OBJ = $(MODULE_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ = $(CLI_SRC:%.c=$(BUILD)/%.o)
SKELETONS = $(BPF_SRC:%.bpf.c=$(BUILD)/%.skel.h)
TEST_BIN = $(TEST_SRC:%.c=$(BUILD)/%)
BENCH_BIN = $(BENCH_SRC:%.c=$(BUILD)/%)
FUZZ_BIN = $(FUZZ_SRC:%.c=$(BUILD)/%)
TOOL_BIN = $(TOOL_SRC:%.c=$(BUILD)/%)
VFSCOPE = $(BUILD)/vfscope
# Made on the way to a skeleton, and kept. For all other files this would hide that one is missing.
.SECONDARY: $(BPF_SRC:%.bpf.c=$(BUILD)/%.bpf.o)
LAB_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lab/*.c))
LAB_AGENT = $(BUILD)/lab/lab-agent
DAX_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard lab/dax/*.c))
DAX_DAEMON = $(BUILD)/lab/dax-daemon

.PHONY: all
all: $(VFSCOPE) $(LAB_AGENT) $(DAX_DAEMON)

$(VFSCOPE): $(MODULE_OBJ) $(CLI_OBJ)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The one object that knows where data is installed: 'make install prefix=...' after a plain 'make'
# must not leave the old place in it.
$(BUILD)/lib/data_file.o: $(BUILD)/datadir
$(BUILD)/lib/data_file.o: ALL_CFLAGS += -DVFSCOPE_DATADIR='"$(datadir)/vfscope"'
$(BUILD)/datadir: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(datadir)' | cmp -s - $@ || echo '$(datadir)' > $@
.PHONY: FORCE
FORCE:

# Generated headers must exist before the first compile; afterwards -MMD knows who uses them.
$(MODULE_OBJ) $(CLI_OBJ): | $(SKELETONS)

BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
BPF_CFLAGS = -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -I. -Wall -Werror \
	-Wno-missing-declarations
BPF_SYS = $(shell $(CLANG) -print-search-dirs >/dev/null 2>&1; \
	$(CLANG) -v -E - </dev/null 2>&1 | sed -n '/<...> search starts here/,/End/s/^ \(\/.*\)/-idirafter \1/p')

$(BUILD)/%.bpf.o: %.bpf.c
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_SYS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $(<:.bpf.o=))_bpf > $@

$(LAB_AGENT): $(LAB_OBJ)
$(DAX_DAEMON): $(DAX_OBJ)
$(LAB_AGENT) $(DAX_DAEMON):
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(BUILD)/tests/unit/%: tests/unit/%.c $(MODULE_OBJ)
	$(call msg,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(MODULE_OBJ) $(LDLIBS) -lcmocka

# Programs that tests run: generators of input files.
$(BUILD)/tests/tools/gen_ops: tests/tools/gen/gen_names.c tests/tools/gen/gen_ops.h
$(BUILD)/tests/tools/run_ops: tests/tools/run/perform.c tests/tools/run/perform.h
$(BUILD)/tests/tools/%: tests/tools/%.c $(MODULE_OBJ)
	$(call msg,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $(filter %.c,$^) $(MODULE_OBJ) $(LDLIBS)

# Each fuzz target is a libFuzzer entry; replay.c gives it a main() that runs the files it is given.
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(MODULE_OBJ)
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< tests/fuzz/replay.c \
		$(MODULE_OBJ) $(LDLIBS)

$(BUILD)/bench/%: bench/%.c $(MODULE_OBJ)
	$(call msg,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(MODULE_OBJ) $(LDLIBS)

.PHONY: tests
tests: $(TEST_BIN) $(TOOL_BIN) $(FUZZ_BIN)

.PHONY: bench
bench: $(BENCH_BIN) $(TOOL_BIN) all
	$(Q)for b in $(BENCH_BIN); do $$b || exit 1; done
	$(Q)bench/record_cost

.PHONY: deps
deps:
	$(Q)./install-deps

.PHONY: check
check: deps
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)$(MAKE) --no-print-directory SAN=1 all tests
	$(Q)tests/run

# Random op scripts in VMs against the simulator. FIDELITY='--kernels 7.2 --seeds "7 8"' and the like.
.PHONY: check-fidelity
check-fidelity: all tests
	$(Q)tests/live/fidelity $(FIDELITY)

# The chain on all guest kernels, daemons and QEMUs that the lab knows; fetches them once.
.PHONY: check-matrix
check-matrix: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/matrix

.PHONY: check-fast
check-fast: all tests
	$(Q)tests/run unit cli

.PHONY: demo
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)lab/demo out/demo

.PHONY: format
format:
	$(Q)clang-format -i $(MODULE_SRC) $(CLI_SRC) $(BPF_SRC) $(TEST_SRC) $(BENCH_SRC) \
		$(wildcard lab/*.c lab/dax/*.[ch] $(addsuffix /*.h,$(MODULES) bpf trace-cli tests/unit))

# install_files FILES,FOLDER
define install_files
install -d $(DESTDIR)$(strip $(2))
install -m 644 $(1) $(DESTDIR)$(strip $(2))/
endef

.PHONY: install
install: $(VFSCOPE)
	install -d $(DESTDIR)$(bindir)
	install -m 755 $(VFSCOPE) $(DESTDIR)$(bindir)/vfscope
	$(call install_files,$(wildcard models/*.model),$(datadir)/vfscope/models)
	$(call install_files,$(wildcard plots/*.gp),$(datadir)/vfscope/plots)
	$(call install_files,$(wildcard workloads/*.fio),$(datadir)/vfscope/workloads)
	$(call install_files,$(wildcard docs/man/*.1),$(mandir)/man1)
	$(call install_files,$(wildcard docs/man/*.5),$(mandir)/man5)
	$(call install_files,$(wildcard docs/*.md),$(datadir)/doc/vfscope)
	install -d $(DESTDIR)$(datadir)/bash-completion/completions
	install -m 644 trace-cli/completion.bash $(DESTDIR)$(datadir)/bash-completion/completions/vfscope

.PHONY: clean
clean:
	rm -rf build build-san out

.PHONY: help
help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo 'make deps       install missing packages (apt)'
	@echo 'make check-fast unit and CLI tests only, no VM, nothing installed'
	@echo 'make check-fidelity random file operations in a VM against the simulator'
	@echo 'make check-matrix  record and join on every kernel, daemon and QEMU; fetches their packages'
	@echo 'make bench      how fast the simulator is, reading traces, and what recording costs'
	@echo 'make format     clang-format over the tree'
	@echo 'make install    to $$(DESTDIR)$$(prefix), default /usr/local'
	@echo 'make SAN=1      build with ASan and UBSan into build-san/'
	@echo 'make V=1        show the commands'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
