# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""ONNX Runtime: models of several inputs, in every order; and models that cannot be loaded."""
import json
import os
import tempfile

import environments
import frame
from agent import Failure
from test_ort import ORT, VERSIONS
from test_verbs import call

frame._tests.clear()

SCRIPT = os.path.join(environments.HERE, "workloads", "ort_inputs.py")


def compare(report, result):
    models = {model["model"]: model for model in report["models"] if model["runtime"] == ORT}
    problems = []

    def same(what, got, wanted):
        if got != wanted:
            problems.append("%s: %s, the workload counted %s" % (what, got, wanted))

    for name, wanted in result["models"].items():
        model = models.get(name, {"executions": None, "batch_size": {"count": None, "sum": None}, "loads": None})
        same("%s calls" % name, model["executions"], wanted["calls"])
        same("%s batches" % name, model["batch_size"]["count"], wanted["calls"])
        same("%s rows" % name, model["batch_size"]["sum"], sum(int(size) * n for size, n in wanted["batches"].items()))
        same("%s loads" % name, model["loads"], 1)
    for name, wanted in result["unknown"].items():
        same("%s calls" % name, models[name]["executions"], wanted)
        same("%s batches" % name, models[name]["batch_size"]["count"], 0)
        same("%s unknown batches" % name, models[name]["batch_size"]["unknown"], wanted)
    same("failed loads", {name: model["load_failures"] for name, model in models.items() if model["load_failures"]},
         result["broken"])
    same("what nobody loaded or called", sorted(name for name, model in models.items() if model["loads"] or
                                                model["executions"]), sorted([*result["models"], *result["unknown"]]))
    same("lost", [n for n in report["agent"]["events_lost"].values() if n], [])
    if problems:
        raise Failure("\n    ".join(problems))


def case(version):
    def run():
        frame.needs_root()
        models = environments.models()
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as report:
            garbage, long_name = os.path.join(folder, "garbage.onnx"), os.path.join(folder, "x" * 140 + "-int8.ort")
            for path, data in ((garbage, b"garbage" * 100), (long_name, b"\x10\0\0\0ORTM" + b"garbage" * 100)):
                with open(path, "wb") as file:
                    file.write(data)
            done = call("run", "--json", "--output", report.name, "--", environments.python(version), SCRIPT, models,
                        os.path.join(models, "broken.onnx"), garbage, garbage, os.path.join(folder, "missing.onnx"), long_name)
            result = json.loads(done.stdout.splitlines()[-1])
            # Of a name that is too long for a label the middle is left out.
            cut = [name for name in result["broken"] if len(name) > 128]
            for name in cut:
                result["broken"][name[:60] + "…" + name[-64:]] = result["broken"].pop(name)
            with open(report.name) as file:
                compare(json.load(file), result)
            if sum(result["broken"].values()) != 5:
                raise Failure("the workload's broken models: %s" % result["broken"])

    frame.add("inputs_and_broken_models_" + version.replace("-", "_").replace(".", "_"), run)


for each in VERSIONS:
    case(each)

if __name__ == "__main__":
    frame.main()
