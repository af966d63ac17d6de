// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the kernel's verifier says of each program: instructions it had to follow (the limit is a million), and the
 * stack of the deepest chain of calls (512 bytes).  Other kernels count otherwise, so a program keeps to a budget well
 * below: docs/performance.md has the same table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include "rsip_tc.skel.h"
#include "rsip_tc_cap.skel.h"
#include "rsip_xdp.skel.h"
#include "rsip_xdp_cap.skel.h"

#define SUBPROGS 64
#define STATISTICS 4 /* the verifier's log level */
#define FRAME 32 /* a frame's size is a multiple of that */

static const struct {
	const char *prog;
	uint32_t insns, stack;
} budget[] = {
	{ "rsip_xdp_pub", 40000, 480 },	   { "rsip_xdp_priv", 100000, 480 }, { "rsip_explain", 30000, 480 },
	{ "rsip_tc_pub", 80000, 480 },	   { "rsip_tc_priv", 350000, 480 },  { "rsip_tc_pub_l3", 80000, 480 },
	{ "rsip_tc_priv_l3", 250000, 480 }, { "rsip_tc_slow", 350000, 480 }, { "rsip_cap_pub", 40000, 480 },
	{ "rsip_tc_ppp", 150000, 480 },
	{ "rsip_cap_priv", 100000, 480 },
};

struct cost {
	uint32_t insns, stack;
	uint32_t start[SUBPROGS], depth[SUBPROGS], cnt; /* subprograms, by their place */
};

static char logs[16][8192];

/* ---- the deepest chain of calls -------------------------------------------------------------- */

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* The kernel shows a call's distance where other instructions have an offset. */
static uint32_t call_target(const struct bpf_insn *insn, size_t i)
{
	return (uint32_t)((int64_t)i + 1 + insn[i].off);
}

/* Where they begin.  Not by the calls: 6.1 keeps some that only dead code called. */
static void find_subprogs(const struct bpf_program *prog, struct cost *c)
{
	struct bpf_func_info func[SUBPROGS];
	struct bpf_prog_info info = { .func_info = (uintptr_t)func,
				      .func_info_rec_size = sizeof(func[0]),
				      .nr_func_info = SUBPROGS };
	uint32_t len = sizeof(info);

	cr_assert_eq(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0, "%s", strerror(errno));
	cr_assert_leq(info.nr_func_info, SUBPROGS);
	c->cnt = info.nr_func_info;
	for (uint32_t i = 0; i < c->cnt; i++)
		c->start[i] = func[i].insn_off;
}

static uint32_t subprog_at(const struct cost *c, uint32_t at)
{
	uint32_t n = 0;

	while (n + 1 < c->cnt && c->start[n + 1] <= at)
		n++;
	return n;
}

/* Recursion is refused by the verifier: this ends. */
static uint32_t deepest(const struct bpf_insn *insn, size_t cnt, const struct cost *c, uint32_t n)
{
	size_t end = n + 1 < c->cnt ? c->start[n + 1] : cnt;
	uint32_t below = 0, own = c->depth[n] ? (c->depth[n] + FRAME - 1) / FRAME * FRAME : FRAME;

	for (size_t i = c->start[n]; i < end; i++) {
		uint32_t chain;

		if (!is_call(&insn[i]))
			continue;
		chain = deepest(insn, cnt, c, subprog_at(c, call_target(insn, i)));
		below = chain > below ? chain : below;
	}
	return own + below;
}

/* ---- what the log says ----------------------------------------------------------------------- */

static void read_depths(const char *log, struct cost *c)
{
	const char *at = strstr(log, "stack depth ");
	uint32_t n = 0;

	cr_assert_not_null(at, "the verifier said nothing of the stack: %s", log);
	for (at += strlen("stack depth "); n < SUBPROGS; at++) {
		c->depth[n++] = (uint32_t)strtoul(at, (char **)&at, 10);
		if (*at != '+')
			break;
	}
	cr_assert_eq(n, c->cnt, "%u subprograms in the log, %u in the program", n, c->cnt);
}

/* As the kernel has it: what it found to be dead is gone. */
static const struct bpf_insn *kernels_insns(const struct bpf_program *prog, size_t *cnt)
{
	static struct bpf_insn insns[32768];
	struct bpf_prog_info info = { .xlated_prog_insns = (uintptr_t)insns, .xlated_prog_len = sizeof(insns) };
	uint32_t len = sizeof(info);

	cr_assert_eq(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0, "%s", strerror(errno));
	cr_assert_leq(info.xlated_prog_len, sizeof(insns), "a call's distance has 16 bits");
	*cnt = info.xlated_prog_len / sizeof(insns[0]);
	return insns;
}

static struct cost cost_of(const struct bpf_program *prog, const char *log)
{
	const char *processed = strstr(log, "processed ");
	struct cost c = { .insns = processed ? (uint32_t)strtoul(processed + 10, NULL, 10) : 0 };
	size_t cnt;
	const struct bpf_insn *insn = kernels_insns(prog, &cnt);

	cr_assert_gt(c.insns, 0, "the verifier said nothing: %s", log);
	find_subprogs(prog, &c);
	read_depths(log, &c);
	c.stack = deepest(insn, cnt, &c, 0);
	return c;
}

/* 6.1 counts a frame more in the deepest chains: all that it allows. */
static uint32_t stack_budget(uint32_t budgeted)
{
	struct utsname name;
	int major = 0, minor = 0;

	cr_assert_eq(uname(&name), 0);
	cr_assert_eq(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major < 6 || (major == 6 && minor <= 1) ? budgeted + FRAME : budgeted;
}

static void check(const char *object, const struct bpf_program *prog, const char *log)
{
	struct cost c = cost_of(prog, log);
	const char *name = bpf_program__name(prog);

	fprintf(stderr, "%-15s %-16s %7u instructions, %3u bytes of stack\n", object, name, c.insns, c.stack);
	for (size_t i = 0; i < sizeof(budget) / sizeof(budget[0]); i++) {
		if (strcmp(budget[i].prog, name))
			continue;
		cr_expect_leq(c.insns, budget[i].insns, "%s: %u instructions, the budget is %u", name, c.insns,
			      budget[i].insns);
		cr_expect_leq(c.stack, stack_budget(budget[i].stack), "%s: %u bytes of stack, the budget is %u", name,
			      c.stack, stack_budget(budget[i].stack));
		return;
	}
	cr_expect_fail("%s has no budget", name);
}

static void load_and_check(struct bpf_object *obj)
{
	struct bpf_program *prog;
	int n = 0, err;

	bpf_object__for_each_program (prog, obj) {
		cr_assert_lt(n, 16);
		if (bpf_program__type(prog) == BPF_PROG_TYPE_XDP)
			bpf_program__set_flags(prog, BPF_F_XDP_HAS_FRAGS); /* as in native mode */
		bpf_program__set_log_level(prog, STATISTICS);
		bpf_program__set_log_buf(prog, logs[n], sizeof(logs[n]));
		n++;
	}
	err = bpf_object__load(obj);
	if (err == -EPERM)
		cr_skip_test("needs CAP_BPF: run as root");
	cr_assert_eq(err, 0, "cannot load: %s", strerror(-err));
	n = 0;
	bpf_object__for_each_program (prog, obj)
		check(bpf_object__name(obj), prog, logs[n++]);
}

Test(verifier, every_program_keeps_to_its_budget)
{
	struct rsip_xdp_bpf *xdp = rsip_xdp_bpf__open();
	struct rsip_tc_bpf *tc = rsip_tc_bpf__open();

	cr_assert(xdp && tc);
	load_and_check(xdp->obj);
	load_and_check(tc->obj);
	rsip_tc_bpf__destroy(tc);
	rsip_xdp_bpf__destroy(xdp);
}

/* The same with the operator's capture compiled in: they replace the others while it runs. */
Test(verifier, and_so_do_those_that_capture)
{
	struct rsip_xdp_cap_bpf *xdp = rsip_xdp_cap_bpf__open();
	struct rsip_tc_cap_bpf *tc = rsip_tc_cap_bpf__open();

	cr_assert(xdp && tc);
	load_and_check(xdp->obj);
	load_and_check(tc->obj);
	rsip_tc_cap_bpf__destroy(tc);
	rsip_xdp_cap_bpf__destroy(xdp);
}
