#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Many threads, deep calls, full rings, addresses that come back, forbidden system calls, greenlets, other tracers."""
import os
import re
import shutil
import signal

import torture
from torture import HERE, RUNTIME, Cases, Failure, Skip, Target, Watch, add, built, objects, tallies, test, until

CASES = Cases()
STRESS, LIBRARY = built("stress"), built("libplain.so")
CALLS = 10000


def all_inside(target, watch):
    """500 calls in flight, no more and no less."""
    if watch:
        got = watch.agent.metrics().sum("executions_in_flight", model="threads", runtime=RUNTIME)
        if got != 500:
            raise Failure("in flight: %d instead of 500" % got)


def loads(output, metrics):
    for name in ("reuse-one", "reuse-other"):
        got = metrics.sum("model_loads_total", model=name, runtime=RUNTIME)
        if got != 25:
            raise Failure("loads of %s: %d instead of 25" % (name, got))
    failed = metrics.sum("model_load_failures_total", runtime=RUNTIME)
    if failed != 50:
        raise Failure("failed loads: %d instead of 50" % failed)


CASES.add("threads_500", STRESS, "threads", steps=[("inside", all_inside)])
# Twelve calls in each other, and eight frames: four have none, and so their exits have no entries.
CASES.add("nested_beyond_frames", STRESS, "nest", counts={"lost_frame_depth": 200, "unmatched_exit": 200})
CASES.add("reused_addresses", STRESS, "reuse", then=loads)
CASES.add("seccomp_early", STRESS, "seccomp_early")
CASES.add("seccomp_late", STRESS, "seccomp_late")
CASES.add("seccomp_strict", STRESS, "seccomp_strict")


def full_ring(size):
    """The agent is stopped while the calls are made: what finds room is counted, what finds none is said to be lost."""
    def run():
        alone = torture.run_alone(STRESS, "many")
        with Watch("--ring-bytes", str(size)) as watch, Target(STRESS, "many") as target:
            target.reach("ready")
            watch.attached(target.pid)
            os.kill(watch.agent.process.pid, signal.SIGSTOP)
            try:
                target.go_on()
                target.reach("done")
            finally:
                os.kill(watch.agent.process.pid, signal.SIGCONT)
            target.go_on()
            torture.same_behaviour(alone, target.finish())
            metrics = watch.agent.metrics()
        # The record that names the model may be among the lost ones.
        calls = metrics.sum("executions_total", runtime=RUNTIME)
        lost = metrics.sum("events_lost_total", stage="ring_full")
        room = size // 120  # a record with its head
        if calls + lost != CALLS or not room // 2 <= calls <= room:
            raise Failure("%d calls and %d lost of %d, with room for %d" % (calls, lost, CALLS, room))

    return run


add("ring_full_4096", full_ring(4096))
add("ring_full_65536", full_ring(65536))


def greenlet_python():
    """An interpreter that has greenlet."""
    import environments
    return environments.python("greenlet")


@test
def greenlets():
    """Stacks that are copied away and back: two calls at one place at the same time. Which of them ended how cannot always be
    told; each is counted once, or said to be nested."""
    command = [greenlet_python(), os.path.join(HERE, "targets", "greenlets.py"), LIBRARY]
    alone = torture.run_alone(*command)
    with Watch() as watch:
        seen = watch.run(*command)
        torture.same_behaviour(alone, seen)
        metrics = watch.agent.metrics()
        counts = {key: value - watch.before.get(key, 0) for key, value in watch.counts(metrics).items()}
    for tally in tallies(seen[0]):
        calls = metrics.sum("executions_total", model=tally["name"], runtime=RUNTIME)
        nested = counts["unmatched", "nested"]
        if calls + nested != tally["made"]:
            raise Failure("%s: %d calls and %d nested of %d; %s" % (tally["name"], calls, nested, tally["made"], counts))
    if any(value for (kind, _), value in counts.items() if kind == "lost"):
        raise Failure("lost: %s" % counts)


def filter_arrives(*options):
    """A process with a seccomp filter maps the file while another one calls: return probes give way to exits, and no call of
    either is missed. Those that end in between are seen to end twice; the one that stands between its exit and its return
    when the return probe goes is seen to have ended, but not how."""
    def run():
        with Watch(*options) as watch, Target(STRESS, "calling") as calling:
            calling.reach("ready")
            watch.attached(calling.pid)
            calling.go_on()
            calls = lambda: watch.agent.metrics().sum("executions_total", model="calling", runtime=RUNTIME)  # noqa: E731
            until("calls seen", 20, lambda: calls() > 100)
            with Target(STRESS, "seccomp_early", "filtered") as filtered:
                filtered.reach("ready")
                watch.attached(filtered.pid)
                before = calls()
                until("more calls seen", 20, lambda: calls() > before + 1000)
                filtered.go_on()
                filtered.reach("done")
                filtered.go_on()
                output = filtered.finish()[0]
            calling.go_on()
            calling.reach("done")
            calling.go_on()
            wanted = tallies(calling.finish()[0]) + tallies(output)
            if watch.agent.metrics().sum("execution_failures_total", reason="unwound", model="calling", runtime=RUNTIME) == 1:
                wanted[0].update(ok=wanted[0]["ok"] - 1, unwound=1, rows=None)
            watch.compare(wanted, unmatched_exit=None)

    return run


add("seccomp_filter_arrives", filter_arrives())
add("seccomp_filter_arrives_single_probes", filter_arrives("--single-probes"))


def child_of(pid, name):
    """The child that runs this program."""
    def probe():
        try:
            with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
                children = [int(child) for child in file.read().split()]
            return next((c for c in children if os.readlink("/proc/%d/exe" % c) == name), None)
        except OSError:
            return None

    return until("%s as a child of process %d" % (name, pid), 20, probe)


def json_lines(output):
    return objects("\n".join(line for line in output.splitlines() if line.startswith("{")))


@test
def gdb_breakpoints():
    """gdb stops at the probed function and behind it, and goes on."""
    if not shutil.which("gdb"):
        raise Skip("there is no gdb")
    script = ["set breakpoint pending on", "set confirm off", "set startup-with-shell off", "break torture_run",
              "commands\nsilent\ncontinue\nend", "break torture_return", "commands\nsilent\ncontinue\nend", "run"]
    path = os.path.join(torture.BUILD, "gdb-script")
    with open(path, "w") as file:
        file.write("\n".join(script) + "\n")
    command = ["gdb", "-nx", "-q", "-batch", "-x", path, "--args", STRESS, "plain", "under-gdb"]

    def run(watch):
        with Target(*command) as target:
            target.reach("ready")
            if watch:
                watch.attached(child_of(target.pid, STRESS))
            target.go_on()
            target.reach("done")
            target.go_on()
            output, code = target.finish()
            if "exited normally" not in output:
                raise Failure("the program did not end well in gdb: %s" % output)
            return json_lines(output), code

    alone = run(None)
    with Watch() as watch:
        seen = run(watch)
        torture.same_behaviour(alone, seen)
        watch.compare([one for one in seen[0] if "made" in one])


@test
def bpftrace_uprobe():
    """Another tracer at the same function: both count all calls."""
    if not shutil.which("bpftrace"):
        raise Skip("there is no bpftrace")
    # Probes are attached one after the other: between two that have spoken, all are.
    tick = 'interval:ms:50 { printf("%s\\n"); }'
    program = "%s uprobe:%s:torture_run { @calls = count(); } %s" % (tick % "first", LIBRARY, tick % "last")
    alone = torture.run_alone(STRESS, "plain", "with-bpftrace")
    with Watch() as watch, Target("bpftrace", "-q", "-e", program) as tracer:
        try:
            tracer.reach("first", 30)
            tracer.reach("last", 30)
        except Failure:
            raise Skip("bpftrace cannot attach here: %s" % tracer.errors_text()[-200:])
        seen = watch.run(STRESS, "plain", "with-bpftrace")
        torture.same_behaviour(alone, seen)
        watch.compare(tallies(seen[0]))
        os.kill(tracer.pid, signal.SIGINT)
        output, _ = tracer.finish()
        counted = re.search(r"@calls: (\d+)", output)
        if not counted or int(counted[1]) != 50:
            raise Failure("bpftrace counted %s instead of 50" % (counted and counted[1]))


if __name__ == "__main__":
    torture.main(CASES)
