# Gannet's build. `make` builds the programs in apps/, with CUDA if nvcc is installed. `make help` lists more targets and options.
#
#   make SAN=1 ...    builds with AddressSanitizer and UndefinedBehaviorSanitizer, in a separate folder
#   make CUDA=0 ...   builds without the CUDA backend, even if nvcc is installed
#   make ARCHS=all    machine code for every architecture from sm_75 on, not only for the GPU of this machine
#   make CUDART=shared   links the CUDA runtime as a shared library
#   make V=1 ...      shows the commands
#   make reproduce    runs the experiments of docs/seeds.md and writes their results into that page (ID=002: only matching names)
#   make crash        interrupts programs by kills, errors and power cuts and checks their files (CRASH=N or slice: fewer tries)
#   make fuzz         fuzzes every reader (MINUTES=10 for each target, JOBS=1 at a time, TARGETS="json net")
#   make soak         checks that a training of MINUTES=20 keeps its speed and memory
#   make fingerprint  compares the bits of trainings with tests/fingerprints.json (WRITE=1 writes it again)
#   make nullcuda     counts kernels, memory and runtime calls of a training on CUDA, without a GPU
#   make bench        times the models: ms per step, images/s, GFLOP/s, memory, as a table
#   make bench-peers PEER=PYTHON   compares them with PyTorch and JAX; PYTHON is an interpreter with both (PEERS=FOLDER of scripts)

CXX      ?= g++
BUILD    := build$(if $(SAN),/san)
Q        := $(if $(V),,@)
comma    := ,

# GCC 12 reports false positives for uninitialised variants and overlapping strings. A switch over an enum must cover every value.
WARN     := -Wall -Wextra -Wshadow -Wno-missing-field-initializers -Wno-maybe-uninitialized -Wno-restrict -Werror=switch
CXXFLAGS ?= -O2 -g1
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
FLAGS    := -std=c++20 -I. $(WARN) $(CXXFLAGS) $(SANFLAGS) -fno-math-errno -fno-trapping-math -fopenmp-simd -pthread -MMD -MP
LIBS     := -larchive -ljpeg -lpng -lz -pthread -ldl

# apps/bench compares the kernels with oneDNN if libdnnl-dev is installed. ONEDNN=0 builds without it.
HASH     := \#
ONEDNN   := $(if $(SAN),0,$(shell echo '$(HASH)include <oneapi/dnnl/dnnl.hpp>' | $(CXX) -std=c++20 -E -x c++ - >/dev/null 2>&1 && echo 1))

# The CUDA backend. The programs always contain PTX for compute_75 and compute_80, which the driver compiles for the GPU.
NVCC      := $(shell command -v nvcc)
CUDA      := $(if $(SAN),0,$(if $(NVCC),1,0))
CUDART    := static
CUDA_HOME := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
CUDA_DEFS := -DGANNET_CUDA -isystem $(CUDA_HOME)/include $(if $(wildcard $(CUDA_HOME)/include/cublas_v2.h),-DGANNET_CUBLAS)
CUDA_PATH := -L$(CUDA_HOME)/lib64 -Wl$(comma)--enable-new-dtags$(comma)-rpath$(comma)$(CUDA_HOME)/lib64
CUDA_LIBS_static := $(CUDA_PATH) -lcudart_static -lrt
CUDA_LIBS_shared := $(CUDA_PATH) -lcudart
ARCHS     := $(shell nvidia-smi --query-gpu=compute_cap --format=csv$(comma)noheader 2>/dev/null | tr -d . | grep -xE "[0-9]+" | sort -u)
override ARCHS := $(if $(filter all,$(ARCHS)),75 80 86 89 90 100 120,$(ARCHS))
NVCCFLAGS := -std=c++20 -I. -O3 -lineinfo -Werror all-warnings $(CUDA_DEFS) -Xcompiler -Wall,-Wextra,-Wno-missing-field-initializers,-Werror=switch \
             -gencode arch=compute_75$(comma)code=compute_75 -gencode arch=compute_80$(comma)code=compute_80 \
             $(foreach a,$(ARCHS),-gencode arch=compute_$(a)$(comma)code=sm_$(a))

# One binary for every x86-64: kernel files are compiled once for each instruction set. The program selects one at run time.
ISAS         := scalar avx2 avx512
FLAGS_scalar :=
FLAGS_avx2   := -mavx2 -mfma -mf16c -mbmi2
FLAGS_avx512 := $(FLAGS_avx2) -mavx512f -mavx512dq -mavx512vl -mavx512bw -mprefer-vector-width=512

APPS       := train generate evaluate summary bench
PROGRAMS   := $(if $(SAN),$(BUILD)/)apps
KERNEL_SRC := $(filter-out kernels/cpu/parallel.cpp,$(wildcard kernels/cpu/*.cpp))
ENGINE_SRC := $(wildcard base/*.cpp) kernels/cpu/parallel.cpp $(filter-out engine/tensor/cuda.cpp,$(wildcard engine/*/*.cpp)) $(wildcard data/*.cpp)
CUDA_SRC   := $(wildcard kernels/cuda/*.cu)
TEST_SRC   := $(wildcard tests/*.cpp)
VERSION    := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.SECONDARY:
.PHONY: all test bench bench-peers reproduce profile ptxas sass mutants crash fuzz check-clang soak fingerprint simt nullcuda build-simt build-shared gradcheck clean deps deps-extra help lint format check-all check-headers
all: check-headers $(APPS:%=$(PROGRAMS)/%)

help:
	@sed -n 's/^#   //p' Makefile

# ---- the engine -------------------------------------------------------------------------------------------------------
# Built with real = float, with real = double, and with real = float and the CUDA kernels on the CPU (tools/simt).
FLAGS_float  := $(if $(filter 1,$(CUDA)),$(CUDA_DEFS))
FLAGS_double := -DGANNET_DOUBLE
FLAGS_simt   := -DGANNET_CUDA -DGANNET_SIMT -Itools/simt -Wno-unknown-pragmas
LIBS_float   := $(if $(filter 1,$(CUDA)),$(CUDA_LIBS_$(CUDART)))

# A file with the compiler's flags; objects depend on it, so changed flags rebuild them. $(1) file, $(2) flags
define STAMP
$$(BUILD)/$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' > $$@.new
	@cmp -s $$@.new $$@ || mv $$@.new $$@; rm -f $$@.new
endef
$(foreach r,float double simt,$(eval $(call STAMP,$(r)/flags,$(CXX) $(FLAGS) $(FLAGS_$(r)))))
$(foreach r,float double,$(eval $(call STAMP,$(r)/isa/flags,$(CXX) $(FLAGS) $(filter -DGANNET_DOUBLE,$(FLAGS_$(r))))))
$(eval $(call STAMP,nvcc_flags,$(NVCC) $(NVCCFLAGS)))
LIBS_bench   := $(if $(filter 1,$(ONEDNN)),-ldnnl -lgomp)
$(eval $(call STAMP,link_flags,$(LIBS) $(LIBS_float) $(LIBS_bench)))
$(BUILD)/float/engine/bench/onednn.o: $(BUILD)/link_flags
$(BUILD)/float/engine/bench/onednn.o: private FLAGS += $(if $(LIBS_bench),-DGANNET_ONEDNN -fopenmp)

# $(1) float, double or simt, $(2) the folder of the CPU kernels, $(3) further objects
define ENGINE
$$(BUILD)/$(1)/%.o: %.cpp $$(BUILD)/$(1)/flags
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(FLAGS_$(1)) $$(FLAGS) -c $$< -o $$@

$$(BUILD)/$(1)/libgannet.a: $$(ENGINE_SRC:%.cpp=$$(BUILD)/$(1)/%.o) $$(ISAS:%=$$(BUILD)/$(2)/kernels_%.o) $(3)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
CUDA_OBJ := engine/tensor/cuda.o $(CUDA_SRC:%.cu=%.o)
SIMT_OBJ := $(CUDA_OBJ) $(patsubst %.cpp,%.o,$(filter-out tools/simt/test_%,$(wildcard tools/simt/*.cpp)))
$(eval $(call ENGINE,float,float,$(if $(filter 1,$(CUDA)),$(CUDA_OBJ:%=$(BUILD)/float/%))))
$(eval $(call ENGINE,double,double,))
$(eval $(call ENGINE,simt,float,$(SIMT_OBJ:%=$(BUILD)/simt/%)))

$(BUILD)/float/kernels/cuda/%.o: kernels/cuda/%.cu $(BUILD)/nvcc_flags
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(NVCCFLAGS) -MD -MP -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/simt/kernels/cuda/%.o: kernels/cuda/%.cu $(BUILD)/simt/flags
	@mkdir -p $(@D)
	$(Q)$(CXX) -x c++ $(FLAGS_simt) $(FLAGS) $(if $(SAN),,-O3) -fno-strict-aliasing -c $< -o $@

# $(1) float or double, $(2) instruction set. Symbols outside the namespace of the instruction set become local. Otherwise the
# linker could use an inline function of the standard library that was compiled for AVX-512 in the rest of the program.
define ISA
$$(BUILD)/$(1)/isa/$(2)/%.o: kernels/cpu/%.cpp $$(BUILD)/$(1)/isa/flags
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(FLAGS) $$(filter -DGANNET_DOUBLE,$$(FLAGS_$(1))) $$(FLAGS_$(2)) $(if $(SAN),,-O3) -DGANNET_ISA=$(2) -c $$< -o $$@

$$(BUILD)/$(1)/kernels_$(2).o: $$(KERNEL_SRC:kernels/cpu/%.cpp=$$(BUILD)/$(1)/isa/$(2)/%.o)
	$$(Q)ld -r --force-group-allocation -o $$@.all $$^
	$$(Q)objcopy --wildcard --keep-global-symbol='_ZN6gannet7kernels3cpu$$(shell printf %s $(2) | wc -c)$(2)*' $$@.all $$@
	@rm -f $$@.all
endef
$(foreach r,float double,$(foreach i,$(ISAS),$(eval $(call ISA,$(r),$(i)))))

# The version is compiled into one object, which is rebuilt when the version changes.
$(BUILD)/version.cpp: FORCE
	@mkdir -p $(@D)
	@printf '#include "base/version.h"\nnamespace gannet { const char* version() { return "%s"; } }\n' '$(VERSION)' > $@.new
	@cmp -s $@.new $@ || mv $@.new $@; rm -f $@.new
$(BUILD)/version.o: $(BUILD)/version.cpp
	$(Q)$(CXX) $(FLAGS) -c $< -o $@
.PHONY: FORCE
FORCE:

# ---- fuzzers: docs/reliability.md -----------------------------------------------------------------------------------------
# Readers and builders are compiled again by clang, with libFuzzer and sanitizers; the other objects are those of the float build.
# `replay` belongs to the float build.
CLANG      := clang++
FUZZED_SRC := $(wildcard base/*.cpp data/*.cpp $(foreach f,config nn model train diagnostics,engine/$f/*.cpp)) $(foreach f,run/log gan/preflight gan/warnings,engine/$f.cpp)
FUZZ_SRC   := $(filter-out tests/fuzz/replay.cpp,$(wildcard tests/fuzz/*.cpp))
$(BUILD)/fuzz/%.o: CXX := $(CLANG)
$(BUILD)/fuzz/%.o: FLAGS := -std=c++20 -I. -O1 -g1 -w -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -fno-math-errno -pthread -MMD -MP
$(BUILD)/fuzz/%.o: %.cpp
	@mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -c $< -o $@
$(BUILD)/fuzz/fuzz: $(patsubst %.cpp,$(BUILD)/fuzz/%.o,$(FUZZ_SRC) $(FUZZED_SRC)) $(BUILD)/version.o $(BUILD)/float/libgannet.a
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) $(LIBS_float)
$(BUILD)/float/replay: $(patsubst %.cpp,$(BUILD)/float/%.o,$(filter-out tests/fuzz/fuzz.cpp,$(wildcard tests/fuzz/*.cpp))) $(BUILD)/float/libgannet.a $(BUILD)/version.o
	$(Q)$(CXX) $(FLAGS) -o $@ $^ $(LIBS) $(LIBS_float)
check-clang:
	@command -v $(CLANG) >/dev/null || { echo "make fuzz: there is no $(CLANG): run 'make deps-extra'" >&2; exit 1; }
fuzz: check-clang $(BUILD)/fuzz/fuzz $(BUILD)/float/replay
	@tools/fuzz.py --build $(BUILD) --replay-program $(BUILD)/float/replay $(MINUTES:%=--minutes %) $(JOBS:%=--jobs %) $(AGAIN:%=--again) $(TARGETS)

# ---- programs --------------------------------------------------------------------------------------------------------
$(PROGRAMS)/%: $(BUILD)/float/apps/%.o $(BUILD)/version.o $(BUILD)/float/libgannet.a $(BUILD)/link_flags
	@mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) $(LIBS_float) $(LIBS_$(*F))
	@echo "built $@"
$(BUILD)/double/apps/%: $(BUILD)/double/apps/%.o $(BUILD)/version.o $(BUILD)/double/libgannet.a $(BUILD)/link_flags
	$(Q)$(CXX) $(FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
	@echo "built $@"
$(BUILD)/simt/apps/%: $(BUILD)/simt/apps/%.o $(BUILD)/version.o $(BUILD)/simt/libgannet.a $(BUILD)/link_flags
	$(Q)$(CXX) $(FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
	@echo "built $@"

# ---- tests -----------------------------------------------------------------------------------------------------------
$(BUILD)/%/run_tests: $(BUILD)/version.o $(BUILD)/%/libgannet.a $(BUILD)/link_flags
	$(Q)$(CXX) $(FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) $(LIBS_$*)
$(foreach r,float double simt,$(eval $(BUILD)/$(r)/run_tests: $(TEST_SRC:%.cpp=$(BUILD)/$(r)/%.o)))

test: all $(BUILD)/float/run_tests $(BUILD)/double/run_tests build-simt $(BUILD)/float/replay $(BUILD)/crash/shim.so
	@GANNET_APPS=$(PROGRAMS) tools/run_tests.sh $(BUILD)

gradcheck: $(BUILD)/double/run_tests
	$(BUILD)/double/run_tests --test-case='gradients*'

# The objects of the float build, linked with a shared CUDA runtime, which an emulator can replace.
$(BUILD)/shared/run_tests: $(TEST_SRC:%.cpp=$(BUILD)/float/%.o)
$(BUILD)/shared/train: $(BUILD)/float/apps/train.o
$(BUILD)/shared/bench: $(BUILD)/float/apps/bench.o
$(BUILD)/shared/run_tests $(BUILD)/shared/train $(BUILD)/shared/bench: $(BUILD)/version.o $(BUILD)/float/libgannet.a
	@mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) $(CUDA_LIBS_shared) $(LIBS_$(@F))
$(BUILD)/shared/test_curand: tests/test_curand.cu kernels/philox.h $(BUILD)/nvcc_flags
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(NVCCFLAGS) -cudart shared -o $@ $<
build-shared: $(BUILD)/shared/run_tests $(BUILD)/shared/train $(BUILD)/shared/bench $(BUILD)/shared/test_curand

# The CUDA kernels on the CPU: tools/simt.
SIMT_TESTS := $(wildcard tools/simt/test_*.cpp)
$(BUILD)/simt/shim_tests: $(BUILD)/simt/tests/main.o $(SIMT_TESTS:%.cpp=$(BUILD)/simt/%.o) $(filter $(BUILD)/simt/tools/simt/%,$(SIMT_OBJ:%=$(BUILD)/simt/%))
	$(Q)$(CXX) $(FLAGS) -o $@ $^ $(LIBS)
build-simt: $(BUILD)/simt/run_tests $(BUILD)/simt/shim_tests $(BUILD)/simt/apps/train $(BUILD)/simt/apps/bench
simt: build-simt
	@tools/test_cuda.sh $(BUILD)/simt $(BUILD)/simt/apps/train

# Calls, memory and launches of training at the models' true sizes: tools/nullcuda.
nullcuda: build-simt
	@tools/nullcuda/check.py $(BUILD)/simt

# Timings; the machine should be idle otherwise. BENCHFLAGS: options of tools/side_by_side.py, such as --models mlp --rounds 5.
PEER  ?= python3
PEERS ?= ../shared/peer
bench: all
	@python3 tools/side_by_side.py --bench $(PROGRAMS)/bench --rounds 1 $(BENCHFLAGS)
bench-peers: all
	@python3 tools/side_by_side.py --bench $(PROGRAMS)/bench --peer $(PEERS) --python $(PEER) $(BENCHFLAGS)

# The experiments of docs/seeds.md. ID= selects experiments; FACES= and SPRITES= are folders of images.
reproduce: all
	@tools/reproduce.py $(ID) $(if $(FACES),--faces $(FACES)) $(if $(SPRITES),--sprites $(SPRITES))

profile: all
	@tools/profile.sh $(MODEL)

# Plants bugs in the kernels and counts how many of them the tests find.
mutants: build-simt
	@tools/simt/mutants.sh

# Kills, failing calls, full disks, power cuts: CRASH=N at most N tries of each part and command, KILLS=N kills at random moments,
# PARTS="kill power" only these.
CRASH_SLICE := --tries 5 --kills 6
$(BUILD)/crash/shim.so: $(wildcard tools/crash/*.cpp) tools/crash/shim.h
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++20 -O1 -fno-builtin $(WARN) -Wno-shadow -shared -fPIC -o $@ $(filter %.cpp,$^) -ldl
crash: all $(BUILD)/crash/shim.so
	@tools/crash/crash.py --apps $(PROGRAMS) --shim $(BUILD)/crash/shim.so $(PARTS) $(if $(filter slice,$(CRASH)),$(CRASH_SLICE),$(CRASH:%=--tries %)) $(KILLS:%=--kills %)

# Checks that trainings compute the same bits as before. WRITE=1 writes the table of hashes again.
fingerprint: all $(BUILD)/double/apps/train $(BUILD)/simt/apps/train
	@tools/fingerprint.py --apps $(PROGRAMS) --build $(BUILD) --compiler $(CXX) $(WRITE:%=--write)

# Checks that a long run keeps its speed and memory; the machine should be idle otherwise.
soak: all
	@tools/soak.py --apps $(PROGRAMS) $(MINUTES:%=--minutes %)

# Checks the compiled CUDA kernels: docs/cuda.md.
ptxas:
	@python3 tools/ptxas.py --build $(BUILD)
sass:
	@python3 tools/sass.py --build $(BUILD)

# The full test matrix: sanitizers, every instruction set, one thread and several.
check-all:
	@tools/check_all.sh

# ---- dependencies ------------------------------------------------------------------------------------------------------
# header:package
NEEDS := zlib.h:zlib1g-dev png.h:libpng-dev jpeglib.h:libjpeg62-turbo-dev archive.h:libarchive-dev nlohmann/json.hpp:nlohmann-json3-dev CLI/CLI.hpp:libcli11-dev eigen3/Eigen/Dense:libeigen3-dev doctest/doctest.h:doctest-dev

# The compiler searches for each header, so a header may be in any include folder.
check-headers:
	@for need in $(NEEDS); do \
	  echo "#include <$${need%%:*}>" | $(CXX) -std=c++20 -E -x c++ - >/dev/null 2>&1 || missing="$$missing $${need##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  echo "make: missing$$missing: run 'make deps', or: apt-get install$$missing" >&2; exit 1; fi

deps:
	@tools/deps.sh

# PyTorch for the tests that recompute traces, and the clang tools for `make lint` and `make fuzz`.
deps-extra:
	@tools/deps.sh --extra

lint:
	@tools/lint.sh

format:
	clang-format -i $$(git ls-files '*.h' '*.cpp' '*.inl' '*.cu')

clean:
	rm -rf build $(APPS:%=apps/%)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
