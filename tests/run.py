#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runs the tests: run.py unit|live|torture|vm|all, after `make` built what they need.

A test is a program that prints "ok NAME", "FAIL NAME" or "skip NAME: why" and ends with "N passed, N failed, N skipped":
  unit      build/tests/unit/*_test
  live      build/tests/live/* and tests/live/test_*.py
  torture   build/tests/torture/* and tests/torture/test_*.py
  vm        tests/vm/test_*.py, which keep a core busy: in `all` beside the unit tests
Two run side by side; one with the word "alone" in a comment line of its own (# alone, // alone) runs when no other does. The
output of a program is shown whole when something in it failed.
"""
import glob
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get("OUT") or os.path.join(ROOT, "build")
WORKERS = 2
LIMIT_SECONDS = {"unit": 300, "live": 1800, "torture": 1800, "vm": 900}
SUMMARY = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped$")
ALONE = re.compile(r"^(#|//|/\*) alone\b", re.M)


class Program:
    def __init__(self, ring, path, source):
        self.ring, self.path = ring, path
        self.name = os.path.relpath(path, ROOT)
        self.command = [sys.executable, path] if path.endswith(".py") else [path]
        self.alone = False
        if os.path.exists(source):
            with open(source) as file:
                self.alone = bool(ALONE.search(file.read()))


def sources(ring):
    """The C programs of a ring: (program, source)."""
    if ring == "vm":  # its C files run inside the machines
        return
    pattern = "*_test.c" if ring == "unit" else "*.c"
    for source in sorted(glob.glob(os.path.join(ROOT, "tests", ring, pattern))):
        if not source.endswith(".bpf.c"):
            yield os.path.join(OUT, "tests", ring, os.path.basename(source)[:-2]), source


def programs(ring):
    found = [Program(ring, program, source) for program, source in sources(ring)]
    if ring != "unit":
        for path in sorted(glob.glob(os.path.join(ROOT, "tests", ring, "test_*.py"))):
            found.append(Program(ring, path, path))
    return found


def offer_real_libraries():
    """The unit tests look at real libraries too, where the live tests have fetched them before."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "infermeter")
    for variable, pattern in (("INFERMETER_ORT_MODULE", "ort-*/lib/python*/site-packages/onnxruntime/capi/"
                                                        "onnxruntime_pybind11_state*.so"),
                              ("INFERMETER_LLAMA_LIBRARY", "npm-*/node_modules/@node-llama-cpp/linux-x64/bins/*/"
                                                           "libllama.v*.so")):
        found = sorted(glob.glob(os.path.join(cache, pattern)))
        if found:
            os.environ.setdefault(variable, found[-1])


def end(process):
    """Ends the program and what it started: all are in one process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(program):
    """Returns (output, why it cannot be trusted, or None)."""
    limit = LIMIT_SECONDS[program.ring]
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(program.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            return "", "cannot be started: %s" % error.strerror
        why = None
        try:
            code = process.wait(timeout=limit)
            if code < 0:
                why = "ended by %s" % signal.Signals(-code).name
            elif code not in (0, 1):
                why = "exit code %d" % code
        except subprocess.TimeoutExpired:
            why = "not done within %d s" % limit
        finally:
            end(process)
            process.wait()
        output.seek(0)
        return output.read().decode(errors="replace"), why


class Report:
    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def add(self, program, text, why, seconds):
        lines = text.rstrip("\n").splitlines()
        summary = SUMMARY.match(lines[-1]) if lines else None
        with self.lock:
            if summary:
                passed, failed, skipped = map(int, summary.groups())
            else:
                passed = sum(line.startswith("ok ") for line in lines)
                failed = sum(line.startswith("FAIL ") for line in lines)
                skipped = sum(line.startswith("skip ") for line in lines)
                why = why or "it ended without its summary"
            if why and not failed:
                failed += 1
            self.passed += passed
            self.failed += failed
            self.skipped += skipped
            print("%s: %d passed, %d failed, %d skipped, %.1f s%s" % (
                program.name, passed, failed, skipped, seconds, ": " + why if why else ""))
            for line in lines[:-1] if summary else lines:
                if failed or line.startswith(("ok ", "skip ", "FAIL ")):
                    print("  " + line)
            sys.stdout.flush()


def run_all(found, report):
    waiting = queue.Queue()
    for program in found:
        if not program.alone:
            waiting.put(program)

    def one(program):
        began = time.monotonic()
        text, why = run(program)
        report.add(program, text, why, time.monotonic() - began)

    def worker():
        while True:
            try:
                program = waiting.get_nowait()
            except queue.Empty:
                return
            one(program)

    workers = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    for program in found:
        if program.alone:
            one(program)


def main():
    # Rings in one list run side by side, the others one after the other.
    rings = {name: [[name]] for name in LIMIT_SECONDS}
    rings["all"] = [["vm", "unit"], ["live"], ["torture"]]
    if len(sys.argv) < 2 or sys.argv[1] not in rings:
        sys.exit("usage: tests/run.py unit|live|torture|vm|all [WORD...]  (only programs with a WORD in their name)")
    offer_real_libraries()
    report = Report()
    for together in rings[sys.argv[1]]:
        found = [p for ring in together for p in programs(ring)
                 if len(sys.argv) < 3 or any(word in p.name for word in sys.argv[2:])]
        run_all(found, report)
    print("%d passed, %d failed, %d skipped" % (report.passed, report.failed, report.skipped))
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
