# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""ort_caller.py MODEL BATCH WIDTH plain|profile: says "ready", then for each line N calls N times and prints the median
seconds of a call."""
import os
import statistics
import sys
import tempfile
import time

import numpy
import onnxruntime

model, batch, width, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with tempfile.TemporaryDirectory() as folder:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = how == "profile"
    options.profile_file_prefix = os.path.join(folder, "profile")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: numpy.ones((batch, width), numpy.float32)}
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            session.run(None, feed)
            times.append(time.perf_counter() - start)
        print(statistics.median(times), flush=True)
