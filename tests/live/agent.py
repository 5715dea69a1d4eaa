# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A running agent and what it says; and workloads that wait for it. Every wait is bounded."""
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.environ.get("INFERMETER") or os.path.join(ROOT, "build", "infermeter")
READY_SECONDS = 60
STEP_SECONDS = 120
STOP_SECONDS = 1.0

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Failure(Exception):
    """A test's assertion, in words."""


def until(what, seconds, probe, every=0.02):
    """Calls probe until it returns something true, and returns that; a Failure after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure("%s: not within %g s" % (what, seconds))
        time.sleep(every)


class LineReader:
    """Lines of a pipe, with a time limit."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.rest = b""

    def line(self, seconds):
        """The next line without its end, or None at the end of the stream."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failure("no line within %g s; so far: %r" % (seconds, self.rest[-300:]))
            chunk = os.read(self.fd, 65536)
            if not chunk:
                line, self.rest = self.rest, b""
                return line.decode(errors="replace") if line else None
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace")


class Metrics:
    """A parsed exposition: {(name, frozenset of labels): value}."""

    def __init__(self, text):
        self.text, self.samples = text, {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = SAMPLE.match(line)
            if not match:
                raise Failure("not a line of the exposition format: %r" % line)
            labels = frozenset((k, re.sub(r'\\(.)', lambda m: "\n" if m[1] == "n" else m[1], v))
                               for k, v in LABEL.findall(match[2] or ""))
            if (match[1], labels) in self.samples:
                raise Failure("a series twice: %r" % line)
            self.samples[match[1], labels] = float(match[3])

    def of(self, name, **wanted):
        """[(labels, value)] of the series that have these labels."""
        return [(dict(labels), value) for (n, labels), value in self.samples.items()
                if n == "infermeter_" + name and set(wanted.items()) <= labels]

    def sum(self, name, **wanted):
        return sum(value for _, value in self.of(name, **wanted))

    def models(self, **wanted):
        return sorted({labels["model"] for labels, _ in self.of("executions_total", **wanted)})

    def buckets(self, name, **wanted):
        """{le: count in this bucket alone}, empty ones left out."""
        cumulated = {}
        for labels, value in self.of(name + "_bucket", **wanted):
            cumulated[labels["le"]] = cumulated.get(labels["le"], 0) + value
        alone, before = {}, 0
        for le in sorted(cumulated, key=float):
            if cumulated[le] != before:
                alone[le] = cumulated[le] - before
            before = cumulated[le]
        return alone


class Agent:
    def __init__(self, *options, pids=(), start=True):
        self.options = list(options)
        for pid in pids:
            self.options += ["--pid", str(pid)]
        self.process = self.address = None
        self.errors = tempfile.TemporaryFile()
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                self.kill()
        finally:
            if kind is not None:
                text = self.log()
                if text:
                    print("  the agent said:\n    " + "\n    ".join(text.strip().splitlines()[-20:]))
            self.errors.close()

    def log(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def start(self):
        self.process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", *self.options],
                                        stdout=subprocess.PIPE, stderr=self.errors, stdin=subprocess.DEVNULL)
        line = LineReader(self.process.stdout).line(READY_SECONDS)
        match = line and re.match(r"serving http://(\S+)/metrics$", line)
        if not match:
            raise Failure("the agent says %r instead of where it serves" % line)
        self.address = match[1]

    def ready(self):
        """Waits until everything that ran at the start is attached."""
        def probe():
            if self.process.poll() is not None:
                raise Failure("the agent ended with %d" % self.process.returncode)
            try:
                self.get("/readyz")
                return True
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                return False

        until("ready", READY_SECONDS, probe)
        return self

    def get(self, path, accept=None):
        request = urllib.request.Request("http://%s%s" % (self.address, path), headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        return Metrics(self.get("/metrics"))

    def json(self, path):
        return json.loads(self.get(path))

    def modules(self, pid):
        """The modules that the agent knows of the process: JSON objects."""
        return [module for target in self.json("/api/v1/targets")["targets"] if target["pid"] == pid
                for module in target["modules"]]

    def attached(self, pid, runtime):
        """Waits until the process's module of the runtime has its call hooks attached."""
        def probe():
            for module in self.modules(pid):
                if module.get("runtime") == runtime and module["usable"] and \
                        any(hook["attached"] for hook in module["hooks"]):
                    return module
            return None

        try:
            return until("%s of process %d attached" % (runtime, pid), READY_SECONDS, probe, every=0.1)
        except Failure as failure:
            raise Failure("%s; known of it: %s" % (failure, json.dumps(self.modules(pid))[:1500]))

    def rss_bytes(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024

    def stop(self):
        """SIGTERM: it must be gone within a second, with 0, and leave no child."""
        children = _descendants(self.process.pid)
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("the agent does not end on SIGTERM")
        seconds = time.monotonic() - began
        self.process.stdout.close()
        if code != 0:
            raise Failure("the agent ended with %d on SIGTERM" % code)
        if seconds > STOP_SECONDS:
            raise Failure("the agent took %.2f s to end" % seconds)
        until("the end of the agent's children", 2, lambda: not any(os.path.exists("/proc/%d" % c) for c in children))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process and self.process.stdout:
            self.process.stdout.close()


def _descendants(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(entry))
            except (OSError, ValueError, IndexError):
                pass
    return found


class Workload:
    """A program that says "before-load", "loaded" and "done" and waits after each, then prints JSON and ends."""

    def __init__(self, *command, env=None):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=dict(os.environ, **env) if env else None)
        self.pid = self.process.pid
        self.lines = LineReader(self.process.stdout)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        if kind is not None:
            self.errors.seek(0)
            text = self.errors.read().decode(errors="replace").strip()
            if text:
                print("  the workload said:\n    " + "\n    ".join(text.splitlines()[-20:]))
        self.errors.close()

    def reach(self, word):
        line = self.lines.line(STEP_SECONDS)
        if line != word:
            raise Failure("the workload says %r instead of %r (exit %r)" % (line, word, self.process.poll()))

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def result(self):
        """Its JSON, once it has ended well."""
        last = None
        while (line := self.lines.line(STEP_SECONDS)) is not None:
            last = line
        code = self.process.wait(timeout=30)
        if code != 0:
            raise Failure("the workload ended with %d" % code)
        return json.loads(last)


def bucket(size):
    """The bucket of execution_batch_size that a batch falls into."""
    bound = 1
    while bound < size:
        bound *= 2
    return str(bound) if bound <= 1024 else "+Inf"


def compare(metrics, result, runtime, duration=None):
    """Raises a Failure unless the metrics say what the workload counted. duration: allowed relative error of its seconds."""
    problems = []

    def same(what, got, wanted):
        if got != wanted:
            problems.append("%s: %s, the workload counted %s" % (what, got, wanted))

    for name, model in result["models"].items():
        labels = {"model": name, "runtime": runtime}
        same("%s calls, failed ones too" % name, metrics.sum("executions_total", **labels),
             model["calls"] + model["failures"])
        same("%s failures" % name, metrics.sum("execution_failures_total", reason="status", **labels), model["failures"])
        same("%s unwound" % name, metrics.sum("execution_failures_total", reason="unwound", **labels), model.get("unwound", 0))
        wanted, rows = {}, 0
        for size, n in model["batches"].items():
            wanted[bucket(int(size))] = wanted.get(bucket(int(size)), 0) + n
            rows += int(size) * n
        same("%s batches" % name, metrics.buckets("execution_batch_size", **labels), wanted)
        same("%s rows" % name, metrics.sum("execution_batch_size_sum", **labels), rows)
        same("%s inferences" % name, metrics.sum("inferences_total", **labels), rows)
        same("%s durations" % name, metrics.sum("execution_duration_seconds_count", **labels), model["calls"])
        if "tokens" in model:
            same("%s tokens" % name, metrics.sum("execution_tokens_total", **labels), model["tokens"])
        if duration:
            seconds = metrics.sum("execution_duration_seconds_sum", **labels)
            error = seconds / model["seconds"] - 1
            if abs(error) > duration:
                problems.append("%s seconds: %.6f, the workload's timer %.6f (%+.2f %%)" % (
                    name, seconds, model["seconds"], 100 * error))
    for labels, value in metrics.of("executions_total", runtime=runtime):
        if labels["model"] not in result["models"] and value:
            problems.append("a model that nobody called: %s, %d calls" % (labels["model"], value))
    for labels, value in metrics.of("events_lost_total") + metrics.of("events_invalid_total"):
        if value:
            problems.append("lost or invalid: %s %d" % (labels, value))
    if problems:
        raise Failure("\n    ".join(problems))
