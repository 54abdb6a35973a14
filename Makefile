# Gannet's build. `make` builds the programs in apps/ for whatever this machine has, `make help` lists the rest.
#
#   make SAN=1 ...    AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of its own
#   make V=1 ...      shows the commands

CXX      ?= g++
BUILD    := build$(if $(SAN),/san)
Q        := $(if $(V),,@)
comma    := ,

# GCC 12 sees uninitialised variants and overlapping strings where there are none.
WARN     := -Wall -Wextra -Wshadow -Wno-missing-field-initializers -Wno-maybe-uninitialized -Wno-restrict
CXXFLAGS ?= -O2 -g1
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
FLAGS    := -std=c++20 -I. $(WARN) $(CXXFLAGS) $(SANFLAGS) -fno-math-errno -fno-trapping-math -fopenmp-simd -pthread -MMD -MP
LIBS     := -lpng -lz -pthread

# One binary for every x86-64: kernel files are compiled once for each instruction set and picked at run time.
ISAS         := scalar avx2 avx512
FLAGS_scalar :=
FLAGS_avx2   := -mavx2 -mfma -mf16c -mbmi2
FLAGS_avx512 := $(FLAGS_avx2) -mavx512f -mavx512dq -mavx512vl -mavx512bw -mprefer-vector-width=512

APPS       := train generate summary
PROGRAMS   := $(if $(SAN),$(BUILD)/)apps
KERNEL_SRC := $(filter-out kernels/cpu/parallel.cpp,$(wildcard kernels/cpu/*.cpp))
ENGINE_SRC := kernels/cpu/parallel.cpp $(wildcard engine/*/*.cpp) $(wildcard data/*.cpp)
TEST_SRC   := $(wildcard tests/*.cpp)
VERSION    := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.SECONDARY:
.PHONY: all test gradcheck clean deps deps-extra help lint format check-all check-headers
all: check-headers $(APPS:%=$(PROGRAMS)/%)

help:
	@sed -n 's/^#   //p' Makefile

# ---- the engine, once for real = float and once for real = double ---------------------------------------------------
# $(1) float or double
define ENGINE
FLAGS_$(1) := $(if $(filter double,$(1)),-DGANNET_DOUBLE)

$$(BUILD)/$(1)/%.o: %.cpp
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(FLAGS) $$(FLAGS_$(1)) -c $$< -o $$@

$$(BUILD)/$(1)/libgannet.a: $$(ENGINE_SRC:%.cpp=$$(BUILD)/$(1)/%.o) $$(ISAS:%=$$(BUILD)/$(1)/kernels_%.o)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
$(foreach r,float double,$(eval $(call ENGINE,$(r))))

# $(1) float or double, $(2) instruction set. Symbols outside the set's own namespace are made local: an inline function
# of the standard library that was compiled for AVX-512 must never be the copy that the rest of the program gets.
define ISA
$$(BUILD)/$(1)/isa/$(2)/%.o: kernels/cpu/%.cpp
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(FLAGS) $$(FLAGS_$(1)) $$(FLAGS_$(2)) $(if $(SAN),,-O3) -DGANNET_ISA=$(2) -c $$< -o $$@

$$(BUILD)/$(1)/kernels_$(2).o: $$(KERNEL_SRC:kernels/cpu/%.cpp=$$(BUILD)/$(1)/isa/$(2)/%.o)
	$$(Q)ld -r --force-group-allocation -o $$@.all $$^
	$$(Q)objcopy --wildcard --keep-global-symbol='_ZN6gannet7kernels3cpu$$(shell printf %s $(2) | wc -c)$(2)*' $$@.all $$@
	@rm -f $$@.all
endef
$(foreach r,float double,$(foreach i,$(ISAS),$(eval $(call ISA,$(r),$(i)))))

# The version reaches the programs through one object, rebuilt when it changes.
$(BUILD)/version.cpp: FORCE
	@mkdir -p $(@D)
	@printf '#include "engine/run/version.h"\nnamespace gannet { const char* version() { return "%s"; } }\n' '$(VERSION)' > $@.new
	@cmp -s $@.new $@ || mv $@.new $@; rm -f $@.new
$(BUILD)/version.o: $(BUILD)/version.cpp
	$(Q)$(CXX) $(FLAGS) -c $< -o $@
.PHONY: FORCE
FORCE:

# ---- programs --------------------------------------------------------------------------------------------------------
$(PROGRAMS)/%: $(BUILD)/float/apps/%.o $(BUILD)/version.o $(BUILD)/float/libgannet.a
	@mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -o $@ $^ $(LIBS)
	@echo "built $@"

# ---- tests -----------------------------------------------------------------------------------------------------------
$(BUILD)/float/run_tests: $(TEST_SRC:%.cpp=$(BUILD)/float/%.o) $(BUILD)/version.o $(BUILD)/float/libgannet.a
	$(Q)$(CXX) $(FLAGS) -o $@ $^ $(LIBS)
$(BUILD)/double/run_tests: $(TEST_SRC:%.cpp=$(BUILD)/double/%.o) $(BUILD)/version.o $(BUILD)/double/libgannet.a
	$(Q)$(CXX) $(FLAGS) -o $@ $^ $(LIBS)

test: all $(BUILD)/float/run_tests $(BUILD)/double/run_tests
	@GANNET_APPS=$(PROGRAMS) tools/run_tests.sh $(BUILD)

gradcheck: $(BUILD)/double/run_tests
	$(BUILD)/double/run_tests --test-case='gradients*'

# Everything: sanitizers, every instruction set, one thread and several.
check-all:
	@tools/check_all.sh

# ---- what the build needs ----------------------------------------------------------------------------------------------
# header:package
NEEDS := zlib.h:zlib1g-dev png.h:libpng-dev nlohmann/json.hpp:nlohmann-json3-dev CLI/CLI.hpp:libcli11-dev doctest/doctest.h:doctest-dev

# Asks the compiler, so that a header in any place it searches counts.
check-headers:
	@for need in $(NEEDS); do \
	  echo "#include <$${need%%:*}>" | $(CXX) -std=c++20 -E -x c++ - >/dev/null 2>&1 || missing="$$missing $${need##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  echo "make: missing$$missing: run 'make deps', or: apt-get install$$missing" >&2; exit 1; fi

deps:
	@tools/deps.sh

# PyTorch, for the tests that recompute traces, and the clang tools of `make lint`.
deps-extra:
	@tools/deps.sh --extra

lint:
	@tools/lint.sh

format:
	clang-format -i $$(git ls-files '*.h' '*.cpp' '*.inl')

clean:
	rm -rf build $(APPS:%=apps/%)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
