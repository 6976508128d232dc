# logkit: GNU make.  `make help` lists the targets.
#
# Everything is found by wildcard:
#   lib/*/*.c               into build/liblogkit.a
#   src/NAME.c, src/NAME/   bin/NAME
#   tests/unit/NAME_test.c  build/tests/unit/NAME_test (so for the slow sets)
# Variables for users: CC CFLAGS LDFLAGS PREFIX DESTDIR WITHOUT NO_INSTALL.
# V=1 shows whole commands.
# Variants, each in folders of its own: SAN=1 (ASan and UBSan), or any BUILD
# and BIN given.  WERROR=1 turns warnings into errors.

PREFIX = /usr/local
CFLAGS = -O2 -g
Q = $(if $(V),,@)
ifdef SAN
BUILD = build/san
BIN = bin/san
else
BUILD = build
BIN = bin
endif

# What the project itself needs, whatever CFLAGS says.  Empty answers are
# fine here: a machine without pkg-config must still get to "make demo".
BSD_CFLAGS := $(shell pkg-config --cflags libbsd-overlay 2>/dev/null)
BSD_LIBS := $(shell pkg-config --libs libbsd-overlay 2>/dev/null) -lmd
# Linked in where there is an archive: loading two more libraries takes 0.1 ms
# of every call from a shell.
BSD_ARCHIVE := $(shell pkg-config --variable=libdir libbsd 2>/dev/null)/libbsd.a
ifneq ($(wildcard $(BSD_ARCHIVE)),)
BSD_LIBS := -Wl,-Bstatic $(BSD_LIBS) -Wl,-Bdynamic
endif
# For lib/net.  --as-needed below keeps it out of programs without sockets.
EVENT_CFLAGS := $(shell pkg-config --cflags libevent_core libevent_extra 2>/dev/null)
EVENT_LIBS := $(shell pkg-config --libs libevent_extra libevent_core 2>/dev/null)

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Ilib -I$(BUILD)/gen $(BSD_CFLAGS) \
    $(EVENT_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) -fvisibility=hidden \
    -pthread
ALL_LDFLAGS = $(LDFLAGS) -pthread -Wl,--as-needed -Wl,-z,relro
LIBS = $(BSD_LIBS) $(EVENT_LIBS) -ldl
ifdef SAN
ALL_CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=address,undefined
endif

LIB_SRCS := $(wildcard lib/*/*.c)
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/%.o) $(BUILD)/gen/kafka/messages.o
LIB := $(BUILD)/liblogkit.a
PROGS := $(basename $(notdir $(wildcard src/*.c))) \
    $(notdir $(patsubst %/main.c,%,$(wildcard src/*/main.c)))
PROG_SRCS := $(wildcard src/*.c src/*/*.c)
SLOW_SETS := slow crash fault fuzz
UNIT_SRCS := $(wildcard tests/unit/*_test.c)
SLOW_SRCS := $(wildcard $(SLOW_SETS:%=tests/%/*_test.c))
UNITS := $(UNIT_SRCS:%.c=$(BUILD)/%)
SLOWS := $(SLOW_SRCS:%.c=$(BUILD)/%)
# A fuzz target is linked with replay.o, and by make fuzz with libFuzzer.
FUZZ_SRCS := $(wildcard tests/fuzz/*_fuzz.c)
REPLAYS := $(FUZZ_SRCS:%_fuzz.c=$(BUILD)/%_replay)
FUZZERS := $(FUZZ_SRCS:%.c=$(BUILD)/%)
# Libraries that a test loads into a program: tests/SET/NAME_preload.c
PRELOADS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/*/*_preload.c))
# Programs that tests of the server run.
SERVER_SRCS := $(wildcard tests/server/*.c)
SERVER_TOOLS := $(SERVER_SRCS:%.c=$(BUILD)/%)
DEPS := $(SERVER_TOOLS:=.d) $(LIB_OBJS:.o=.d) $(PROG_SRCS:%.c=$(BUILD)/%.d) $(UNITS:=.d) \
    $(SLOWS:=.d) $(PRELOADS:.so=.d) $(FUZZERS:=.d)

all: $(PROGS:%=$(BIN)/%) $(LIB)

help:
	@echo 'all          build bin/* (default)'
	@echo 'demo         install what is missing, build, show the main job'
	@echo 'check        install what is missing, build, lint, test (quick)'
	@echo 'check-slow   clang, valgrind, crash, fault and fuzz tests'
	@echo 'check-clients  clients of Kafka, CLIENTS="NAME...", BROKER=kafka'
	@echo 'check-deps   the Debian packages that are missing, by purpose'
	@echo 'soak         the random ones of these for HOURS, and a table'
	@echo 'fuzz         each of tests/fuzz for FUZZ_SECONDS (60)'
	@echo 'coverage     how much of lib/ the quick tests run'
	@echo 'lint format  style checks alone; rewrite what clang-format would'
	@echo 'readme       its list of tools from logkit(7)'
	@echo 'bench        measure, side by side with the reference'
	@echo 'bench-serve  the same of logserve and Apache Kafka'
	@echo 'install      to PREFIX ($(PREFIX)), under DESTDIR; WITHOUT="NAME..."'
	@echo 'uninstall clean'

# --- building -------------------------------------------------------------

# Rebuild when the compiler or a flag changes; WERROR alone does not count.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/gen/kafka/messages.h
	@mkdir -p $(@D)
	@echo 'CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(WERROR),-Werror) -MMD -MP -c -o $@ $<

# The protocol's messages, from their schema.
MESSAGES := $(BUILD)/gen/kafka/messages
$(MESSAGES).h $(MESSAGES).c: $(MESSAGES).%: lib/kafka/messages.awk \
    lib/kafka/messages.schema
	@mkdir -p $(@D)
	@echo 'AWK $@'
	$(Q)awk -v out=$* -f $^ >$@
$(MESSAGES).o: $(MESSAGES).c $(BUILD)/flags | $(MESSAGES).h
	@echo 'CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(WERROR),-Werror) -MMD -MP -c -o $@ $<

# From scratch, so that the object of a source removed is not kept.
$(LIB): $(LIB_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	@echo 'AR $@'
	$(Q)$(AR) rcs $@ $^

# One program: a file, or a folder whose files are linked together.
define PROGRAM
$(BIN)/$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/$(1).c src/$(1)/*.c)) \
    $(LIB)
	@mkdir -p $$(@D)
	@echo 'LD $$@'
	$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGS),$(eval $(call PROGRAM,$(p))))

$(UNITS) $(SLOWS) $(SERVER_TOOLS): %: %.o $(LIB)
	@echo 'LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(PRELOADS): $(BUILD)/%.so: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo 'LD $@'
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -shared -MMD -MP -o $@ $< -ldl

$(REPLAYS): %_replay: %_fuzz.o $(BUILD)/tests/fuzz/fuzz.o \
    $(BUILD)/tests/fuzz/replay.o $(LIB)
	@echo 'LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(FUZZERS): %: %.o $(BUILD)/tests/fuzz/fuzz.o $(LIB)
	@echo 'LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

units: $(UNITS) $(REPLAYS) $(SERVER_TOOLS)
fuzzers: $(FUZZERS)
slows: $(SLOWS) $(PRELOADS)

# --- testing --------------------------------------------------------------

check-deps:
	@tests/deps.sh list

demo:
	@tests/deps.sh ensure build demo
	@$(PART) all
	@examples/demo.sh

CLI_TESTS := $(wildcard tests/cli/*.bats tests/server/*.bats)
SLOW_TESTS := $(wildcard $(foreach s,$(SLOW_SETS),tests/$s/*.bats \
    tests/$s/*_test.sh))
# Shell functions are the same with any programs.
SAN_ALL := $(filter-out %/deps.bats %/helpers.bats %/completion.bats \
    %/completion_zsh_fish.bats,$(CLI_TESTS))
# With sanitizers these take long, or do what others do, too: check-slow has
# them, so that check is quick.
SAN_SLOW := $(filter $(patsubst %,\%/%.bats,access examples exec \
    fetch from_cluster golden groups hostile latest life log_dirs logappend \
    logcat logcompact logreplicate logstat logtail model offsets pipelines places real \
    replica_begin replica_checksum replica_follow replica_lag replica_service \
    replicate reproduce topics upkeep),$(SAN_ALL))
SAN_TESTS := $(filter-out $(SAN_SLOW),$(SAN_ALL))
# What is slow loads the machine more.
PROVE = prove -j4 --exec tests/tap
PROVE_SLOW = prove -j3 --exec tests/tap
# Parts are built two at a time, unless make was told how many.
PART = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j2)

# What takes longest, mostly because it waits, begins first.
QUICK_LONGEST = $(patsubst %,tests/%.bats,server/hostile cli/places cli/replica_follow \
    server/from_cluster server/life cli/replica_lag cli/logcat cli/logreplicate)
# A path below build/san/ runs the same test with the programs in bin/san.
check:
	@tests/deps.sh ensure build check
	@$(PART) all units $(PRELOADS)
	@$(PART) SAN=1 WERROR=1 all units
	@tests/in_memory $(PROVE) tests/lint/run $(QUICK_LONGEST) \
	    $(filter-out $(QUICK_LONGEST),$(CLI_TESTS)) $(SAN_TESTS:%=build/san/%) \
	    $(UNITS) $(UNIT_SRCS:%.c=build/san/%) $(REPLAYS) $(REPLAYS:build/%=build/san/%)

CLANG = CC=clang WERROR=1 BUILD=build/clang BIN=build/clang/bin
CLANG_SAN = CC=clang WERROR=1 SAN=1 BUILD=build/clang-san \
    BIN=build/clang-san/bin
# What takes longest begins first.
LONGEST = tests/crash/mutants_test.sh tests/crash/links.bats
# Fuzz targets are built with libFuzzer, ASan and UBSan.
FUZZ_BUILD = CC=clang BUILD=build/fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link'
check-slow:
	@tests/deps.sh ensure build check slow
	@$(PART) all units slows
	@$(PART) SAN=1 WERROR=1 all units
	@$(PART) WERROR=1 BUILD=build/gcc \
	    BIN=build/gcc/bin all units
	@if command -v clang >/dev/null; then \
	    $(PART) $(CLANG) all units && \
	    $(PART) $(CLANG_SAN) all units && \
	    $(PART) SAN=1 $(FUZZ_BUILD) fuzzers; \
	    else echo 'skipped: the builds with clang'; fi
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-10} FUZZ_JOBS=$${FUZZ_JOBS:-1} \
	    SALVAGE_ROUNDS=3000 WIRE_ROUNDS=30 \
	    TEST_TIMEOUT=1800 $(PROVE_SLOW) $(LONGEST) tests/fuzz/run $(UNIT_SRCS:%.c=build/valgrind/%) \
	    $(if $(shell command -v clang),$(UNIT_SRCS:%.c=build/clang-san/%)) \
	    $(SLOWS) $(filter-out $(LONGEST),$(SLOW_TESTS)) $(SAN_SLOW:%=build/san/%)

# The lanes with random choices for so long, each time with other seeds.
HOURS = 1
soak:
	@tests/deps.sh ensure build check slow
	@$(PART) all slows
	@if command -v clang >/dev/null; then \
	    $(PART) SAN=1 $(FUZZ_BUILD) fuzzers; \
	    else echo 'skipped: fuzzing needs clang'; fi
	@tests/soak $(HOURS)

# FUZZ='NAME...': some of the targets; tests/fuzz/run has more variables.
fuzz:
	@tests/deps.sh ensure build slow
	@$(PART) SAN=1 $(FUZZ_BUILD) fuzzers
	@tests/fuzz/run $(FUZZ)

# How many of the library's lines the quick tests run, and calls that fail.
# Some of those tests see the counters being written, and fail.
COVERAGE = CC=clang BUILD=build/coverage BIN=bin/coverage \
    CFLAGS='-O1 -g -fprofile-instr-generate -fcoverage-mapping' \
    LDFLAGS=-fprofile-instr-generate
coverage:
	@tests/deps.sh ensure build check slow coverage
	@$(PART) $(COVERAGE) all units slows
	@rm -rf build/coverage/profile
	-@LLVM_PROFILE_FILE=$(CURDIR)/build/coverage/profile/%4m.profraw \
	    TEST_TIMEOUT=900 POWER_STATES=5000 $(PROVE) \
	    $(patsubst %.c,build/coverage/%, \
		$(wildcard tests/fault/*_test.c tests/crash/*_test.c)) \
	    $(UNITS:build/%=build/coverage/%) \
	    $(REPLAYS:build/%=build/coverage/%) \
	    $(filter-out %/access.bats,$(CLI_TESTS:%=build/coverage/%))
	@tests/coverage

# Clients of Kafka's protocol with BROKER=logserve or BROKER=kafka; CLIENTS=
# names some of tests/clients/list.
check-clients:
	@tests/deps.sh ensure build check clients
	@$(PART) all
	@tests/clients/run $(CLIENTS)

# README's table of clients is that of the last check-clients.
readme-clients:
	@sed -i -e '/<!-- clients -->/r build/clients/matrix.md' \
	    -e '/<!-- clients -->/,/<!-- end of clients -->/{/<!--/!d}' README.md

# README's list of tools is that of logkit(7).
readme:
	@awk -f tests/lint/tools.awk man/logkit.7 >$(BUILD)/tools
	@sed -i -e '/<!-- tools -->/r $(BUILD)/tools' \
	    -e '/<!-- tools -->/,/<!-- end of tools -->/{/<!--/!d}' README.md

bench:
	@tests/deps.sh ensure build bench
	@$(PART) all
	@tests/bench/run

# logserve beside Apache Kafka.
bench-serve:
	@tests/deps.sh ensure build check clients
	@$(PART) all units
	@tests/bench/serve

lint: all
	@tests/lint/run

# Rewrite what lint says clang-format would write otherwise.
format:
	@tests/lint/format -i $(wildcard lib/*/*.[ch] src/*.[ch] src/*/*.[ch] \
	    tests/*/*.[ch])

# --- installing -----------------------------------------------------------

INSTALL = install
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_conf.d
TAKEN := $(filter-out $(WITHOUT),$(PROGS))
PAGES := $(filter-out $(foreach w,$(WITHOUT),man/$(w).1 man/$(w).8), \
    $(wildcard man/*.[1-8]))

install: all
	$(INSTALL) -d $(BINDIR)
	$(INSTALL) -m 755 $(TAKEN:%=$(BIN)/%) $(BINDIR)
	@for page in $(PAGES); do \
		dir=$(MANDIR)/man$${page##*.}; \
		$(INSTALL) -d $$dir && \
		$(INSTALL) -m 644 $$page $$dir || exit 1; \
	done
	$(INSTALL) -d $(BASHDIR) $(ZSHDIR) $(FISHDIR)
	$(INSTALL) -m 644 completions/bash $(BASHDIR)/logkit
	@for p in $(filter-out logkit,$(TAKEN)); do \
		ln -sf logkit $(BASHDIR)/$$p || exit 1; \
	done
	$(INSTALL) -m 644 completions/zsh $(ZSHDIR)/_logkit
	$(INSTALL) -m 644 completions/fish $(FISHDIR)/logkit.fish
	@tests/others.sh $(PREFIX)/bin $(TAKEN)

uninstall:
	rm -f $(PROGS:%=$(BINDIR)/%) $(PROGS:%=$(BASHDIR)/%) $(BASHDIR)/logkit \
	    $(ZSHDIR)/_logkit $(FISHDIR)/logkit.fish
	@for page in $(notdir $(wildcard man/*.[1-8])); do \
		rm -f $(MANDIR)/man$${page##*.}/$$page; \
	done

clean:
	rm -rf build bin/san bin/coverage $(PROGS:%=bin/%)

-include $(DEPS)

FORCE:
.PHONY: all help units slows fuzz fuzzers coverage check-deps demo check check-slow soak \
    check-clients bench bench-serve lint readme readme-clients \
    format install uninstall clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:
