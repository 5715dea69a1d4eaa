#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Processes that fork, become other programs and end in the middle of calls; libraries and files that are replaced."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import torture
from torture import BINARY, RUNTIME, Cases, Failure, Watch, built, frame, test, until

CASES = Cases()
LIFE, LIBRARY, OTHER = built("life"), built("libplain.so"), built("libother.so")
SHORT_RUNS = 1000


def case(mode, **kwargs):
    CASES.add("life_" + mode, LIFE, mode, LIBRARY, OTHER, **kwargs)


def in_flight(watch):
    return watch.agent.metrics().sum("executions_in_flight", runtime=RUNTIME)


def kill_inside(target, watch):
    if watch:
        until("the call in flight", 10, lambda: in_flight(watch) == 1)
    os.kill(target.pid, signal.SIGKILL)
    return True


# Each forked child leaves a call that it did not enter.
case("fork", counts={"unmatched_exit": 20})
case("vfork")
case("exec")
case("exec_thread")
case("exit")
case("killed", steps=[("inside", kill_inside)])
case("dlclose")


@test
def file_replaced():
    """By rename, while it is mapped: the process that has it goes on with the old file, the next one has the new."""
    def both(watch):
        folder = tempfile.mkdtemp(prefix="infermeter-torture-")
        try:
            library, fresh = os.path.join(folder, "lib.so"), os.path.join(folder, "fresh.so")
            shutil.copy(LIBRARY, library)
            shutil.copy(built("libplain_next.so"), fresh)

            with torture.Target(LIFE, "file_replaced", library) as old:
                old.reach("ready")
                if watch:
                    watch.attached(old.pid)
                old.go_on()
                old.reach("called")
                os.rename(fresh, library)
                with torture.Target(LIFE, "plain", library) as new:
                    newer = torture.through(new, watch, ())
                old.go_on()
                old.reach("done")
                versions = sorted(labels["version"] for labels, _ in
                                  watch.agent.metrics().of("model_info", runtime=RUNTIME)) if watch else []
                old.go_on()
                return old.finish(), newer, versions
        finally:
            shutil.rmtree(folder)

    alone = both(None)
    with Watch() as watch:
        seen = both(watch)
        torture.same_behaviour(alone[:2], seen[:2])
        watch.compare(torture.tallies(seen[0][0]) + torture.tallies(seen[1][0]))
        if "version 2.0" not in seen[1][0]:
            raise Failure("the second process has not the new file: %s" % seen[1][0])
        if "1.0" not in seen[2]:
            raise Failure("versions in model_info while the old file is mapped: %s" % seen[2])


SHORT = 'i=0; while [ $i -lt %d ]; do "$0" || exit 1; i=$((i+1)); done; echo all' % SHORT_RUNS


def short(prefix):
    done = subprocess.run([*prefix, "sh", "-c", SHORT, built("short")], stdout=subprocess.PIPE, text=True, timeout=120)
    return done.stdout, done.returncode


SHORT_TALLY = {"name": "short", "made": SHORT_RUNS, "ok": SHORT_RUNS, "status": 0, "unwound": 0, "abandoned": 0, "nested": 0,
               "lost": 0, "rows": 3 * SHORT_RUNS}


@test
def short_processes_run():
    """Each held until its probes are there: none of its calls is missed."""
    frame.needs_root()
    folder = torture.folder_of_adapter(torture.ADAPTER)
    report = os.path.join(folder, "report.json")
    try:
        torture.same_behaviour(("all\n", 0), short([BINARY, "run", "--runtimes", folder, "--json", "--output", report, "--"]))
        with open(report) as file:
            seen = json.load(file)
    finally:
        shutil.rmtree(folder)
    models = {model["model"]: (model["executions"], model["inferences"]) for model in seen["models"]}
    if models != {"short": (SHORT_RUNS, 3 * SHORT_RUNS)}:
        raise Failure("seen: %s; the agent's counts: %s" % (models, seen["agent"]))


@test
def short_processes_serve():
    """One that lives keeps the file's probes in place: the thousand that come and go are all counted."""
    with Watch() as watch, torture.Target(built("stress"), "plain", "keeper") as keeper:
        keeper.reach("ready")
        watch.attached(keeper.pid)
        torture.same_behaviour(("all\n", 0), short([]))
        watch.compare([SHORT_TALLY])
        keeper.go_on()
        keeper.reach("done")
        keeper.go_on()
        watch.compare(torture.tallies(keeper.finish()[0]))


if __name__ == "__main__":
    torture.main(CASES)
