# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""run, list, trace, top, replay, check and doctor on real workloads."""
import json
import os
import subprocess
import tempfile

import environments
import frame
from agent import BINARY, Agent, Failure, Workload, compare, until
from test_ort import ORT, SCRIPT, files

frame._tests.clear()


def call(*arguments, code=0, seconds=120, **kwargs):
    done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=seconds, **kwargs)
    if done.returncode != code:
        raise Failure("infermeter %s: %d instead of %d; it says: %s" % (" ".join(arguments), done.returncode, code,
                                                                       (done.stdout + done.stderr)[-1500:]))
    return done


class Report:
    """The JSON of /api/v1/models, run and replay, asked as metrics are."""

    def __init__(self, text):
        self.report = json.loads(text)
        self.models = {model["model"]: model for model in self.report["models"]}

    def compare(self, result):
        problems = []
        for name, wanted in result["models"].items():
            model = self.models.get(name)
            if not model:
                problems.append("%s is missing" % name)
                continue
            rows = sum(int(size) * n for size, n in wanted["batches"].items())
            for what, got, want in (("executions", model["executions"], wanted["calls"] + wanted["failures"]),
                                    ("failures", model["failures"]["status"], wanted["failures"]),
                                    ("batches", model["batch_size"]["count"], wanted["calls"]),
                                    ("rows", model["batch_size"]["sum"], rows),
                                    ("inferences", model["inferences"], rows)):
                if got != want:
                    problems.append("%s %s: %s, the workload counted %s" % (name, what, got, want))
        for name, model in self.models.items():
            if name not in result["models"] and model["executions"]:
                problems.append("nobody called %s" % name)
        if any(self.report["agent"]["events_lost"].values()):
            problems.append("lost: %s" % self.report["agent"]["events_lost"])
        if problems:
            raise Failure("\n    ".join(problems))


def run_case(name, version, *options):
    def run():
        frame.needs_root()
        command = [environments.python(version), SCRIPT, *options]
        plain = json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True).stdout.splitlines()[-1])
        with tempfile.NamedTemporaryFile() as report:
            done = call("run", "--json", "--output", report.name, "--", *command)
            result = json.loads(done.stdout.splitlines()[-1])
            Report(open(report.name).read()).compare(result)
        if result["checksum"] != plain["checksum"]:
            raise Failure("the program computes something else when it is observed")

    frame.add("run_" + name, run)


# From the very first call: the program does not wait for anybody.
run_case("first_call", "ort-newest", "--calls", "20", "--fail", "rank,terminate", *files("small.onnx", "bytes:wide.onnx"))
run_case("oldest", "ort-1.16.3", "--calls", "20", *files("small.onnx"))
run_case("children", "ort-1.23.2", "--calls", "10", "--fork", "3", *files("small.onnx", "wide.onnx"))
run_case("threads", "ort-newest", "--calls", "50", "--threads", "4", *files("small.onnx"))


@frame.test
def run_passes_the_exit_code_and_output():
    frame.needs_root()
    if call("run", "--", "sh", "-c", "echo out; exit 23", code=23).stdout != "out\n":
        raise Failure("the command's output is changed")
    call("run", "--", "/nonexistent/command", code=127)


@frame.test
def saved_stream_replays_to_the_same():
    frame.needs_root()
    command = [environments.python("ort-newest"), SCRIPT, "--wait", "--calls", "30", "--threads", "2", "--fail", "rank",
               *files("small.onnx", "wide.onnx")]
    with tempfile.TemporaryDirectory() as folder, Workload(*command) as workload:
        saved = os.path.join(folder, "saved")
        workload.reach("before-load")
        with Agent("--save", saved, pids=[workload.pid]) as agent:
            agent.ready()
            workload.go_on()
            workload.reach("loaded")
            workload.go_on()
            workload.reach("done")
            metrics = agent.metrics()
            workload.go_on()
            result = workload.result()
        compare(metrics, result, ORT)
        Report(call("replay", "--json", saved).stdout).compare(result)


@frame.test
def what_was_scraped_is_saved():
    """An agent that is killed right after a scrape has left the same numbers in its file."""
    frame.needs_root()
    command = [environments.python("ort-newest"), SCRIPT, "--wait", "--calls", "30", *files("small.onnx")]
    with tempfile.TemporaryDirectory() as folder, Workload(*command) as workload:
        saved = os.path.join(folder, "saved")
        workload.reach("before-load")
        agent = Agent("--save", saved, pids=[workload.pid])
        try:
            agent.ready()
            workload.go_on()
            workload.reach("loaded")
            agent.attached(workload.pid, ORT)
            workload.go_on()
            workload.reach("done")
            metrics = agent.metrics()
        finally:
            agent.kill()
            agent.errors.close()
        workload.go_on()
        result = workload.result()
        compare(metrics, result, ORT)
        Report(call("replay", "--json", saved).stdout).compare(result)


@frame.test
def whole_host_without_a_filter():
    """A process that begins after the agent is found by itself, and forgotten when it ends."""
    frame.needs_root()
    with Agent() as agent:
        agent.ready()
        command = [environments.python("ort-1.23.2"), SCRIPT, "--wait", "--calls", "25", "bytes:" + os.path.join(
            environments.models(), "wide.onnx")]
        with Workload(*command) as workload:
            workload.reach("before-load")
            agent.attached(workload.pid, ORT)
            workload.go_on()
            workload.reach("loaded")
            mine = [model for model in agent.json("/api/v1/models")["models"]
                    if any(p["pid"] == workload.pid for p in model["processes"])]
            if [m["model"] for m in mine] != ["wide_graph"]:
                raise Failure("of this process is known: %s" % json.dumps(mine)[:600])
            workload.go_on()
            workload.reach("done")
            # It has freed the model by now; other tests on this host may call one of the name, too.
            made = [m["executions"] for m in agent.json("/api/v1/models")["models"] if m["model"] == "wide_graph"]
            if not made or made[0] < 25:
                raise Failure("25 calls were made, %s are known" % made)
            if "wide_graph" not in call("top", "--once", "--listen", agent.address).stdout:
                raise Failure("top does not show the model")
            if str(workload.pid) not in agent.get("/list"):
                raise Failure("list does not show the process")
            workload.go_on()
            workload.result()
        until("the end of the process seen", 5, lambda: not agent.modules(workload.pid))
        if agent.rss_bytes() > 64 << 20:
            raise Failure("the agent holds %d MiB" % (agent.rss_bytes() >> 20))


@frame.test
def other_processes_do_not_count():
    """Two programs of one library: an agent that was asked for one (or for its children) counts that one alone."""
    frame.needs_root()
    command = [environments.python("ort-newest"), SCRIPT, "--wait", "--calls", "40", *files("small.onnx")]
    with Workload(*command) as wanted, Workload(*command) as other:
        for workload in (wanted, other):
            workload.reach("before-load")
            workload.go_on()
            workload.reach("loaded")
        with Agent(pids=[wanted.pid]) as agent:
            agent.ready()
            for workload in (other, wanted):
                workload.go_on()
                workload.reach("done")
            metrics = agent.metrics()
            for workload in (other, wanted):
                workload.go_on()
                result = workload.result()
            compare(metrics, result, ORT)


@frame.test
def check_an_adapter_against_a_library():
    folder = os.path.join(environments.site_packages("ort-newest"), "onnxruntime", "capi")
    library = [name for name in os.listdir(folder) if name.startswith("onnxruntime_pybind11_state")][0]
    adapter = os.path.join(os.path.dirname(os.path.dirname(environments.HERE)), "runtimes", "onnxruntime.yaml")
    module = os.path.join(folder, library)
    wanted = call("check", adapter, "--module", module).stdout
    # Probes that somebody placed in the file must not be seen in it.
    with Workload(environments.python("ort-newest"), SCRIPT, "--wait", *files("small.onnx")) as workload:
        workload.reach("before-load")
        with Agent(pids=[workload.pid]) as agent:
            agent.ready().attached(workload.pid, ORT)
            if call("check", adapter, "--module", module).stdout != wanted:
                raise Failure("check says something else while probes are attached to the file")


@frame.test
def list_and_doctor():
    frame.needs_root()
    command = [environments.python("ort-newest"), SCRIPT, "--wait", "--calls", "1", *files("small.onnx")]
    with Workload(*command) as workload:
        workload.reach("before-load")
        workload.go_on()
        workload.reach("loaded")
        listed = json.loads(call("list", "--json").stdout)
        mine = [target for target in listed["targets"] if target["pid"] == workload.pid]
        if not mine or not any(module.get("runtime") == ORT and module["usable"] for module in mine[0]["modules"]):
            raise Failure("list --json says of the process: %s" % json.dumps(mine)[:600])
        call("doctor", str(workload.pid))
        workload.go_on()
        workload.reach("done")
        workload.go_on()
        workload.result()


if __name__ == "__main__":
    frame.main()
