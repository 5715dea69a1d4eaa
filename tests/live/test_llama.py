# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""llama.cpp's shared library, unmodified, driven from C: decodes, refusals, tokens."""
import os

import environments
import frame
from test_ort import observe

frame._tests.clear()


def observe_llama(threads, late):
    folder = os.path.join(environments.node_modules(), "@node-llama-cpp", "linux-x64", "bins", "linux-x64")
    program = environments.program("llama_c", "-ldl", "-lpthread")
    model = os.path.join(environments.models(), "tiny.gguf")
    observe([program, folder, model, "60", str(threads), "wait"], late, runtime="llama.cpp")


@frame.test
def llama_one_thread():
    observe_llama(1, late=False)


@frame.test
def llama_three_threads():
    observe_llama(3, late=False)


@frame.test
def llama_late():
    observe_llama(2, late=True)


if __name__ == "__main__":
    frame.main()
