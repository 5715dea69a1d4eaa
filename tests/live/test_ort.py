# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""ONNX Runtime, unmodified, in three versions: calls, failures and batches must equal what the program counted."""
import os

import environments
import frame
from agent import Agent, Failure, Workload, compare

ORT = "onnxruntime"
VERSIONS = ("ort-1.16.3", "ort-1.23.2", "ort-newest")
SCRIPT = os.path.join(environments.HERE, "workloads", "ort_calls.py")


def files(*names):
    return ["%s:%s" % (kind, os.path.join(environments.models(), name)) for kind, name in
            (n.split(":") if ":" in n else ("file", n) for n in names)]


def untraced(*command):
    """What the program says without an agent, less its times."""
    with Workload(*[c for c in command if c != "--wait"]) as workload:
        return workload.result()


def observe(command, late, duration=None, runtime=ORT):
    """Runs the workload under an agent that comes before or after it loads its models. Returns the workload's result."""
    frame.needs_root()
    with Workload(*command) as workload:
        workload.reach("before-load")
        if late:
            workload.go_on()
            workload.reach("loaded")
        with Agent(pids=[workload.pid]) as agent:
            agent.ready()
            if not late:
                workload.go_on()
                workload.reach("loaded")
            agent.attached(workload.pid, runtime)
            workload.go_on()
            workload.reach("done")
            metrics = agent.metrics()
            workload.go_on()
            result = workload.result()
            compare(metrics, result, runtime, duration)
            compare(agent.metrics(), result, runtime, duration)  # the counters stay when the process is gone
            return result


def case(version, name, models, *options, late=False):
    def run():
        command = [environments.python(version), SCRIPT, "--wait", *options, *files(*models)]
        if "--corrupt" in command:
            command[command.index("--corrupt") + 1] = os.path.join(environments.models(), "broken.onnx")
        result = observe(command, late)
        if name == "threads_and_failures" and untraced(*command)["checksum"] != result["checksum"]:
            raise Failure("the program computes something else when it is observed")

    frame.add("%s_%s" % (version.replace("-", "_").replace(".", "_"), name), run)


for version in VERSIONS:
    case(version, "run", ["small.onnx", "wide.onnx"], "--calls", "50")
    case(version, "run_late", ["small.onnx", "wide.onnx"], "--calls", "50", late=True)
    case(version, "iobinding", ["small.onnx"], "--api", "iobinding", "--threads", "4", "--calls", "50")
    case(version, "async", ["small.onnx"], "--api", "async", "--intra", "2", "--threads", "2", "--calls", "30")
    case(version, "threads_and_failures", ["small.onnx", "reshape.onnx"], "--threads", "4", "--calls", "100",
         "--fail", "rank,width,dtype,terminate,kernel", "--corrupt", "x")
    case(version, "children", ["small.onnx", "wide.onnx"], "--fork", "3", "--calls", "40", "--fail", "rank,dtype")
    case(version, "children_of_a_loaded_parent_late", ["small.onnx"], "--fork-late", "3", "--calls", "40", late=True)
    case(version, "from_bytes_and_twice", ["bytes:small.onnx", "wide.onnx", "wide.onnx"], "--calls", "30")
    case(version, "from_bytes_and_twice_late", ["bytes:small.onnx", "wide.onnx", "wide.onnx"], "--calls", "30", late=True)
    case(version, "reloaded", ["small.onnx", "wide.onnx", "bytes:small.onnx"], "--reload", "30", "--calls", "5")


@frame.test
def c_api():
    library = os.path.join(environments.site_packages("ort-newest"), "onnxruntime", "capi", "libonnxruntime.so.1.32.0")
    program = environments.program("ort_c_api", "-w", "-ldl")
    model = os.path.join(environments.models(), "small.onnx")
    for late in (False, True):
        observe([program, library, model, "40", "5", "16", "wait"], late)


@frame.test
def node():
    modules = environments.node_modules()
    script = os.path.join(environments.HERE, "workloads", "ort_node.js")
    model = os.path.join(environments.models(), "small.onnx")
    for late in (False, True):
        observe(["node", script, modules, model, "60", "5", "wait"], late)


if __name__ == "__main__":
    frame.main()
