# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What the torture tests share: a target runs without and with the agent, must behave the same, and what it made must be what
was seen and what is said to be lost."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))

import agent as live  # noqa: E402
import frame  # noqa: E402
from agent import BINARY, ROOT, Agent, Failure, LineReader, until  # noqa: E402,F401
from frame import Skip, add, test  # noqa: E402,F401

BUILD = os.path.join(os.environ.get("OUT") or os.path.join(ROOT, "build"), "tests", "torture")
ADAPTER = os.path.join(HERE, "torture.yaml")
RUNTIME = "torture"
STEP_SECONDS = 60
KINDS = ("lost", "unmatched", "invalid")

# The targets of one build are watched by one test at a time: what is counted for all processes is compared exactly.
os.makedirs(BUILD, exist_ok=True)
_lock = open(os.path.join(BUILD, "lock"), "w")
fcntl.flock(_lock, fcntl.LOCK_EX)


def built(name):
    path = os.path.join(BUILD, name)
    if not os.path.exists(path):
        raise Failure("%s is not built: make torture-targets" % path)
    return path


class Target:
    """A program that says "ready", waits for a line, prints what it made, says "done", waits for a line and ends."""

    def __init__(self, *command, env=None, cwd=None, prefix=()):
        self.errors = tempfile.TemporaryFile()
        # A session of its own, so that the end of a test is the end of all that the target started.
        self.process = subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=dict(os.environ, **env) if env else None, cwd=cwd, start_new_session=True)
        self.pid = self.process.pid
        self.reader = LineReader(self.process.stdout)
        self.lines = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        if kind is not None and issubclass(kind, Exception) and not issubclass(kind, Skip):
            text = self.errors_text()
            if self.lines or text:
                print("  the target said:\n    " + "\n    ".join(self.lines[-20:] + text.splitlines()[-20:]))
        self.errors.close()

    def errors_text(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def reach(self, word, seconds=STEP_SECONDS):
        """Reads up to the line that is this word; a Failure if the target ends before."""
        while True:
            line = self.reader.line(seconds)
            if line is None:
                raise Failure("the target ended (%s) before it said %r" % (self.process.wait(timeout=10), word))
            self.lines.append(line)
            if line == word:
                return

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self, seconds=STEP_SECONDS):
        """Returns (all that it printed, its exit code)."""
        while (line := self.reader.line(seconds)) is not None:
            self.lines.append(line)
        return "\n".join(self.lines), self.process.wait(timeout=10)


def objects(text):
    """What the target printed as JSON."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def tallies(text):
    return [one for one in objects(text) if "made" in one]


def through(target, watch, steps, modules=1, cxx=False):
    """From "ready" to the end: (output, exit code). steps: pairs of a word at which the target waits, and what is done then
    with (target, watch, or None without an agent); a step that returns True ends the target itself."""
    target.reach("ready")
    if watch:
        watch.attached(target.pid, modules, cxx)
    for word, act in (*steps, ("done", None)):
        target.go_on()
        target.reach(word)
        if act and act(target, watch):
            return target.finish()
    target.go_on()
    return target.finish()


def run_alone(*command, env=None, steps=()):
    """Without an agent: (output, exit code)."""
    with Target(*command, env=env) as target:
        return through(target, None, steps)


class Cases:
    """Targets that one agent watches, one after the other. They run alone before the agent is there: its probes are in the
    file, for whoever maps it."""

    def __init__(self, *options):
        self.options = options
        self.cases, self.alone, self.watch = {}, {}, None

    def add(self, name, *command, env=None, steps=(), then=None, **kwargs):
        """then(output, metrics): more that must hold. The rest is Watch.check's."""
        self.cases[name] = command, env, steps

        def run():
            output, metrics = self.watching().check(self.alone[name], *command, env=env, steps=steps, **kwargs)
            if then:
                then(output, metrics)

        add(name, run)

    def watching(self):
        if not self.watch:
            for name, (command, env, steps) in self.cases.items():
                self.alone[name] = run_alone(*command, env=env, steps=steps)
            self.watch = Watch(*self.options).__enter__()
        return self.watch

    def close(self):
        if self.watch:
            self.watch.__exit__(None, None, None)
            self.watch = None


def folder_of_adapter(path):
    """A folder that holds only this adapter."""
    folder = tempfile.mkdtemp(prefix="infermeter-torture-")
    shutil.copy(path, folder)
    return folder


class Watch:
    """An agent that watches this test's children, and what its counters stood at."""

    def __init__(self, *options, adapter=ADAPTER):
        frame.needs_root()
        self.folder = folder_of_adapter(adapter)
        self.agent = Agent("--runtimes", self.folder, *options, pids=[os.getpid()], start=False)

    def __enter__(self):
        self.agent.start()
        self.agent.ready()
        self.before = self.counts()
        return self

    def __exit__(self, *why):
        try:
            if why[0] is None and "--single-probes" in self.agent.options:
                # Each of many links waits for the kernel, alone: only kernels that need this option are quick about it.
                self.agent.process.terminate()
                self.agent.process.wait(timeout=60)
            if why[0] is None and self.agent.process.poll() is not None:
                if self.agent.process.returncode:
                    raise Failure("the agent ended with %d: %s" % (self.agent.process.returncode, self.agent.log()))
                self.agent.kill()
                self.agent.errors.close()
                return None
            return self.agent.__exit__(*why)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def counts(self, metrics=None):
        metrics = metrics or self.agent.metrics()
        return {(kind, labels["stage"]): int(value) for kind in KINDS
                for labels, value in metrics.of("events_%s_total" % kind)}

    def attached(self, pid, modules=1, cxx=False):
        """Waits until so many files of the torture runtime that the process maps have their probes, and the C++ library too."""
        def probe():
            known = [module for module in self.agent.modules(pid) if module["usable"] and
                     any(hook["attached"] for hook in module["hooks"])]
            return sum(module["runtime"] == RUNTIME for module in known) >= modules and \
                (not cxx or any(module["runtime"] == "c++" for module in known))

        try:
            until("%d files of process %d attached" % (modules, pid), 30, probe)
        except Failure as failure:
            raise Failure("%s; known of it: %s" % (failure, json.dumps(self.agent.modules(pid))[:1500]))

    def run(self, *command, env=None, steps=(), modules=1, cxx=False):
        """Under the agent: (output, exit code)."""
        with Target(*command, env=env) as target:
            return through(target, self, steps, modules, cxx)

    def compare(self, wanted, **counts):
        """The metrics against tallies; and the agent's counts, which must have grown by what the tallies say and by counts
        (lost_ring_full=3), and by nothing else. Counts and rows given as None may be anything. Returns the metrics."""
        metrics = self.agent.metrics()
        problems = []

        def same(what, got, want):
            if got != want:
                problems.append("%s: %d, the target says %d" % (what, got, want))

        merged = {}
        for tally in wanted:
            into = merged.setdefault(tally["name"], dict.fromkeys(tally, 0))
            for key, value in tally.items():
                into[key] = value if key == "name" or value is None else into[key] + value
        for name, tally in merged.items():
            labels = {"model": name, "runtime": RUNTIME}
            same("%s executions" % name, metrics.sum("executions_total", **labels),
                 tally["ok"] + tally["status"] + tally["unwound"])
            for reason in ("status", "unwound"):
                same("%s failures by %s" % (name, reason),
                     metrics.sum("execution_failures_total", reason=reason, **labels), tally[reason])
            same("%s durations" % name, metrics.sum("execution_duration_seconds_count", **labels), tally["ok"])
            same("%s batches" % name, metrics.sum("execution_batch_size_count", **labels), tally["ok"])
            if tally["rows"] is not None:
                same("%s rows" % name, metrics.sum("inferences_total", **labels), tally["rows"])
        expected = dict.fromkeys(self.before, 0)
        for stage in ("unwound", "abandoned", "nested"):
            expected["unmatched", stage] = sum(tally[stage] for tally in wanted)
        for key, value in counts.items():
            kind, _, stage = key.partition("_")
            expected[kind, stage] = value
        now = self.counts(metrics)
        for key, value in expected.items():
            if value is not None:
                same("events_%s_total{stage=%s}" % key, now.get(key, 0) - self.before.get(key, 0), value)
        self.before = now
        if problems:
            raise Failure("\n    ".join(problems))
        return metrics

    def check(self, alone, *command, counts=None, **kwargs):
        """Runs it: it must behave as it did alone, and be counted right. Returns (output, metrics)."""
        seen = self.run(*command, **kwargs)
        same_behaviour(alone, seen)
        return seen[0], self.compare(tallies(seen[0]), **(counts or {}))


def same_behaviour(alone, watched):
    if alone != watched:
        raise Failure("under the agent it behaves otherwise:\n      %r\n    instead of\n      %r" % (watched, alone))


def main(*cases):
    # A driver that is told to end takes its targets with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    add("agents_end", lambda: [one.close() for one in cases])
    try:
        frame.main()
    finally: # also where arguments chose other tests
        for one in cases:
            one.close()
