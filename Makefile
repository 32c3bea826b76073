# SPDX-License-Identifier: Apache-2.0
# One non-recursive build. Everything that it makes lands in build/.
# A source file placed in one of the directories below is found by itself; nothing here needs to change for it.

MAKEFLAGS += --no-builtin-rules --no-print-directory --jobs=$(shell nproc)
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

VERSION := $(shell cat VERSION)
# `make ARCH=arm64` builds for another architecture, in build/arm64, with Debian's cross compiler and the libraries that
# tools/sysroot unpacks there.
HOST_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(shell uname -m)))
ARCH    ?= $(HOST_ARCH)
ifeq ($(ARCH),$(HOST_ARCH))
B       ?= build
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
else
B       ?= build/$(ARCH)
SYSROOT := build/$(ARCH)/sysroot
CC      := $(patsubst arm64,aarch64,$(patsubst amd64,x86_64,$(ARCH)))-linux-gnu-gcc --sysroot=$(SYSROOT)
endif
# Debian 12 has version 14, Debian 13 has 19.
tool     = $(firstword $(foreach v,14 19,$(if $(shell command -v $(1)-$(v)),$(1)-$(v))) $(1))
CLANG   ?= $(call tool,clang)
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
STRIP   ?= $(call tool,llvm-strip)
CLANG   := $(CLANG)
STRIP   := $(STRIP)

# `make V=1` shows the whole commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

# ---- flags ---------------------------------------------------------------------------------------------------------
WERROR   ?= -Werror
WARN     := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -D_GNU_SOURCE -DTAMIS_VERSION='"$(VERSION)"' -Iinclude -I. -I$(B)/gen
CFLAGS   ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) $(SAN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
MODULE_LDFLAGS := -Wl,-z,relro,-z,now$(if $(SAN),,,-z,defs) # clang has its sanitizers in the program
# mbedx509 only where certificates are looked at: tamisctl
LIBS_CORE    := -ljansson -Wl,--push-state,--as-needed -lmbedx509 -Wl,--pop-state -lmbedcrypto -lnettle -lyaml
LIBS_SENSOR  := -lbpf -lelf -lz -lseccomp -lcap -lsqlite3

# ---- sources -------------------------------------------------------------------------------------------------------
LIB_C      := $(wildcard lib/*.c)
ENGINE_C   := $(wildcard engine/*.c)
COMPILER_C := $(filter-out policy-compiler/main.c,$(wildcard policy-compiler/*.c))
# sensor/main.c is tamisd, sensor/ctl/tamisctl.c is tamisctl; the rest of sensor/ serves both.
SENSOR_C   := $(filter-out sensor/ctl/tamisctl.c,$(wildcard sensor/*/*.c))
BPF_SRC    := $(wildcard bpf/*.bpf.c bpf/lib/*.h)
TESTS_C    := $(wildcard tests/unit/test_*.c)
FUZZ_C     := $(wildcard tests/fuzz/fuzz_*.c)
CONF_C     := $(wildcard tests/conformance/*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIBTAMIS    := $(B)/libtamis.a
LIBCOMPILER := $(B)/libcompiler.a
LIBSENSOR   := $(B)/libsensor.a
BINS        := $(B)/bin/tamisc $(B)/bin/tamisd $(B)/bin/tamisctl
SKEL        := $(B)/gen/tamis.skel.h $(B)/gen/inode.skel.h

# Each sink is a module that tamisd loads (docs/sinks.md); one whose library is not here is left out. SINKS="file unix" picks.
has = $(shell printf '\043include <%s>\n' $(1) | $(CC) -E -xc - >/dev/null 2>&1 && echo $(2))
SINKS ?= file unix syslog $(call has,curl/curl.h,http) $(call has,librdkafka/rdkafka.h,kafka) $(call has,nats/nats.h,nats)
SINKS := $(filter $(patsubst sinks/%.c,%,$(wildcard sinks/*.c)),$(SINKS))
SINK_MODULES := $(patsubst %,$(B)/sinks/tamis-sink-%.so,$(SINKS))
SINK_LIBS_syslog := -lmbedtls -lmbedx509 -lmbedcrypto
SINK_LIBS_http   := -lcurl
SINK_LIBS_kafka  := -lrdkafka
SINK_LIBS_nats   := -lnats

# What seals the log's keys is a module, too (SECURITY.md).
SEALS ?= $(call has,tss2/tss2_esys.h,tpm2)
SEAL_MODULES := $(patsubst %,$(B)/seal/tamis-seal-%.so,$(SEALS))
SEAL_LIBS_tpm2 := -ltss2-esys -ltss2-mu -ltss2-rc -ltss2-tctildr

.PHONY: build binaries deps run check check-host matrix stress bench fuzz lint format deb install clean all tests help asan
binaries: $(BINS) $(SINK_MODULES) $(SEAL_MODULES) $(B)/bin/conformance
build: binaries $(if $(SYSROOT),,docs-gen)
all: build tests

# ---- BPF: one object of all families, embedded as a skeleton ------------------------------------------------------
BPF_ARCH   := $(patsubst amd64,x86,$(ARCH))
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v2 -D__TARGET_ARCH_$(BPF_ARCH) -Iinclude -I. -Ibpf -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations
$(B)/bpf/tamis.bpf.o: bpf/tamis.bpf.c $(BPF_SRC) $(wildcard include/tamis/*)
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	@$(STRIP) -g $@
# Files by their inodes: an object of its own, see its head.
$(B)/bpf/inode.bpf.o: bpf/inode.c $(BPF_SRC) $(wildcard include/tamis/*)
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	@$(STRIP) -g $@
$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(patsubst inode,inode_bpf,$*) > $@

ifdef SYSROOT
$(SYSROOT)/complete:
	$(Q)tools/sysroot $(ARCH)
endif

# ---- C -------------------------------------------------------------------------------------------------------------
# Only sensor/load includes the skeleton.
$(patsubst %.c,$(B)/obj/%.o,$(wildcard sensor/load/*.c)): | $(SKEL)
$(B)/obj/%.o: %.c | $(SYSROOT:%=%/complete)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIBTAMIS): $(call obj,$(LIB_C) $(ENGINE_C))
$(LIBCOMPILER): $(call obj,$(COMPILER_C))
$(LIBSENSOR): $(call obj,$(SENSOR_C))
$(B)/%.a:
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(B)/bin/tamisc: $(call obj,policy-compiler/main.c) $(LIBCOMPILER) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)
$(B)/bin/tamisd: $(call obj,sensor/main.c) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)
$(B)/bin/tamisctl: $(call obj,sensor/ctl/tamisctl.c) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)

$(B)/sinks/tamis-sink-%.so: sinks/%.c sinks/sink.h include/tamis/sink.h
	@mkdir -p $(@D)
	$(call say,SO,$@)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -fvisibility=hidden -shared $(MODULE_LDFLAGS) $(SAN) \
		-o $@ $< $(SINK_LIBS_$*)

$(B)/seal/tamis-seal-%.so: seal/%.c include/tamis/seal.h
	@mkdir -p $(@D)
	$(call say,SO,$@)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC -fvisibility=hidden -shared $(MODULE_LDFLAGS) $(SAN) \
		-o $@ $< $(SEAL_LIBS_$*)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- tests ---------------------------------------------------------------------------------------------------------
TEST_BINS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(TESTS_C))
tests: $(TEST_BINS) $(B)/bin/conformance $(SINK_MODULES)
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(LIBCOMPILER) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_SENSOR) $(LIBS_CORE)
# Cases of the policy language: build/bin/conformance FILE...
$(B)/bin/conformance: $(call obj,$(CONF_C)) $(LIBCOMPILER) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)
.SECONDARY:

# ---- what people call ----------------------------------------------------------------------------------------------
help:
	@sed -n 's/^#> //p' Makefile

#> make deps        install what packages.txt names (root)
deps:
	@tools/deps

#> make run         build, sign rules/ and run the sensor on this machine (root)
run: deps
	@$(MAKE) build
	@tools/run $(RUN_ARGS)

#> make check-host  unit tests, conformance, rule tests; no privilege
check-host: build tests
	@tools/check-host

#> make asan        all of it built by clang with AddressSanitizer and UBSan, and the same tests
ASAN_CC ?= $(CLANG)
asan:
	@$(MAKE) B=build/asan CC="$(ASAN_CC)" SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" \
		CFLAGS="-O1 -g -fno-omit-frame-pointer" HARDEN=-fPIE binaries tests
	@TAMIS_BUILD=build/asan tools/check-host

#> make check       everything: check-host, sanitizers, the sensor on this kernel, the kernel matrix, the packages (root)
check: deps
	@$(MAKE) build tests
	@tools/check

#> make matrix      every event x rung on kernels 5.10 to 7.x in QEMU (MATRIX_ARGS=--short: as `make check` does it)
matrix: build
	@tests/kernel-matrix/run $(MATRIX_ARGS)

#> make stress      the sensor under load for STRESS_SECONDS (600) on each of those kernels
stress: build
	@tests/kernel-matrix/stress $(STRESS_ARGS)

#> make bench       side-by-side measurements; prints ratios (bench/log 60: the signed log alone, at its promised rate)
BENCH_BINS := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
$(B)/bench/%: $(B)/obj/bench/%.o $(LIBCOMPILER) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)
bench: build $(BENCH_BINS)
	@env -u MAKEFLAGS bench/run # no work of this make

#> make fuzz        every fuzz target for FUZZ_SECONDS (10) on its corpus
FUZZ_SECONDS ?= 10
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_C))
FUZZ_FLAGS := -std=gnu11 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE \
	-DTAMIS_VERSION='"$(VERSION)"' -Iinclude -I. -I$(B)/gen
FUZZ_LIB := $(patsubst %.c,$(B)/fuzzobj/%.o,$(LIB_C) $(ENGINE_C) $(COMPILER_C) $(filter-out sensor/load/%,$(SENSOR_C)))
$(B)/fuzzobj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@
$(B)/libfuzz.a: $(FUZZ_LIB)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^
$(B)/fuzz/%: $(B)/fuzzobj/tests/fuzz/%.o $(B)/libfuzz.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)
-include $(shell find $(B)/fuzzobj -name '*.d' 2>/dev/null)
fuzz-build: $(FUZZ_BINS)
fuzz: fuzz-build
	@tools/fuzz $(FUZZ_SECONDS) $(FUZZ_BINS)

#> make lint        formatting, clang-tidy, include directions, SPDX lines
lint: build
	@tools/lint

format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')

#> make deb         Debian packages into build/deb/
deb:
	@packaging/build-deb

#> make install     into DESTDIR, PREFIX (/usr)
PREFIX ?= /usr
install: build
	install -D -m 755 $(B)/bin/tamisc $(DESTDIR)$(PREFIX)/bin/tamisc
	install -D -m 755 $(B)/bin/tamisctl $(DESTDIR)$(PREFIX)/bin/tamisctl
	install -D -m 755 $(B)/bin/tamisd $(DESTDIR)$(PREFIX)/sbin/tamisd
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tamis/sinks $(SINK_MODULES)
	$(if $(SEAL_MODULES),install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tamis/seal $(SEAL_MODULES))
	for m in docs/man/*.[1-8]; do \
		install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	for c in packaging/completions/*.bash; do \
		install -D -m 644 $$c $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$(basename $$c .bash); done
	cd rules && find . -name '*.yaml' ! -name '*.test.yaml' \
		-exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/tamis/rules/{} \;
	install -D -m 644 packaging/tamisd.conf $(DESTDIR)/etc/tamis/tamisd.conf
	install -D -m 644 packaging/systemd/tamisd.service $(DESTDIR)/lib/systemd/system/tamisd.service
	install -D -m 644 -t $(DESTDIR)/lib/systemd/system packaging/systemd/tamis-metrics.socket packaging/systemd/tamis-metrics@.service
	install -D -m 644 packaging/systemd/sinks.conf $(DESTDIR)/lib/systemd/system/tamisd.service.d/sinks.conf
	install -D -m 644 packaging/systemd/tamis.sysusers $(DESTDIR)/usr/lib/sysusers.d/tamis.conf
	install -D -m 644 packaging/systemd/tamis.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/tamis.conf
	install -D -m 644 packaging/systemd/tamis-sinks.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/tamis-sinks.conf

# Pages that come from tables; lint fails where they are stale.
docs-gen: docs/fields.md docs/matrix.md
docs/fields.md: $(B)/bin/tamisc
	@$< fields --markdown > $@.new && { cmp -s $@.new $@ && rm $@.new || mv $@.new $@; }
docs/matrix.md: tools/matrix-page tests/kernel-matrix/expected.tsv
	@LC_ALL=C $^ > $@.new && { cmp -s $@.new $@ && rm $@.new || mv $@.new $@; }

clean:
	rm -rf $(B)
.PHONY: docs-gen fuzz-build
