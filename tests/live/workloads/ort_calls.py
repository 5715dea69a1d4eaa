# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Calls ONNX Runtime from Python and counts what it does; the last line of its output is JSON:

  {"models": {NAME: {"calls", "failures", "batches": {SIZE: N}, "seconds"}}, "checksum": ...}

calls are those that succeeded, batches and seconds are theirs; seconds is this program's own timer around each call.
With --wait it prints "before-load" and "loaded" and waits for a line on its input after each.
"""
import argparse
import gc
import json
import os
import sys
import threading
import time

import numpy
import onnxruntime

FAILURES = ("rank", "width", "dtype", "kernel", "terminate")


class Model:
    """A session, the name that an observer should give it, and the counts."""

    def __init__(self, spec, threads, name=None):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 4
        kind, self.path = spec.split(":", 1)
        if kind == "bytes":
            with open(self.path, "rb") as file:
                source = file.read()
            self.name = name or os.path.basename(self.path).replace(".onnx", "_graph")
        else:
            source = self.path
            self.name = name or os.path.basename(self.path)
        self.session = onnxruntime.InferenceSession(source, self.options, providers=["CPUExecutionProvider"])
        self.width = self.session.get_inputs()[0].shape[1]


class Counts:
    def __init__(self):
        self.models = {}
        self.lock = threading.Lock()
        self.checksum = 0.0

    def of(self, name):
        return self.models.setdefault(name, {"calls": 0, "failures": 0, "batches": {}, "seconds": 0.0})

    def add(self, name, batch, seconds, ok, result=0.0):
        with self.lock:
            model = self.of(name)
            if ok:
                model["calls"] += 1
                model["batches"][str(batch)] = model["batches"].get(str(batch), 0) + 1
                model["seconds"] += seconds
                self.checksum += result
            else:
                model["failures"] += 1

    def merge(self, other):
        for name, model in other["models"].items():
            mine = self.of(name)
            for key in ("calls", "failures", "seconds"):
                mine[key] += model[key]
            for size, n in model["batches"].items():
                mine["batches"][size] = mine["batches"].get(size, 0) + n
        self.checksum += other["checksum"]


def input_of(batch, width):
    return (numpy.arange(batch * width, dtype=numpy.float32).reshape(batch, width) % 13) / 13


def call_run(model, x):
    """Like the other two: the result, and the seconds of the call alone."""
    began = time.perf_counter()
    results = model.session.run(["y"], {"x": x})
    return results[0], time.perf_counter() - began


def call_iobinding(model, x):
    binding = model.session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    began = time.perf_counter()
    model.session.run_with_iobinding(binding)
    seconds = time.perf_counter() - began
    return binding.copy_outputs_to_cpu()[0], seconds


def call_async(model, x):
    done, box = threading.Event(), []

    def callback(results, _data, error):
        box.append((results, error))
        done.set()

    began = time.perf_counter()
    model.session.run_async(["y"], {"x": x}, callback, None)
    if not done.wait(60):
        raise SystemExit("run_async never called back")
    seconds = time.perf_counter() - began
    results, error = box[0]
    if error:
        raise RuntimeError(error)
    return results[0], seconds


CALLS = {"run": call_run, "iobinding": call_iobinding, "async": call_async}


def call(counts, model, api, batch):
    x = input_of(batch, model.width)
    y, seconds = CALLS[api](model, x)
    counts.add(model.name, batch, seconds, True, float(y.sum()))


def fail(counts, model, kind):
    """One call that enters the runtime's Run and comes back with an error."""
    x, options = input_of(2, model.width), None
    if kind == "rank":
        x = x[0]
    elif kind == "width":
        x = input_of(2, model.width + 1)
    elif kind == "dtype":
        x = x.astype(numpy.float64)
    elif kind == "terminate":
        options = onnxruntime.RunOptions()
        options.terminate = True
    try:
        model.session.run(["y"], {"x": x}, options)
    except Exception:  # of a class per error code, none of them public
        counts.add(model.name, 0, 0.0, False)
    else:
        raise SystemExit("a call that should fail (%s) did not" % kind)


def work(counts, models, args):
    def body():
        for i in range(args.calls):
            for model in models:
                if os.path.basename(model.path) != "reshape.onnx":
                    call(counts, model, args.api, args.batches[i % len(args.batches)])
                else:
                    call(counts, model, args.api, 3)
        for kind in args.fail:
            for model in models:
                if (kind == "kernel") == (os.path.basename(model.path) == "reshape.onnx"):
                    fail(counts, model, kind)

    def guarded():
        try:
            body()
        except BaseException as error:  # a thread's end is not the program's
            sys.stderr.write("%r\n" % (error,))
            os._exit(1)

    threads = [threading.Thread(target=guarded) for _ in range(args.threads)]
    if args.threads == 1:
        body()
        return
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reload(counts, specs, args):
    """Load, call, free, one model after the other, many times: allocators give the same address to different models."""
    same, last = 0, None
    for i in range(args.reload):
        model = Model(specs[i % len(specs)], args.intra)
        address = id(model.session._sess)
        same += address == last
        last = address
        for _ in range(args.calls):
            call(counts, model, args.api, args.batches[i % len(args.batches)])
        del model
        gc.collect()
    sys.stderr.write("%d of %d reloads had the Python object at the same address\n" % (same, args.reload))


def say_and_wait(args, word):
    if args.wait:
        print(word, flush=True)
        sys.stdin.readline()


def in_children(n, body):
    """Runs body in n forked children and returns what each says."""
    pipes, results = [], []
    for _ in range(n):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(read)
                counts = Counts()
                body(counts)
                os.write(write, json.dumps({"models": counts.models, "checksum": counts.checksum}).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        pipes.append((pid, read))
    for pid, read in pipes:
        data = b""
        while chunk := os.read(read, 65536):
            data += chunk
        os.close(read)
        if os.waitpid(pid, 0)[1] != 0:
            raise SystemExit("a child failed")
        results.append(json.loads(data))
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", help="file:PATH or bytes:PATH, the same may be given twice")
    parser.add_argument("--api", choices=sorted(CALLS), default="run")
    parser.add_argument("--threads", type=int, default=1, help="threads that call")
    parser.add_argument("--intra", type=int, default=1, help="threads of the runtime inside a call")
    parser.add_argument("--calls", type=int, default=20, help="of each thread to each model")
    parser.add_argument("--batches", type=lambda s: [int(b) for b in s.split(",")], default=[1, 2, 4, 8])
    parser.add_argument("--fail", type=lambda s: s.split(","), default=[], help=",".join(FAILURES))
    parser.add_argument("--fork", type=int, default=0, help="children that do the work, each with its own sessions")
    parser.add_argument("--fork-late", type=int, default=0, help="children that use the parent's sessions")
    parser.add_argument("--reload", type=int, default=0, help="load and free so many times")
    parser.add_argument("--corrupt", help="a file that cannot be loaded: try it")
    parser.add_argument("--wait", action="store_true")
    args = parser.parse_args()
    counts = Counts()

    def load_and_work(into, say=True):
        models = [Model(spec, args.intra) for spec in args.models]
        if say:
            say_and_wait(args, "loaded")
        if args.fork_late:
            for result in in_children(args.fork_late, lambda theirs: work(theirs, models, args)):
                into.merge(result)
        else:
            work(into, models, args)

    say_and_wait(args, "before-load")
    if args.corrupt:
        try:
            Model("file:" + args.corrupt, 1)
        except Exception:
            pass
        else:
            raise SystemExit("the broken model was loaded")
    if args.reload:
        say_and_wait(args, "loaded")
        reload(counts, args.models, args)
    elif args.fork:
        say_and_wait(args, "loaded")
        for result in in_children(args.fork, lambda theirs: load_and_work(theirs, say=False)):
            counts.merge(result)
    else:
        load_and_work(counts)
    say_and_wait(args, "done")
    print(json.dumps({"runtime": onnxruntime.__version__, "models": counts.models,
                      "checksum": "%.6g" % counts.checksum}, sort_keys=True), flush=True)


if __name__ == "__main__":
    main()
