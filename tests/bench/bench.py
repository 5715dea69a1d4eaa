#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""make bench: what we cost, beside a peer or beside nothing, in turn and in one run. Prints ratios with their spread.

Times of one machine say little; the ratios of pairs measured side by side say more. Needs root, and for the first part
bpftrace and libbpf-tools.
"""
import argparse
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "build" / "infermeter"
CALLER = ROOT / "build" / "tests" / "bench" / "caller"
BPFTRACE = ("uprobe:{0}:{1} {{ @s[tid] = nsecs; }} "
            "uretprobe:{0}:{1} /@s[tid]/ {{ @ = hist(nsecs - @s[tid]); delete(@s[tid]); }} "
            "BEGIN {{ printf(\"attached\\n\"); }}")


class Process:
    """A child whose output is read by line; ended by its own signal, then for good."""

    def __init__(self, command, ready, end=signal.SIGINT, **more):
        self.end = end
        self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, **more)
        self.first = self.wait_for(ready) if ready else ""

    def wait_for(self, text):
        while True:
            line = self.child.stdout.readline()
            if not line:
                raise RuntimeError(f"{self.child.args}: ended before it said {text!r}")
            if text in line:
                return line

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(self.end)
        try:
            self.child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()


class Agent(Process):
    def __init__(self, *options):
        super().__init__([AGENT, "serve", "--listen", "127.0.0.1:0", *options], "serving", signal.SIGTERM)
        self.url = self.first.split()[1].removesuffix("/metrics")
        self.wait_ready()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def wait_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                return self.get("/readyz")
            except OSError:
                time.sleep(0.005)
        raise RuntimeError("the agent did not become ready")


def spread(values):
    return f"{statistics.median(values):8.2f}  ({min(values):.2f} … {max(values):.2f})"


def row(name, values, unit=""):
    print(f"  {name:<52} {spread(values)} {unit}", flush=True)


def time_calls(function, calls):
    with Process([CALLER, function], "ready", signal.SIGTERM) as caller:
        caller.ask(str(max(calls // 10, 1000)))
        return float(caller.ask(str(calls)))


def with_tool(tool, function, calls):
    """Nanoseconds a call of the function with one tool on it. The tool stands before the caller starts."""
    symbol = f"bench_{function}"
    if tool == "off":
        return time_calls(function, calls)
    if tool == "infermeter":
        with Process([CALLER, function], "ready", signal.SIGTERM) as first:
            # A process that maps the file must be there: probes are placed when the first one is seen.
            with Agent("--runtimes", ROOT / "tests" / "bench", "--pid", first.child.pid) as agent:
                first.ask(str(max(calls // 10, 1000)))
                ns = float(first.ask(str(calls)))
                want = f"{max(calls // 10, 1000) + calls}"
                text = agent.get("/metrics")
                counted = [line for line in text.splitlines() if line.startswith("infermeter_executions_total{")
                           or line.startswith("infermeter_events_lost_total{")]
                total = sum(float(line.rsplit(" ", 1)[1]) for line in counted)
                if total < float(want):
                    raise RuntimeError(f"{want} calls were made, {total} were seen or lost")
                return ns
    if tool == "funclatency":
        command = ["stdbuf", "-oL", "/usr/sbin/funclatency", f"{CALLER}:{symbol}"]
        with Process(command, "Tracing", env={**os.environ, "LC_ALL": "C"}):
            return time_calls(function, calls)
    with Process(["bpftrace", "-e", BPFTRACE.format(CALLER, symbol)], "attached"):
        return time_calls(function, calls)


def bench_probes(rounds, calls):
    print(f"Entry and exit of one function, nanoseconds a call over an untraced one ({rounds} rounds in turn)")
    tools = ["infermeter"]
    tools += ["funclatency"] if os.path.exists("/usr/sbin/funclatency") else []
    tools += ["bpftrace"] if shutil.which("bpftrace") else []
    for function, text in (("endbr", "endbr64; push"), ("nop5", "nop5 at entry"),
                           ("nop5s", "nop5 at entry and exit")):
        cost = {tool: [] for tool in tools}
        for _ in range(rounds):
            off = with_tool("off", function, calls)
            for tool in tools:
                cost[tool].append(with_tool(tool, function, calls) - off)
        for tool in tools:
            row(f"{text}: {tool}", cost[tool], "ns")
        for peer in tools[1:]:
            row(f"{text}: {peer} / infermeter", [p / o for p, o in zip(cost[peer], cost["infermeter"])], "x")


LOAD_LLAMA = """
import ctypes, glob, os, sys
os.chdir(sys.argv[1])
ctypes.CDLL(glob.glob("libllama.v*.so*")[0])
print("ready", flush=True)
sys.stdin.readline()
"""


def targets():
    """A process that runs ONNX Runtime and one that maps llama.cpp."""
    sys.path.insert(0, str(ROOT / "tests" / "live"))
    import environments
    folder = next(pathlib.Path(environments.node_modules()).rglob("libllama.v*.so*")).parent
    return [Process([environments.python("ort-newest"), ROOT / "tests" / "bench" / "ort_caller.py",
                     pathlib.Path(environments.models()) / "small.onnx", 1, 16, "plain"], "ready", signal.SIGTERM),
            Process([sys.executable, "-c", LOAD_LLAMA, folder], "ready", signal.SIGTERM,
                    env={**os.environ, "LD_LIBRARY_PATH": str(folder)})]


def bench_agent(rounds):
    print(f"The agent itself, with targets of ONNX Runtime and llama.cpp ({rounds} rounds)")
    held = targets()
    cold, warm, down, resident = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            for times, cache in ((cold, pathlib.Path(folder) / str(i)), (warm, pathlib.Path(folder) / str(i))):
                env = os.environ.get("XDG_CACHE_HOME")
                os.environ["XDG_CACHE_HOME"] = str(cache)
                start = time.monotonic()
                with Agent() as agent:
                    times.append(time.monotonic() - start)
                    held[0].ask("100")
                    agent.get("/metrics")
                    status = pathlib.Path(f"/proc/{agent.child.pid}/status").read_text()
                    resident.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
                    start = time.monotonic()
                    agent.child.send_signal(signal.SIGTERM)
                    agent.child.wait(timeout=20)
                    down.append(time.monotonic() - start)
                if env is None:
                    del os.environ["XDG_CACHE_HOME"]
                else:
                    os.environ["XDG_CACHE_HOME"] = env
    for process in held:
        process.__exit__()
    row("start to /readyz, no cache", cold, "s")
    row("start to /readyz, cached", warm, "s")
    row("SIGTERM to gone", down, "s")
    row("resident memory", resident, "MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100000)
    parser.add_argument("parts", nargs="*", default=["probes", "model", "ort", "agent"])
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("make bench needs root")
    if "probes" in options.parts:
        bench_probes(options.rounds, options.calls)
    if "model" in options.parts:
        print("Records through decode, model and histograms on one core")
        subprocess.run([ROOT / "build" / "tests" / "bench" / "model_bench"], check=True)
    if "ort" in options.parts:
        import bench_ort  # needs the environments of the live tests
        bench_ort.run(options.rounds)
    if "agent" in options.parts:
        bench_agent(options.rounds)


if __name__ == "__main__":
    main()
