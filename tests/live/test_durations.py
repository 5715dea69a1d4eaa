# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# alone
"""The sum of durations against the caller's own timer, for calls of a millisecond and more, one thread."""
import os

import environments
import frame
from agent import Failure
from test_ort import ORT, SCRIPT, VERSIONS, files, observe

ALLOWED = 0.03


def case(version, api):
    def run():
        result = observe([environments.python(version), SCRIPT, "--wait", "--api", api, "--calls", "60", "--batches",
                          "64,128", *files("mlp.onnx")], late=False, duration=ALLOWED)
        model = result["models"]["mlp.onnx"]
        if model["seconds"] / model["calls"] < 0.001:
            raise Failure("the calls take under a millisecond here: the model is too small")

    frame.add("duration_%s_%s" % (version.replace("-", "_").replace(".", "_"), api), run)


# test_ort's own tests are registered by its import, and not for here.
frame._tests.clear()
for version in VERSIONS:
    case(version, "run")
    case(version, "iobinding")


@frame.test
def duration_c_api():
    library = os.path.join(environments.site_packages("ort-newest"), "onnxruntime", "capi", "libonnxruntime.so.1.32.0")
    program = environments.program("ort_c_api", "-w", "-ldl")
    model = os.path.join(environments.models(), "mlp.onnx")
    observe([program, library, model, "60", "0", "512", "wait", "16"], late=False, duration=ALLOWED, runtime=ORT)


if __name__ == "__main__":
    frame.main()
