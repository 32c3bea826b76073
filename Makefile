# SPDX-License-Identifier: Apache-2.0
# One non-recursive build. Everything that it makes lands in build/.
# A source file placed in one of the directories below is found by itself; nothing here needs to change for it.

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

VERSION := $(shell cat VERSION)
B       ?= build
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG   ?= clang-14
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
STRIP   ?= llvm-strip-14

# ---- flags ---------------------------------------------------------------------------------------------------------
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS += -D_GNU_SOURCE -DTAMIS_VERSION='"$(VERSION)"' -Iinclude -I. -I$(B)/gen
CFLAGS   ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) $(SAN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
LIBS_CORE    := -ljansson -lmbedcrypto -lnettle -lyaml
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

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIBTAMIS    := $(B)/libtamis.a
LIBCOMPILER := $(B)/libcompiler.a
LIBSENSOR   := $(B)/libsensor.a
BINS        := $(B)/bin/tamisc $(B)/bin/tamisd $(B)/bin/tamisctl
SKEL        := $(B)/gen/tamis.skel.h

.PHONY: build deps run check check-host matrix bench fuzz lint format deb install clean all tests help asan
build: $(BINS) docs-gen
all: build tests

# ---- BPF: one object of all families, embedded as a skeleton ------------------------------------------------------
BPF_ARCH   := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v2 -D__TARGET_ARCH_$(BPF_ARCH) -Iinclude -I. -Ibpf -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations
$(B)/bpf/tamis.bpf.o: bpf/tamis.bpf.c $(BPF_SRC) $(wildcard include/tamis/*)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	@$(STRIP) -g $@
$(SKEL): $(B)/bpf/tamis.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name tamis > $@

# ---- C -------------------------------------------------------------------------------------------------------------
# Only sensor/load includes the skeleton.
$(patsubst %.c,$(B)/obj/%.o,$(wildcard sensor/load/*.c)): | $(SKEL)
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIBTAMIS): $(call obj,$(LIB_C) $(ENGINE_C))
$(LIBCOMPILER): $(call obj,$(COMPILER_C))
$(LIBSENSOR): $(call obj,$(SENSOR_C))
$(B)/%.a:
	@rm -f $@
	ar rcs $@ $^

$(B)/bin/tamisc: $(call obj,policy-compiler/main.c) $(LIBCOMPILER) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)
$(B)/bin/tamisd: $(call obj,sensor/main.c) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)
$(B)/bin/tamisctl: $(call obj,sensor/ctl/tamisctl.c) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_SENSOR) $(LIBS_CORE)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- tests ---------------------------------------------------------------------------------------------------------
TEST_BINS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(TESTS_C))
tests: $(TEST_BINS)
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(LIBCOMPILER) $(LIBSENSOR) $(LIBTAMIS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS_SENSOR) $(LIBS_CORE)
.SECONDARY:
