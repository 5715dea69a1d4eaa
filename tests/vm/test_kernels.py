#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""infermeter on the kernels that its users have, each in an emulated machine: what it counts there, to the last call."""
import json

from machine import Boot, Failure, Skip, busybox, file_system, need  # puts tests/live on the path
import frame
import kernels
from agent import Metrics, bucket

BOOT_SECONDS = 180
# Series: whether it has links of many uprobes.
SERIES = {"6.1": False, "6.12": True}
_boots = {}


def boot(series):
    """The one boot of the series, or the reason why there is none."""
    if series not in _boots:
        try:
            need("qemu-system-x86_64")
            busybox()
            image = kernels.image(series)
            _boots[series] = Boot(image, file_system(), BOOT_SECONDS)
            if _boots[series].why:
                # About one emulated boot in twenty did not come to its end; why is not known. It is said, and tried once more.
                print("  %s: the machine did not come to its end: %s" % (series, _boots[series].story()))
                _boots[series] = Boot(image, file_system(), BOOT_SECONDS)
        except Skip as skip:
            _boots[series] = skip
    if isinstance(_boots[series], Skip):
        raise Skip(str(_boots[series]))
    return _boots[series]


def boots(series):
    found = boot(series)
    if found.why:
        raise Failure(found.story())
    release = found.text("kernel").strip()
    if not release.startswith(series + "."):
        raise Failure("kernel %s was booted" % release)
    print("  %s, %.0f s" % (release, found.seconds))


def doctor(series):
    features = {row["feature"]: row for row in json.loads(boot(series).text("doctor"))["features"]}
    for name, row in features.items():
        wanted = SERIES[series] if name == "uprobe_multi links" else True
        if row["present"] != wanted:
            raise Failure("%s: present is %s; %s" % (name, row["present"], row.get("why", "")))


def same_models(models, result):
    """The JSON of models says what the caller counted."""
    problems = []

    def same(what, got, wanted):
        if got != wanted:
            problems.append("%s: %s, the caller counted %s" % (what, got, wanted))

    same("models", sorted(row["model"] for row in models["models"]), sorted(result["models"]))
    for row in models["models"]:
        name = row["model"]
        model = result["models"].get(name)
        if not model:
            continue
        rows = sum(int(size) * n for size, n in model["batches"].items())
        same("%s runtime" % name, row["runtime"], "toyml")
        same("%s calls" % name, row["executions"], model["calls"] + model["failures"] + model["unwound"])
        same("%s failures" % name, row["failures"], {"status": model["failures"], "unwound": model["unwound"]})
        same("%s durations" % name, row["duration_seconds"]["count"], model["calls"])
        same("%s batches" % name, row["batch_size"]["count"], sum(model["batches"].values()))
        same("%s largest batch" % name, row["batch_size"]["max"], max(map(int, model["batches"])))
        same("%s rows" % name, row["inferences"], rows)
        same("%s loads" % name, (row["loads"], row["load_failures"]), (1, 0))
        same("%s in flight" % name, row["in_flight"], 0)
    for kind in ("events_lost", "events_invalid"):
        same(kind, sum(models["agent"][kind].values()), 0)
    if problems:
        raise Failure("\n    ".join(problems))


def run(series):
    """run, of a command that calls at once: every call from the first."""
    found = boot(series)
    same_models(json.loads(found.text("run-models")), json.loads(found.text("run")))


def serve(series, kind):
    """A scrape between the last call and the end of the caller; then SIGTERM ends the agent with 0."""
    found = boot(series)
    result = json.loads(found.text("calls" + kind).strip().splitlines()[-1])
    metrics = Metrics(found.text("metrics" + kind))
    for name, model in result["models"].items():
        labels = {"model": name, "runtime": "toyml"}
        got = [metrics.sum("executions_total", **labels),
               metrics.sum("execution_failures_total", reason="status", **labels),
               metrics.sum("execution_failures_total", reason="unwound", **labels),
               metrics.buckets("execution_batch_size", **labels)]
        sizes = {}
        for size, n in model["batches"].items():
            sizes[bucket(int(size))] = sizes.get(bucket(int(size)), 0) + n
        wanted = [model["calls"] + model["failures"] + model["unwound"], model["failures"], model["unwound"], sizes]
        if got != wanted:
            raise Failure("%s: calls, failed, unwound and batches are %s, the caller counted %s" % (name, got, wanted))
    same_models(json.loads(found.text("models" + kind)), result)
    found.text("serve" + kind)


def top(series, kind):
    """top --once asks the agent that serves: a line a model, its calls and failures."""
    found = boot(series)
    result = json.loads(found.text("calls" + kind).strip().splitlines()[-1])
    lines = {line.split()[0]: line.split()[1:4] for line in found.text("top" + kind).splitlines() if ".toy" in line}
    wanted = {name: ["toyml", str(model["calls"] + model["failures"] + model["unwound"]),
                     str(model["failures"] + model["unwound"])] for name, model in result["models"].items()}
    if lines != wanted:
        raise Failure("top says %s, the caller counted %s" % (lines, wanted))


for each in SERIES:
    short = "linux_" + each.replace(".", "_")
    frame.add(short + "_boots", lambda series=each: boots(series))
    frame.add(short + "_doctor", lambda series=each: doctor(series))
    frame.add(short + "_run", lambda series=each: run(series))
    for option in ("", "--single-probes"):
        end = option.replace("--", "_").replace("-", "_")
        frame.add(short + "_serve" + end, lambda series=each, kind=option: serve(series, kind))
        frame.add(short + "_top" + end, lambda series=each, kind=option: top(series, kind))

if __name__ == "__main__":
    frame.main()
