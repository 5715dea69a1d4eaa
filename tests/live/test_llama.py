# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""llama.cpp's shared library, unmodified, driven from C: decodes, refusals, tokens."""
import os

import environments
import frame
from test_ort import observe

frame._tests.clear()


def observe_llama(threads, late, names=("tiny.gguf",)):
    folder = os.path.join(environments.node_modules(), "@node-llama-cpp", "linux-x64", "bins", "linux-x64")
    program = environments.program("llama_c", "-ldl", "-lpthread")
    models = ",".join(os.path.join(environments.models(), name) for name in names)
    observe([program, folder, models, "60", str(threads), "wait"], late, runtime="llama.cpp")


@frame.test
def llama_one_thread():
    observe_llama(1, late=False)


@frame.test
def llama_three_threads():
    observe_llama(3, late=False)


@frame.test
def llama_late():
    observe_llama(2, late=True)


@frame.test
def llama_two_models_in_one_process():
    observe_llama(4, late=False, names=("tiny.gguf", "other.gguf"))


if __name__ == "__main__":
    frame.main()
