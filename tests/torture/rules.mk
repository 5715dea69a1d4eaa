# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# Targets of the torture tests. Shapes: two compilers × -O0 … -O3 × endbr64 or not × frame pointer or not × stack protector
# or not; the file's name says which.
TORTURE     := $(OUT)/tests/torture
TORTURE_SRC := tests/torture/targets
TORTURE_H   := $(wildcard $(TORTURE_SRC)/*.h) tests/torture/rules.mk

SHAPES_FLAGS_cf   := -fcf-protection=full
SHAPES_FLAGS_nocf := -fcf-protection=none
SHAPES_FLAGS_fp   := -fno-omit-frame-pointer
SHAPES_FLAGS_nofp := -fomit-frame-pointer
SHAPES_FLAGS_sp   := -fstack-protector-strong
SHAPES_FLAGS_nosp := -fno-stack-protector
SHAPES_FLAGS_gcc  := -freorder-blocks-and-partition
SHAPES_FLAGS_clang :=
SHAPES_NAMES := $(foreach c,gcc clang,$(foreach o,O0 O1 O2 O3,$(foreach e,cf nocf,$(foreach f,fp nofp,$(foreach s,sp nosp,$c-$o-$e-$f-$s)))))
SHAPES_LIBRARIES := $(SHAPES_NAMES:%=$(TORTURE)/shapes/%.so)
# The words of the name: compiler, level, endbr64, frame pointer, stack protector.
shapes_word = $(word $2,$(subst -, ,$1))
shapes_cc   = $(call shapes_word,$1,1) -$(call shapes_word,$1,2) $(foreach n,1 3 4 5,$(SHAPES_FLAGS_$(call shapes_word,$1,$n)))

TORTURE_TARGETS := $(SHAPES_LIBRARIES) $(addprefix $(TORTURE)/,shapes_main shapes_static shapes_static_pie shapes_static_stripped \
	hidden_main libhidden.so unwinding unwinding_static clang/libdeep.so stacks life stress \
	libplain.so libother.so libplain_next.so short)

.PHONY: torture-targets
torture-targets: $(TORTURE_TARGETS)

$(TORTURE)/shapes/%.so: $(TORTURE_SRC)/shapes.c $(TORTURE_H)
	@mkdir -p $(@D)
	$(Q)$(call shapes_cc,$*) -fPIC -shared -o $@ $<

$(TORTURE)/shapes_main: $(TORTURE_SRC)/shapes_main.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O1 -o $@ $< -ldl

$(TORTURE)/shapes_static: $(TORTURE_SRC)/shapes_main.c $(TORTURE_SRC)/shapes.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -static -no-pie -fno-pie -DSHAPES_STATIC='"static"' -o $@ $(filter %.c,$^)

$(TORTURE)/shapes_static_pie: $(TORTURE_SRC)/shapes_main.c $(TORTURE_SRC)/shapes.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)clang -O2 -static-pie -fpie -DSHAPES_STATIC='"static-pie"' -o $@ $(filter %.c,$^)

# Nothing but the strings that it refers to tells what is in it.
$(TORTURE)/libhidden.so: $(TORTURE_SRC)/shapes.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -s -fPIC -shared -DSHAPES_HIDDEN -o $@ $<

$(TORTURE)/hidden_main: $(TORTURE_SRC)/hidden_main.c $(TORTURE)/libhidden.so $(TORTURE_H)
	$(call say,TARGET,$@)
	$(Q)gcc -O1 -o $@ $< -L$(TORTURE) -lhidden -Wl,-rpath,'$$ORIGIN'

$(TORTURE)/shapes_static_stripped: $(TORTURE_SRC)/hidden_main.c $(TORTURE_SRC)/shapes.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -s -static -no-pie -fno-pie -DSHAPES_HIDDEN -o $@ $(filter %.c,$^)

$(TORTURE)/libdeep.so: $(TORTURE_SRC)/deep.cpp $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)g++ -O2 -fPIC -shared -o $@ $<

$(TORTURE)/clang/libdeep.so: $(TORTURE_SRC)/deep.cpp $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)clang++ -O0 -fno-omit-frame-pointer -fPIC -shared -o $@ $<

# --enable-new-dtags: LD_LIBRARY_PATH goes before, so that the tests can give another libdeep.
$(TORTURE)/unwinding $(TORTURE)/stacks: $(TORTURE)/%: $(TORTURE_SRC)/%.cpp $(TORTURE)/libdeep.so $(TORTURE_H)
	$(call say,TARGET,$@)
	$(Q)g++ -std=c++17 -O2 -pthread -o $@ $< -L$(TORTURE) -ldeep -Wl,--enable-new-dtags,-rpath,'$$ORIGIN'

$(TORTURE)/unwinding_static: $(TORTURE_SRC)/unwinding.cpp $(TORTURE_SRC)/deep.cpp $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)g++ -std=c++17 -O2 -pthread -static -o $@ $(filter %.cpp,$^)

$(TORTURE)/libplain.so: $(TORTURE_SRC)/plain.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -fPIC -shared -o $@ $<

# The same bytes at the same places under other names; and the library's next version, with another body.
$(TORTURE)/libother.so: $(TORTURE_SRC)/plain.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -fPIC -shared -DPLAIN_OTHER -o $@ $<

$(TORTURE)/libplain_next.so: $(TORTURE_SRC)/plain.c $(TORTURE_H)
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)clang -O1 -fno-omit-frame-pointer -fPIC -shared -DPLAIN_LONGER -DPLAIN_VERSION='"2.0"' -o $@ $<

$(TORTURE)/life $(TORTURE)/stress $(TORTURE)/short: $(TORTURE)/%: $(TORTURE_SRC)/%.c $(TORTURE)/libplain.so $(TORTURE_H)
	$(call say,TARGET,$@)
	$(Q)gcc -O2 -Wall -D_GNU_SOURCE -pthread -o $@ $< -L$(TORTURE) -lplain -ldl -Wl,--enable-new-dtags,-rpath,'$$ORIGIN'
