# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Calls models of several inputs, given in every order, and tries to load what cannot be loaded; the last line is JSON:

  {"models": {NAME: {"calls", "failures", "batches": {SIZE: N}}}, "unknown": {NAME: N}, "broken": {NAME: N}}

unknown are the calls whose batch nobody can know, broken the loads that failed. ort_inputs.py FOLDER [FILE that cannot be
loaded ...]; it waits like ort_calls.py.
"""
import collections
import itertools
import json
import os
import sys

import numpy
import onnxruntime


def ids(*shape):
    return numpy.zeros(shape, numpy.int64)


def floats(*shape):
    return numpy.zeros(shape, numpy.float32)


FEEDS = {
    "text.onnx": lambda n: {"ids": ids(n, 7), "mask": ids(n, 7), "types": ids(n, 7)},
    "voice.onnx": lambda n: {"input": floats(n, 32), "state": floats(2, n, 8), "rate": numpy.array(16000)},
    "cache.onnx": lambda n: {"past": floats(n, 2, 5, 4), "ids": ids(n, 1), "lengths": ids(n)},
    "deep.onnx": lambda n: {"x": floats(n, 1, 1, 1, 1, 1, 1, 1, 1)},
    "scalar.onnx": lambda n: {"x": numpy.array(1, numpy.float32)},
}


def say_and_wait(word):
    print(word, flush=True)
    sys.stdin.readline()


def load(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def call(session, name, counts, unknown):
    for n in (1, 3, 0, 5):
        for feeds in itertools.permutations(FEEDS[name](n).items()):
            session.run(None, dict(feeds))
            binding = session.io_binding()
            for key, value in feeds:
                binding.bind_cpu_input(key, value)
            for output in session.get_outputs():
                binding.bind_output(output.name)
            session.run_with_iobinding(binding)
            if name == "scalar.onnx":
                unknown[name] += 2
            else:
                counts[name][n] += 2


def main():
    folder, broken = sys.argv[1], collections.Counter()
    counts, unknown = collections.defaultdict(collections.Counter), collections.Counter()
    say_and_wait("before-load")
    for path in sys.argv[2:]:
        try:
            load(path)
        except Exception:  # of a class per error code, none of them public
            broken[os.path.basename(path)] += 1
    sessions = {name: load(os.path.join(folder, name)) for name in FEEDS}
    say_and_wait("loaded")
    for name, session in sessions.items():
        call(session, name, counts, unknown)
    say_and_wait("done")
    print(json.dumps({"models": {name: {"calls": sum(sizes.values()), "failures": 0, "batches": sizes}
                                 for name, sizes in counts.items()}, "unknown": unknown, "broken": broken}))


if __name__ == "__main__":
    main()
