# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            builds everything into build/ (see `make help`)
# make SAN=1      the same with address and undefined-behaviour sanitizers, into build/san/
# make V=1        shows the commands

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all

PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
UNITDIR ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
TMPFILESDIR ?= /usr/lib/tmpfiles.d
NETWORKDIR ?= /usr/lib/systemd/network
NMDIR ?= /usr/lib/NetworkManager/conf.d
SYSCONFDIR ?= /etc
DESTDIR ?=

CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(or $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool),bpftool)
PYTHON ?= /usr/bin/python3
O := build$(if $(SAN),/san)

ifeq ($(V),1)
Q :=
msg = @:
else
Q := @
msg = @printf '  %-8s %s\n' "$(1)" "$(patsubst $(CURDIR)/%,%,$(2))";
endif

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wvla
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(SAN),,-D_FORTIFY_SOURCE=2)
, := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(,)undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) \
	-Iinclude -Ilib -Icontroller -I$(O) -I$(O)/gen
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(LDFLAGS)
# libbpf's name for the machine: how loads are kept in order depends on it (bpf/tables.h)
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-unused-parameter -Werror -Iinclude -Ivmlinux -Ibpf

LIBS_BASE := -lcjson -lnettle
LIBS_BPF := -lbpf -lelf -lz

srcs = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(O)/obj/%.o,$(1))
c_only = $(filter-out %.bpf.c,$(call srcs,$(1)))

LIB_OBJS := $(call objs,$(call c_only,lib))
CONTROLLER_OBJS := $(call objs,$(filter-out controller/main.c,$(call c_only,controller)))
SUPPORT_OBJS := $(call objs,$(call c_only,tests/support))
PROGRAMS := $(if $(wildcard loader/main.c),rsip-loader) $(if $(wildcard controller/main.c),rsipd) \
	$(if $(wildcard ctl/*.c),rsipctl) $(if $(wildcard client/main.c),rsip-client)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BPF_TESTS := $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BPF_SRCS := $(wildcard bpf/*.bpf.c client/*.bpf.c bench/plane/*.bpf.c)
SKELS := $(patsubst %.bpf.c,$(O)/gen/%.skel.h,$(notdir $(BPF_SRCS)))

.PHONY: all
all: check-deps $(addprefix $(O)/,$(PROGRAMS)) ## build all programs

# ---- BPF objects and skeletons ----------------------------------------------------------------------------

vpath %.bpf.c bpf client bench/plane tests/bpf
$(O)/gen/%.bpf.o: %.bpf.c vmlinux/vmlinux.h
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(O)/gen/%.skel.h: $(O)/gen/%.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< > $@

.PHONY: bpf
bpf: $(SKELS) ## build the BPF objects and their skeletons

# ---- C objects: each sees the skeletons; -MMD knows who really includes which -------------------------------

$(O)/obj/%.o: %.c | $(SKELS)
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -I$(<D) -MMD -MP -c $< -o $@

# of the data plane a build that is for this test alone, and in no program
$(O)/obj/tests/bpf/test_publish_stress.o: $(O)/gen/paused.skel.h

$(O)/obj/tests/%.o: ALL_CFLAGS += -Itests/support -Iloader -Iclient -Ictl -Wno-missing-prototypes

$(O)/librsip.a: $(LIB_OBJS)
$(O)/libcontroller.a: $(CONTROLLER_OBJS)
$(O)/libsupport.a: $(SUPPORT_OBJS)
LOADER_OBJS := $(call objs,$(filter-out loader/main.c,$(call c_only,loader)))
CLIENT_OBJS := $(call objs,$(filter-out client/main.c,$(call c_only,client)))
$(O)/libloader.a: $(LOADER_OBJS)
$(O)/libclient.a: $(CLIENT_OBJS)
%.a:
	$(call msg,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

link = $(Q)mkdir -p $(@D) && $(CC) $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS_ALL) $(1) -o $@

$(O)/rsip-loader: $(O)/obj/loader/main.o $(O)/libloader.a $(O)/librsip.a
	$(call msg,LINK,$@)
	$(call link,$(LIBS_BPF) $(LIBS_BASE) -lmnl -lnftables)
$(O)/rsipd: $(O)/obj/controller/main.o $(O)/libcontroller.a $(O)/librsip.a
	$(call msg,LINK,$@)
	$(call link,$(LIBS_BPF) $(LIBS_BASE) -lmnl -levent_core -lcap-ng -lsystemd -lsqlite3 -pthread)
$(O)/rsipctl: $(call objs,$(call c_only,ctl)) $(O)/librsip.a
	$(call msg,LINK,$@)
	$(call link,$(LIBS_BASE))
$(O)/rsip-client: $(O)/obj/client/main.o $(O)/libclient.a $(O)/librsip.a
	$(call msg,LINK,$@)
	$(call link,$(LIBS_BPF) $(LIBS_BASE) -lmnl -lsystemd -levent_core -lcap-ng)

# ---- tests ----------------------------------------------------------------------------------------------------

TEST_LIBS := $(LIBS_BPF) $(LIBS_BASE) -lmnl -lnftables -levent_core -lcap-ng -lsystemd -lsqlite3 -pthread -lcriterion
TEST_ARCHIVES := $(O)/libsupport.a $(O)/libcontroller.a $(O)/libloader.a $(O)/libclient.a $(O)/librsip.a

$(O)/tests/unit/%: $(O)/obj/tests/unit/%.o $(TEST_ARCHIVES)
	$(call msg,LINK,$@)
	$(call link,$(TEST_LIBS))
$(O)/tests/bpf/%: $(O)/obj/tests/bpf/%.o $(TEST_ARCHIVES)
	$(call msg,LINK,$@)
	$(call link,$(TEST_LIBS))

.PHONY: test-programs test unit test-bpf lab test-long demo
test-programs: all $(UNIT_TESTS) $(BPF_TESTS) $(O)/tests/bpf/copies $(O)/bench/plane

test: deps ## install what is missing, build, run unit, BPF and lab tests
	$(Q)tests/vm/demo.sh can || packaging/deps.sh install vm || :
	$(Q)$(MAKE) --no-print-directory test-programs fuzzers
	$(Q)O=$(O) tests/run unit bpf model fuzz lab

unit: test-programs ## only the unit tests (no root needed)
	$(Q)O=$(O) tests/run unit
test-bpf: test-programs ## only the whole-packet tests
	$(Q)O=$(O) tests/run bpf
lab: test-programs ## only the lab
	$(Q)O=$(O) tests/run lab
test-long: test-programs ## everything, with the long forms
	$(Q)O=$(O) LONG=1 RSIP_MODEL_OPS=10000000 tests/run unit bpf model lab

.PHONY: test-san
test-san: deps ## unit, whole-packet tests and lab with sanitizers (SAN=1): memory errors, undefined behaviour, leaks of the daemons
	$(Q)$(MAKE) --no-print-directory SAN=1 test-programs
	$(Q)O=build/san tests/run unit bpf lab

.PHONY: test-vm
test-vm: ## the same on Debian's kernels 6.1 and 6.12 in virtual machines (KERNELS, JOBS, LABS, SCENARIOS choose; RESUME=1)
	$(Q)packaging/deps.sh install vm
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)O=$(O) KERNELS="$(KERNELS)" LABS="$(LABS)" SCENARIOS="$(SCENARIOS)" RESUME="$(RESUME)" tests/vm/run $(JOBS)

.PHONY: comparison
comparison: ## write the table of docs/comparison.md from what test-vm saw last
	$(Q)test -d build/vm/results || { echo 'no results: sudo make test-vm JOBS="ipsec nat" first' >&2; exit 1; }
	$(Q)tests/vm/ipsec/table.py build/vm/results >build/vm/table
	$(Q)sed -i -e '/^<!-- table:/r build/vm/table' -e '/^<!-- table:/,/^<!-- end of table/{/^<!--/!d}' docs/comparison.md

.PHONY: bench-rsipd
$(O)/bench/rsipd_load: $(O)/obj/bench/rsipd_load.o
	$(call msg,LINK,$@)
	$(call link,)
$(O)/bench/slow_flush.so: bench/slow_flush.c
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -O2 -Wall -Wextra -Werror -shared -fPIC $< -o $@
bench-rsipd: all $(O)/bench/rsipd_load $(O)/bench/slow_flush.so ## leases a second, their latency, rsipd's CPU time (needs root, some minutes)
	$(Q)O=$(O) bench/rsipd.sh

demo: deps ## the main job in a lab of its own: two hosts, one address, one peer; then kernel IPsec
	$(Q)$(MAKE) --no-print-directory all
	$(Q)O=$(O) tests/lab/demo.sh
	$(Q)tests/vm/demo.sh can || packaging/deps.sh install vm || :
	$(Q)O=$(O) tests/vm/demo.sh

.PHONY: demo-soho demo-robo demo-roadwarrior
demo-soho: ## RFC 3104 Appendix F with kernel IPsec: one address for NAPT, the gateway, and IPsec hosts
demo-robo: ## the same: hosts of a branch office, tunnels to headquarters
demo-roadwarrior: ## the same: a laptop on the Internet leases an address of the corporate network
demo-soho demo-robo demo-roadwarrior: demo-%: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/vm/demo.sh can || packaging/deps.sh install vm || :
	$(Q)O=$(O) tests/vm/demos/$*.sh

# ---- fuzzers: clang's libFuzzer with sanitizers, over objects of their own ---------------------------------------

FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -Iinclude -Ilib -Icontroller -Iclient -I$(O)/gen
# of the host's program what needs neither the kernel nor an event loop
FUZZ_CLIENT := $(addsuffix .c,$(addprefix client/,session registration answers leases late messages authentic advice state locals portset demand charon))
FUZZ_OBJS := $(patsubst %.c,$(O)/fuzz/obj/%.o,$(filter-out controller/main.c,$(call c_only,controller)) $(call c_only,lib) $(FUZZ_CLIENT))

$(O)/fuzz/obj/%.o: %.c | $(SKELS)
	$(call msg,FUZZCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(O)/fuzz/libfuzz.a: $(FUZZ_OBJS)
$(O)/fuzz/fuzz_%: $(O)/fuzz/obj/tests/fuzz/fuzz_%.o $(O)/fuzz/libfuzz.a
	$(call msg,FUZZER,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(LIBS_BPF) $(LIBS_BASE) -lmnl -levent_core -lcap-ng -lsystemd -lsqlite3 -pthread -o $@

FUZZ_SECONDS ?= 60
.PHONY: fuzzers fuzz
fuzzers: $(FUZZERS)
fuzz: deps ## run each fuzzer for FUZZ_SECONDS (default 60)
	$(Q)$(MAKE) --no-print-directory fuzzers
	$(Q)O=$(O) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run fuzz
	$(Q)$(MAKE) --no-print-directory $(O)/tests/bpf/test_differential
	$(Q)RSIP_FUZZ_SEED=$$(date +%s%N) RSIP_FUZZ_RUNS=$$(($(FUZZ_SECONDS) * 10000)) $(O)/tests/bpf/test_differential --verbose=0

# ---- benches --------------------------------------------------------------------------------------------------

PLANE_BENCH_OBJS := $(call objs,$(call c_only,bench/plane))
$(PLANE_BENCH_OBJS): ALL_CFLAGS += -Iloader
$(O)/bench/plane: $(PLANE_BENCH_OBJS) $(O)/libcontroller.a $(O)/libloader.a $(O)/librsip.a
	$(call msg,LINK,$@)
	$(call link,$(LIBS_BPF) $(LIBS_BASE) -lmnl -levent_core -lcap-ng -lsystemd)

.PHONY: bench
bench: all $(O)/bench/plane ## measure the data plane against its floor, the kernel and nftables (BENCH_ARGS=--quick)
	$(Q)$(O)/bench/plane $(BENCH_ARGS)

# ---- dependencies, installation, housekeeping --------------------------------------------------------------------

.PHONY: deps check-deps vmlinux install uninstall clean help
deps: ## install the Debian packages that are missing (idempotent)
	$(Q)packaging/deps.sh install
check-deps:
	$(Q)[ $(O)/.deps-ok -nt packaging/packages-build.txt ] || { packaging/deps.sh check build && mkdir -p $(O) && touch $(O)/.deps-ok; }

vmlinux: ## write vmlinux/vmlinux.h anew from the running kernel's BTF
	$(Q)vmlinux/regenerate.sh

install: all ## install below DESTDIR
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/rsip $(DESTDIR)$(SYSCONFDIR)/rsip/charon $(DESTDIR)$(DATADIR)/rsip
	install -m 0644 packaging/charon.conf $(DESTDIR)$(DATADIR)/rsip/charon.conf
	install -m 0755 $(addprefix $(O)/,$(PROGRAMS)) $(DESTDIR)$(SBINDIR)
	install -m 0644 $(wildcard packaging/*.service) $(DESTDIR)$(UNITDIR)
	install -m 0644 packaging/rsip.sysusers $(DESTDIR)$(SYSUSERSDIR)/rsip.conf
	install -D -m 0644 packaging/rsip.tmpfiles $(DESTDIR)$(TMPFILESDIR)/rsip.conf
	install -D -m 0644 packaging/rsip.network $(DESTDIR)$(NETWORKDIR)/10-rsip.network
	install -D -m 0644 packaging/rsip-networkmanager.conf $(DESTDIR)$(NMDIR)/10-rsip.conf
	install -D -m 0644 packaging/rsip.logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/rsip
	install -D -m 0755 packaging/ppp/ip-up $(DESTDIR)$(SYSCONFDIR)/ppp/ip-up.d/rsip
	install -D -m 0755 packaging/ppp/ip-down $(DESTDIR)$(SYSCONFDIR)/ppp/ip-down.d/rsip
	install -m 0644 $(wildcard docs/man/*.8) $(DESTDIR)$(MANDIR)/man8
	install -m 0644 $(wildcard docs/man/*.5) $(DESTDIR)$(MANDIR)/man5
	install -m 0644 packaging/rsipd.json $(DESTDIR)$(SYSCONFDIR)/rsip/rsipd.json.example
	install -m 0644 packaging/client.json $(DESTDIR)$(SYSCONFDIR)/rsip/client.json.example
	@if [ -z "$(DESTDIR)" ] && command -v systemd-sysusers >/dev/null; then systemd-sysusers $(SYSUSERSDIR)/rsip.conf; fi
	@if [ -z "$(DESTDIR)" ] && command -v systemd-tmpfiles >/dev/null; then systemd-tmpfiles --create $(TMPFILESDIR)/rsip.conf; fi

uninstall: ## remove what install put there (configuration files of yours stay)
	rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(PROGRAMS)) $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(wildcard packaging/*.service)))
	rm -f $(DESTDIR)$(DATADIR)/rsip/charon.conf
	rm -f $(DESTDIR)$(SYSCONFDIR)/ppp/ip-up.d/rsip $(DESTDIR)$(SYSCONFDIR)/ppp/ip-down.d/rsip
	rm -f $(DESTDIR)$(NETWORKDIR)/10-rsip.network $(DESTDIR)$(NMDIR)/10-rsip.conf
	rm -f $(DESTDIR)$(TMPFILESDIR)/rsip.conf $(DESTDIR)$(SYSCONFDIR)/logrotate.d/rsip
	rm -f $(DESTDIR)$(SYSUSERSDIR)/rsip.conf $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(notdir $(wildcard docs/man/*.8)))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(notdir $(wildcard docs/man/*.5))) $(DESTDIR)$(SYSCONFDIR)/rsip/*.json.example
	rmdir $(DESTDIR)$(DATADIR)/rsip $(DESTDIR)$(SYSCONFDIR)/rsip/charon $(DESTDIR)$(SYSCONFDIR)/rsip 2>/dev/null || :

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r t d; do printf '  %-16s %s\n' "$$t" "$$d"; done

-include $(shell find $(O) -name '*.d' 2>/dev/null)
