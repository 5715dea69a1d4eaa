/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "resolve/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_BYTES (16ull << 30) /* address space: the largest files are mapped whole, and barely touched */
#define CPU_SECONDS  60

/* Sanitizers reserve terabytes of address space and call more of the kernel than the program does. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int limit(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static int keep_descriptor(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int standard = 0; standard < 3; standard++)
		if (dup2(null, standard) < 0)
			return -errno;
	if ((fd > 3 && close_range(3, fd - 1, 0) < 0) || close_range(fd + 1, ~0u, 0) < 0)
		return -errno;
	return 0;
}

#define ARGUMENT(n) offsetof(struct seccomp_data, args[n])
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Refused calls get EPERM and no signal: a C library that tries something new must not end the child. */
static int filter_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(recvmsg),
		ALLOW(fstat),
		ALLOW(newfstatat),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(brk),
		ALLOW(madvise),
		ALLOW(close),
		ALLOW(futex),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		/* mmap and mprotect, but nothing that could be run. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int sandbox__enter(int fd)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t none;
	int error;

	sigemptyset(&none);
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		signal(ours[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if ((error = keep_descriptor(fd)) < 0 || (error = drop_capabilities()) < 0 ||
	    (error = limit(RLIMIT_CORE, 0)) < 0 || (error = limit(RLIMIT_FSIZE, 0)) < 0 ||
	    (error = limit(RLIMIT_CPU, CPU_SECONDS)) < 0)
		return error;
	if (SANITIZED)
		return 0;
	if ((error = limit(RLIMIT_AS, MEMORY_BYTES)) < 0)
		return error;
	return filter_calls();
}
