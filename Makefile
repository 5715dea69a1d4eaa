# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# infermeter. Targets: all demo test test-unit tests bench fmt lint clean install. V=1 shows the commands.

OUT     ?= build
PREFIX  ?= /usr/local
CC      := clang
CLANG   := clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)

PACKAGES := libbpf libelf zlib yaml-0.1 libmicrohttpd libcjson
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror=switch -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -DINFERMETER_VERSION='"$(VERSION)"' -Iuser -Iinclude -I$(OUT) -Itests/unit \
            $(shell pkg-config --cflags $(PACKAGES))
LDLIBS   := $(shell pkg-config --libs $(PACKAGES)) -lZydis -liberty -lm
BPF_FLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Iinclude -Ivmlinux -I/usr/include/x86_64-linux-gnu

# Every room's sources; a new file in a room needs no line here.
SOURCES  := $(wildcard user/*/*.c)
OBJECTS  := $(SOURCES:%.c=$(OUT)/%.o)
ADAPTERS := $(wildcard runtimes/*.yaml)
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/*_test.c))
LIVE     := $(patsubst tests/live/%.c,$(OUT)/tests/live/%,$(wildcard tests/live/*_live.c))
SKELETON := $(OUT)/infermeter.skel.h

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)

.DELETE_ON_ERROR:
.PHONY: all demo test test-unit tests bench fmt lint clean install
all: $(OUT)/infermeter

$(OUT)/infermeter: $(OUT)/user/main.o $(OUT)/libinfermeter.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/libinfermeter.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

# The kernel's programs: one file a concern, linked into one object, embedded as a skeleton.
$(OUT)/bpf/%.o: bpf/%.bpf.c $(wildcard include/*.h bpf/*.h vmlinux/*.h)
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

$(OUT)/bpf/infermeter.linked.o: $(patsubst bpf/%.bpf.c,$(OUT)/bpf/%.o,$(wildcard bpf/*.bpf.c))
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(OUT)/bpf/infermeter.linked.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name infermeter >$@

$(filter $(OUT)/user/attach/%.o,$(OBJECTS)): $(SKELETON)

# Adapters are embedded as text.
$(OUT)/adapters.h: tools/embed.sh $(ADAPTERS)
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)tools/embed.sh $(ADAPTERS) >$@

$(filter $(OUT)/user/plan/%.o,$(OBJECTS)): $(OUT)/adapters.h

$(OUT)/tests/unit/%: tests/unit/%.c $(OUT)/libinfermeter.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(WARNINGS) -MMD -MP -o $@ $< $(OUT)/libinfermeter.a $(LDFLAGS) $(LDLIBS)

# Compiled files that the resolver's tests read.
include tests/unit/fixtures/rules.mk

# Kernel programs of tests.
$(OUT)/tests/%.skel.h: tests/%.bpf.c $(wildcard include/*.h bpf/*.h vmlinux/*.h)
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -Ibpf -c -o $(@:.skel.h=.bpf.o) $<
	$(Q)$(BPFTOOL) gen skeleton $(@:.skel.h=.bpf.o) name $(notdir $(@:.skel.h=)) >$@

# Tests of the running kernel.
$(OUT)/tests/live/%: tests/live/%.c $(OUT)/libinfermeter.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(WARNINGS) -MMD -MP -o $@ $< $(OUT)/libinfermeter.a $(LDFLAGS) $(LDLIBS)

$(OUT)/tests/live/evaluator_live: $(OUT)/tests/live/evaluator.skel.h

# What the torture tests run.
include $(wildcard tests/torture/rules.mk)

# What the benchmark runs.
$(OUT)/tests/bench/model_bench: tests/bench/model_bench.c $(OUT)/libinfermeter.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(WARNINGS) -o $@ $< $(OUT)/libinfermeter.a $(LDFLAGS) $(LDLIBS)

$(OUT)/tests/bench/caller: tests/bench/targets/caller.c tests/bench/targets/functions.S
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -g -rdynamic -o $@ $^

bench: all $(OUT)/tests/bench/model_bench $(OUT)/tests/bench/caller
	python3 tests/bench/bench.py $(BENCH)

# Everything that tests/run.py runs.
tests: all $(UNIT) $(LIVE) $(if $(wildcard tests/torture/rules.mk),torture-targets)

test:
	tools/setup.sh --tests
	$(MAKE) tests
	python3 tests/run.py all

# No root, no network: the unit tests, and once more under the address and undefined-behaviour sanitizers.
ASAN_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
test-unit: all $(UNIT)
	python3 tests/run.py unit
	$(MAKE) OUT=build-asan CC=gcc CFLAGS='$(ASAN_FLAGS)' unit-programs
	OUT=$(CURDIR)/build-asan python3 tests/run.py unit

.PHONY: unit-programs
unit-programs: $(UNIT)

demo:
	tools/demo.sh

C_FILES := $(filter-out vmlinux/%,$(wildcard user/*.c user/*/*.[ch] include/*.h bpf/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))
fmt:
	clang-format -i $(C_FILES)

lint:
	$(Q)python3 tools/rooms.py
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --suppress=missingIncludeSystem \
		--suppress=unknownMacro --suppress=uninitvar --suppress=uninitStructMember --suppress=ctuuninitvar \
		--enable=warning,portability -D_GNU_SOURCE -D__x86_64__ -DINFERMETER_VERSION='""' -Iuser -Iinclude user

install: all
	install -D -m 755 $(OUT)/infermeter $(DESTDIR)$(PREFIX)/bin/infermeter

-include $(OBJECTS:.o=.d) $(OUT)/user/main.d $(UNIT:=.d) $(LIVE:=.d)

clean:
	rm -rf $(OUT) build-asan
