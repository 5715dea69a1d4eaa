#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The agent itself: killed at any moment, twice at once, and what it says when it cannot start."""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import torture
from torture import ADAPTER, BINARY, BUILD, RUNTIME, Agent, Failure, Skip, Target, Watch, built, frame, tallies, test, until

STRESS, LIBRARY = built("stress"), built("libplain.so")
KILLS = 20
BPFTOOL = shutil.which("bpftool") or shutil.which("/usr/sbin/bpftool")


def bpftool(*what):
    done = subprocess.run([BPFTOOL, "-j", *what], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    return json.loads(done.stdout) if done.stdout.strip() else []


def held_by(pid):
    """What the process holds of BPF: {("prog", id), ("map", id), ("link", id)}."""
    found = set()
    for name in os.listdir("/proc/%d/fdinfo" % pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (pid, name)) as file:
                found |= set(re.findall(r"^(prog|map|link)_id:\s+(\d+)$", file.read(), re.M))
        except OSError:
            pass
    return {(kind, int(number)) for kind, number in found}


def existing():
    return {(kind, one["id"]) for kind in ("prog", "map", "link") for one in bpftool(kind, "list")}


def code_of(pid):
    """The library's code as the process has it, and as the file has it."""
    with open("/proc/%d/maps" % pid) as file:
        maps = file.read()
    for line in maps.splitlines():
        words = line.split()
        if words[1] == "r-xp" and words[-1] == LIBRARY:
            start, end = (int(part, 16) for part in words[0].split("-"))
            with open("/proc/%d/mem" % pid, "rb") as memory, open(LIBRARY, "rb") as image:
                memory.seek(start)
                image.seek(int(words[2], 16))
                got = memory.read(end - start)
                return got, image.read(end - start).ljust(len(got), b"\0")
    raise Failure("process %d does not map %s:\n%s" % (pid, LIBRARY, maps))


def is_probed(pid):
    got, wanted = code_of(pid)
    return got != wanted


def clean(pid, held=frozenset()):
    """No probe of ours is left in the target's code, and nothing of what an agent held in the kernel."""
    until("the target's code as it was", 10, lambda: not is_probed(pid))
    if BPFTOOL:
        until("the end of what the agent held", 10, lambda: not (held & existing()))


def kernel_left_one(pid):
    """A kernel that is interrupted by SIGKILL while it places probes cannot take them back, and says so; what stays is an
    instruction that does nothing, until the next agent's probe there goes."""
    done = subprocess.run(["dmesg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    return "infermeter:%d failed to unregister, leaking uprobe" % pid in done.stdout


@test
def killed_at_random():
    """kill -9 at twenty random moments, from before it is ready to when it counts: the target goes on with right results,
    no probe stays, and the next agent starts at once."""
    frame.needs_root()
    chance = random.Random(20)
    folder = torture.folder_of_adapter(ADAPTER)
    try:
        with Target(STRESS, "endless", "killed") as target:
            target.reach("ready")
            target.go_on()
            for i in range(KILLS):
                began = time.monotonic()
                agent = Agent("--runtimes", folder, pids=[os.getpid()])
                held = set()
                try:
                    seconds = time.monotonic() - began
                    if seconds > 5:
                        raise Failure("start %d took %.1f s" % (i, seconds))
                    # Half of them once it is known to count.
                    if i % 2:
                        agent.ready()
                        agent.attached(target.pid, RUNTIME)
                        until("calls seen", 20, lambda: agent.metrics().sum("executions_total", runtime=RUNTIME) > 0)
                        if not is_probed(target.pid):
                            raise Failure("it counts, but no probe is seen in the target's code")
                    time.sleep(chance.uniform(0, 0.15))  # the moment is what is tested
                    held = held_by(agent.process.pid)
                finally:
                    agent.kill()
                    agent.errors.close()
                if target.process.poll() is not None:
                    raise Failure("the target ended with %s after kill %d: %s" % (target.finish()[1], i, target.lines))
                if kernel_left_one(agent.process.pid):
                    print("  kill %d: the kernel says that it left a breakpoint" % i)
                else:
                    clean(target.pid, held)
            # And a whole one: it counts what is made while it is there.
            with Agent("--runtimes", folder, pids=[os.getpid()]) as agent:
                agent.ready()
                agent.attached(target.pid, RUNTIME)
                until("calls seen", 20, lambda: agent.metrics().sum("executions_total", runtime=RUNTIME) > 100)
            clean(target.pid)
            target.go_on()
            target.reach("called")
            target.go_on()  # it compares its code with what it was before
            target.reach("done")
            target.go_on()
            output, code = target.finish()
            if code != 0 or tallies(output)[0]["made"] < 1000:
                raise Failure("the target ended with %d: %s" % (code, output))
    finally:
        shutil.rmtree(folder)


@test
def nothing_stays():
    """After SIGTERM no program, map or link of ours is left, and the target's code is as it was."""
    frame.needs_root()
    if not BPFTOOL:
        raise Skip("there is no bpftool")
    with Target(STRESS, "plain", "leftovers") as target:
        target.reach("ready")
        with Watch() as watch:
            watch.attached(target.pid)
            mine = held_by(watch.agent.process.pid)
            if {kind for kind, _ in mine} != {"prog", "map", "link"} or not mine <= existing():
                raise Failure("what the agent holds: %s" % sorted(mine))
            if not is_probed(target.pid):
                raise Failure("no probe is seen in the target's code")
        clean(target.pid, mine)


@test
def two_agents():
    """At the same functions at the same time: both count everything."""
    alone = torture.run_alone(STRESS, "plain", "two")
    with Watch() as one, Watch() as other:
        with Target(STRESS, "plain", "two") as target:
            target.reach("ready")
            one.attached(target.pid)
            other.attached(target.pid)
            target.go_on()
            target.reach("done")
            target.go_on()
            seen = target.finish()
        torture.same_behaviour(alone, seen)
        for watch in (one, other):
            watch.compare(tallies(seen[0]))
        # One goes, the other counts on.
        one.agent.stop()
        seen = other.run(STRESS, "plain", "three")
        other.compare(tallies(seen[0]))
        one.agent.start()
        one.agent.ready()


@test
def agent_comes_late():
    """Calls that began before the probes have exits without entries, and are no executions."""
    alone = torture.run_alone(STRESS, "threads", "late", steps=[("inside", None)])
    with Target(STRESS, "threads", "late") as target:
        target.reach("ready")
        target.go_on()
        target.reach("inside")
        with Watch() as watch:
            watch.attached(target.pid)
            target.go_on()
            target.reach("done")
            target.go_on()
            torture.same_behaviour(alone, target.finish())
            watch.compare([], unmatched_exit=500)
            if watch.agent.metrics().of("executions_total", runtime=RUNTIME):
                raise Failure("executions were counted")


def fails(code, *command, says=(), timeout=30):
    """Ends with this code after one clear line that says this."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout)
    lines = done.stderr.strip().splitlines()
    what = "%s: code %d, %r" % (" ".join(command), done.returncode, done.stderr)
    if done.returncode != code:
        raise Failure("code %d was wanted; %s" % (code, what))
    if len(lines) != 1:
        raise Failure("one line was wanted; %s" % what)
    if "infermeter" not in lines[0] or not all(word in lines[0] for word in says):
        raise Failure("%s was wanted in it; %s" % (says, what))


@test
def port_in_use():
    frame.needs_root()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        fails(1, BINARY, "serve", "--listen", address, "--pid", str(os.getpid()), says=[address])


@test
def wrong_words():
    for options in (["--ring-bytes", "5000"], ["--pid", "0"], ["--log", "loud"], ["surplus"]):
        fails(2, BINARY, "serve", *options, says=[options[-1]])
    fails(2, BINARY, "sreve", says=["sreve"])
    fails(2, BINARY, "serve", "--listen", "nowhere", says=["nowhere"])


@test
def wrong_files():
    with tempfile.TemporaryDirectory(prefix="infermeter-torture-") as folder:
        missing, bad = os.path.join(folder, "missing"), os.path.join(folder, "bad.yaml")
        fails(2, BINARY, "serve", "--runtimes", missing, says=[missing])
        fails(2, BINARY, "serve", "--config", missing, says=[missing])
        for text, word in (("runtime: [\n", "bad.yaml"), ("runtime: bad\nhooks: {}\n", "bad.yaml"),
                           ("runtime: bad\nmodules:\n  - exports: [f]\nhooks:\n  f:\n    means: call\n    function: {export: f}\n"
                            "    entry: {handle: '%nothing'}\n", "bad.yaml:8"),
                           ("\0\1\2", "bad.yaml")):
            with open(bad, "w") as file:
                file.write(text)
            fails(2, BINARY, "serve", "--runtimes", folder, says=[word])
            fails(1, BINARY, "check", bad, "--module", LIBRARY, says=[word])
        fails(1, BINARY, "check", missing, "--module", LIBRARY, says=[missing])
        fails(1, BINARY, "check", ADAPTER, "--module", missing, says=[missing])
        fails(1, BINARY, "check", ADAPTER, "--module", ADAPTER, says=[ADAPTER])
        fails(1, BINARY, "replay", missing, says=[missing])


def as_nobody(*command):
    if not shutil.which("setpriv"):
        raise Skip("there is no setpriv")
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", *command]


@test
def no_rights():
    """Without them: what is missing and what to do, code 3."""
    frame.needs_root()
    # A copy where everybody can read it.
    with tempfile.TemporaryDirectory(prefix="infermeter-torture-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        binary = os.path.join(folder, "infermeter")
        shutil.copy(BINARY, binary)
        os.chmod(binary, 0o755)
        for command in ([binary, "serve", "--listen", "127.0.0.1:0"], [binary, "trace"], [binary, "run", "--", "true"]):
            fails(3, *as_nobody(*command), says=["root"])
        done = subprocess.run(as_nobody(binary, "doctor"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        if done.returncode != 3 or "remedy" not in done.stdout:
            raise Failure("doctor: code %d, %s" % (done.returncode, done.stdout))


@test
def run_is_transparent():
    """`run` ends as the command ends, also by a signal, and adds nothing to its output."""
    frame.needs_root()
    folder = torture.folder_of_adapter(ADAPTER)
    try:
        for script, code, text in (("exit 7", 7, ""), ("echo out; kill -TERM $$", -signal.SIGTERM, "out\n"),
                                   ("cat", 0, "what goes in\n"), ("kill -SEGV $$", -signal.SIGSEGV, "")):
            done = subprocess.run([BINARY, "run", "--runtimes", folder, "--", "sh", "-c", script], input="what goes in\n",
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
            if (done.returncode, done.stdout) != (code, text):
                raise Failure("%s: code %d, %r" % (script, done.returncode, done.stdout))
        done = subprocess.run([BINARY, "run", "--", "/nonexistent/program"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=30)
        if done.returncode != 127 or "/nonexistent/program" not in done.stderr:
            raise Failure("no such program: code %d, %r" % (done.returncode, done.stderr))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    torture.main()
