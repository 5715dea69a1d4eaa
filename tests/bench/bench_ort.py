# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""ONNX Runtime from PyPI: the same calls alone, with infermeter, and with the runtime's own profiling."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))
import environments  # noqa: E402

import bench  # noqa: E402

CALLER = pathlib.Path(__file__).with_name("ort_caller.py")
MODELS = (("tiny", "small.onnx", 1, 16, 3000), ("about 1 ms", "mlp.onnx", 16, 512, 600))


def seconds_a_call(python, model, batch, width, calls, profiling, traced):
    command = [python, CALLER, pathlib.Path(environments.models()) / model, batch, width, "profile" if profiling else "plain"]
    with bench.Process(command, "ready", signal.SIGTERM) as caller:
        agent = bench.Agent("--pid", caller.child.pid) if traced else None
        try:
            caller.ask(str(calls // 4))
            return float(caller.ask(str(calls)))
        finally:
            if agent:
                agent.__exit__()


def run(rounds):
    python = environments.python("ort-newest")
    print(f"ONNX Runtime, microseconds a call ({rounds} rounds in turn)")
    for text, model, batch, width, calls in MODELS:
        off, on, own = [], [], []
        for _ in range(rounds):
            off.append(1e6 * seconds_a_call(python, model, batch, width, calls, False, False))
            on.append(1e6 * seconds_a_call(python, model, batch, width, calls, False, True))
            own.append(1e6 * seconds_a_call(python, model, batch, width, calls, True, False))
        bench.row(f"{text} model: alone", off, "us")
        bench.row(f"{text} model: infermeter adds", [n - o for n, o in zip(on, off)], "us")
        bench.row(f"{text} model: enable_profiling adds", [n - o for n, o in zip(own, off)], "us")
        bench.row(f"{text} model: slowdown by infermeter", [100 * (n / o - 1) for n, o in zip(on, off)], "%")
        bench.row(f"{text} model: slowdown by enable_profiling", [100 * (n / o - 1) for n, o in zip(own, off)], "%")
