# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A private library with the adapter that docs/runtime-author.md teaches: nothing is compiled into infermeter for it."""
import os
import shutil
import subprocess
import tempfile

import frame
from agent import BINARY, Agent, Failure, Workload, compare

TOY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "toy")
PAGE = os.path.join(os.path.dirname(os.path.dirname(TOY)), "docs", "runtime-author.md")


def build(folder, compiler, *flags):
    library, calls, model = (os.path.join(folder, name) for name in ("libtoyml.so", "toy_calls", "weather.toy"))
    subprocess.run([compiler, *flags, "-fPIC", "-shared", "-o", library, os.path.join(TOY, "toy.c"), "-lm"], check=True)
    subprocess.run(["cc", "-O1", "-o", calls, os.path.join(TOY, "toy_calls.c"), "-ldl"], check=True)
    with open(model, "wb") as file:
        file.write(bytes([64, 128, 192, 255]))
    os.mkdir(os.path.join(folder, "runtimes"))
    shutil.copy(os.path.join(TOY, "toy.yaml"), os.path.join(folder, "runtimes"))
    return [calls, library, model, "200"]


def observe(late, compiler, *flags):
    frame.needs_root()
    if not shutil.which(compiler):
        raise frame.Skip("no %s" % compiler)
    with tempfile.TemporaryDirectory() as folder, Workload(*build(folder, compiler, *flags)) as workload:
        workload.reach("before-load")
        if late:
            workload.go_on()
            workload.reach("loaded")
        with Agent("--runtimes", os.path.join(folder, "runtimes"), pids=[workload.pid]) as agent:
            agent.ready()
            agent.attached(workload.pid, "toyml")
            if not late:
                workload.go_on()
                workload.reach("loaded")
            workload.go_on()
            workload.reach("done")
            metrics = agent.metrics()
            workload.go_on()
            compare(metrics, workload.result(), "toyml")


for compiler, flags in (("gcc", ["-O2"]), ("gcc", ["-O0"]), ("clang", ["-O2"])):
    for late in (False, True):
        frame.add("toy_%s%s%s" % (compiler, flags[0].replace("-", "_"), "_late" if late else ""),
                  lambda late=late, compiler=compiler, flags=flags: observe(late, compiler, *flags))


@frame.test
def toy_check():
    """The adapter of the page is that of the test, and check finds all of it."""
    with open(os.path.join(TOY, "toy.yaml")) as file:
        adapter = file.read().split("\n", 2)[2]
    with open(PAGE) as file:
        if adapter.strip() not in file.read():
            raise Failure("docs/runtime-author.md shows another adapter than tests/toy/toy.yaml")
    with tempfile.TemporaryDirectory() as folder:
        build(folder, "cc", "-O2")
        done = subprocess.run([BINARY, "check", os.path.join(folder, "runtimes", "toy.yaml"), "--module",
                               os.path.join(folder, "libtoyml.so")], capture_output=True, text=True)
        if done.returncode or "usable" not in done.stdout or "REFUSED" in done.stdout:
            raise Failure("check ends with %d: %s%s" % (done.returncode, done.stdout, done.stderr))


if __name__ == "__main__":
    frame.main()
