/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "attach/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct feature_state table[FEATURES] = {
	[FEATURE_RIGHTS] = { "rights (CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, or root)", "5.8", true, false, "",
			     "run as root, or give the binary these capabilities" },
	[FEATURE_BTF] = { "kernel type information (BTF)", "5.4", true, false, "",
			  "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all current distributions)" },
	[FEATURE_RING] = { "BPF ring buffer", "5.8", true, false, "", "use a newer kernel" },
	[FEATURE_COOKIE] = { "BPF cookies of uprobes", "5.15", true, false, "", "use a newer kernel" },
	[FEATURE_LOOP] = { "bpf_loop", "5.17", true, false, "", "use a newer kernel" },
	[FEATURE_UPROBES] = { "uprobes by perf event", "4.17", true, false, "",
			      "use a kernel built with CONFIG_UPROBES=y and CONFIG_UPROBE_EVENTS=y" },
	[FEATURE_UPROBE_MULTI] = { "uprobe_multi links", "6.6", false, false, "",
				   "nothing: single uprobes are used, attaching is slower" },
	[FEATURE_EVENTS] = { "system-wide process events", "4.16", true, false, "",
			     "lower kernel.perf_event_paranoid, or run as root" },
};

static bool have_rights(char *why, size_t size)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	uint64_t effective;

	if (syscall(SYS_capget, &header, data) < 0) {
		snprintf(why, size, "capget: %s", strerror(errno));
		return false;
	}
	effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (effective & 1ULL << CAP_SYS_ADMIN)
		return true;
	if ((effective & 1ULL << CAP_BPF) && (effective & 1ULL << CAP_PERFMON) && (effective & 1ULL << CAP_SYS_PTRACE))
		return true;
	snprintf(why, size, "effective capabilities are %#llx", (unsigned long long)effective);
	return false;
}

static bool have_helper(enum bpf_prog_type type, enum bpf_func_id helper, char *why, size_t size)
{
	int result = libbpf_probe_bpf_helper(type, helper, NULL);

	if (result > 0)
		return true;
	snprintf(why, size, result ? "the probe failed: %s" : "the kernel does not know it%s",
		 result ? strerror(-result) : "");
	return false;
}

static bool have_file(const char *path, char *why, size_t size)
{
	if (access(path, R_OK) == 0)
		return true;
	snprintf(why, size, "%s: %s", path, strerror(errno));
	return false;
}

static bool have_events(char *why, size_t size)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.mmap2 = 1,
		.mmap = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0) {
		snprintf(why, size, "perf_event_open: %s", strerror(errno));
		return false;
	}
	close((int)fd);
	return true;
}

/* A link to what is no regular file fails in the end, but with another error where the link type is not known. */
bool features__uprobe_multi(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, load, .expected_attach_type = BPF_TRACE_UPROBE_MULTI);
	LIBBPF_OPTS(bpf_link_create_opts, link);
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const unsigned long offset = 0;
	int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 2, &load);
	int fd;

	if (program < 0)
		return false;
	link.uprobe_multi.path = "/";
	link.uprobe_multi.offsets = &offset;
	link.uprobe_multi.cnt = 1;
	fd = bpf_link_create(program, -1, BPF_TRACE_UPROBE_MULTI, &link);
	close(program);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EBADF;
}

void features__probe(struct feature_state states[FEATURES])
{
	memcpy(states, table, sizeof(table));
	for (int i = 0; i < FEATURES; i++) {
		char *why = states[i].why;
		size_t size = sizeof(states[i].why);

		switch ((enum feature)i) {
		case FEATURE_RIGHTS:
			states[i].present = have_rights(why, size);
			break;
		case FEATURE_BTF:
			states[i].present = have_file("/sys/kernel/btf/vmlinux", why, size);
			break;
		case FEATURE_RING:
			states[i].present = have_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_ringbuf_reserve, why, size);
			break;
		case FEATURE_COOKIE:
			states[i].present = have_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, why, size);
			break;
		case FEATURE_LOOP:
			states[i].present = have_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, why, size);
			break;
		case FEATURE_UPROBES:
			states[i].present = have_file("/sys/bus/event_source/devices/uprobe/type", why, size);
			break;
		case FEATURE_UPROBE_MULTI:
			states[i].present = features__uprobe_multi();
			if (!states[i].present)
				snprintf(why, size, "the kernel does not know the link type");
			break;
		case FEATURE_EVENTS:
			states[i].present = have_events(why, size);
			break;
		case FEATURES:
			break;
		}
	}
}

const struct feature_state *features__missing(const struct feature_state states[FEATURES])
{
	for (int i = 0; i < FEATURES; i++) {
		if (states[i].required && !states[i].present)
			return &states[i];
	}
	return NULL;
}
