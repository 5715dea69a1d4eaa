// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "discover/owner.h"

#define ID    "4f1c8a0b2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c"
#define SHORT "4f1c8a0b2d3e"

struct cgroup_case {
	const char *text, *container, *pod, *unit;
};

static const struct cgroup_case cases[] = {
	/* docker: cgroupfs and systemd drivers, v1 and v2 */
	{ "0::/docker/" ID "\n", SHORT, "", "" },
	{ "0::/system.slice/docker-" ID ".scope\n", SHORT, "", "" },
	{ "12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n0::/system.slice/containerd.service\n", SHORT, "", "" },
	/* Kubernetes: cgroupfs driver, systemd driver with containerd and cri-o, and containerd's colon form */
	{ "0::/kubepods/burstable/pod0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11/" ID "\n", SHORT,
	  "0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11", "" },
	{ "0::/kubepods.slice/kubepods-besteffort.slice/"
	  "kubepods-besteffort-pod0b6ce0f3_7a1c_4f0e_9d7e_2f5a7f7e9c11.slice/"
	  "cri-containerd-" ID ".scope\n",
	  SHORT, "0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11", "" },
	{ "0::/kubepods.slice/kubepods-pod0b6ce0f3_7a1c_4f0e_9d7e_2f5a7f7e9c11.slice/crio-" ID ".scope/container\n",
	  SHORT, "0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11", "" },
	{ "0::/system.slice/containerd.service/"
	  "kubepods-burstable-pod0b6ce0f3_7a1c_4f0e_9d7e_2f5a7f7e9c11.slice:cri-containerd:" ID "\n",
	  SHORT, "0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11", "" },
	/* kind, k3d: a kubelet with a cgroup root of its own */
	{ "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	  "kubelet-kubepods-burstable-pod0b6ce0f3_7a1c_4f0e_9d7e_2f5a7f7e9c11.slice/cri-containerd-" ID ".scope\n",
	  SHORT, "0b6ce0f3-7a1c-4f0e-9d7e-2f5a7f7e9c11", "" },
	/* podman, rootful and rootless; its monitor is none */
	{ "0::/machine.slice/libpod-" ID ".scope/container\n", SHORT, "", "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n", SHORT, "", "" },
	{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "", "", "libpod-conmon-" ID ".scope" },
	/* names instead of ids */
	{ "0::/lxc.payload.web1/system.slice/nginx.service\n", "web1", "", "" },
	{ "0::/machine.slice/machine-fedora.scope/payload\n", "fedora", "", "" },
	/* systemd */
	{ "0::/system.slice/ollama.service\n", "", "", "ollama.service" },
	{ "0::/system.slice/system-infer.slice/infer@a\\x2db.service\n", "", "", "infer@a-b.service" },
	{ "0::/user.slice/user-1000.slice/session-3.scope\n", "", "", "session-3.scope" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/llama.service\n", "", "", "llama.service" },
	{ "1:name=systemd:/system.slice/cron.service\n0::/\n", "", "", "cron.service" },
	/* nothing */
	{ "0::/\n", "", "", "" },
	{ "", "", "", "" },
	{ "nonsense", "", "", "" },
	{ "0::/kubepods/burstable/podshort/x\n", "", "", "" },
};

static void cgroups(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct owner owner = { 0 };
		char unit[OWNER_TEXT_MAX];

		owner__parse_cgroup(cases[i].text, &owner);
		CHECK_STR(owner.container, cases[i].container);
		CHECK_STR(owner.pod, cases[i].pod);
		snprintf(unit, sizeof(unit), "%s", cases[i].unit);
		CHECK_STR(owner.unit, unit);
	}
}

#define CMDLINE(text) text, sizeof(text)

static void options(void)
{
	char value[16];

	CHECK(owner__parse_option(CMDLINE("llama-server\0-m\0/m/a.gguf\0-c\00012"), "-m", value, sizeof(value)));
	CHECK_STR(value, "/m/a.gguf");
	CHECK(owner__parse_option(CMDLINE("x\0--model=/m/b.gguf"), "--model", value, sizeof(value)));
	CHECK_STR(value, "/m/b.gguf");
	CHECK(owner__parse_option(CMDLINE("x\0--model\0b"), "--model", value, sizeof(value)));
	CHECK_STR(value, "b");
	/* a longer value keeps its end, where the name is */
	CHECK(owner__parse_option(CMDLINE("x\0-m\0/a/very/long/way/to/model.gguf"), "-m", value, sizeof(value)));
	CHECK_STR(value, "y/to/model.gguf");
	/* not an option: the program itself, a prefix, a missing or empty argument */
	CHECK(!owner__parse_option(CMDLINE("-m\0a"), "-m", value, sizeof(value)));
	CHECK(!owner__parse_option(CMDLINE("x\0--models\0a"), "--model", value, sizeof(value)));
	CHECK(!owner__parse_option(CMDLINE("x\0-m"), "-m", value, sizeof(value)));
	CHECK(!owner__parse_option(CMDLINE("x\0-m="), "-m", value, sizeof(value)));
	CHECK(!owner__parse_option("", 0, "-m", value, sizeof(value)));
	/* a title that a program wrote without a NUL at its end */
	CHECK(owner__parse_option("x\0-m\0abc", 8, "-m", value, sizeof(value)));
	CHECK_STR(value, "abc");
}

static void mapped_file(void)
{
	char name[] = "/tmp/owner-test-XXXXXX.gguf", second[] = "/tmp/owner-test-XXXXXX.gguf", path[256];
	int fd = mkstemps(name, 5), fd2 = mkstemps(second, 5);
	void *at, *at2;

	if (fd < 0 || fd2 < 0 || ftruncate(fd, 4096) < 0 || ftruncate(fd2, 4096) < 0)
		SKIP("no temporary file");
	CHECK(!owner__mapped_file(getpid(), "*.gguf", path, sizeof(path)));
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(owner__mapped_file(getpid(), "*.gguf", path, sizeof(path)));
	CHECK_STR(path, name);
	at2 = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd2, 0);
	CHECK(!owner__mapped_file(getpid(), "*.gguf", path, sizeof(path)));
	CHECK(owner__mapped_file(getpid(), strrchr(second, '/') + 1, path, sizeof(path)));
	munmap(at, 4096);
	munmap(at2, 4096);
	close(fd);
	close(fd2);
	unlink(name);
	unlink(second);
}

static void own_process(void)
{
	struct owner owner;

	if (access("/proc/self/comm", R_OK) < 0)
		SKIP("no /proc");
	owner__read(getpid(), &owner);
	CHECK_STR(owner.command, "owner_test");
	owner__read(0x7ffffff0, &owner);
	CHECK_STR(owner.command, "");
	CHECK_STR(owner.unit, "");
}

int main(void)
{
	RUN(cgroups);
	RUN(options);
	RUN(mapped_file);
	RUN(own_process);
	return check__report();
}
