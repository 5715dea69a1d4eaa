# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""llama.cpp's server, from a package that carries it whole: decodes and tokens must equal the server's own counters."""
import json
import os
import tempfile

import environments
import frame
from agent import Failure
from test_verbs import call

frame._tests.clear()


def observe(what, model):
    frame.needs_root()
    script = os.path.join(environments.HERE, "workloads", "llama_server.py")
    with tempfile.NamedTemporaryFile() as report:
        done = call("run", "--json", "--output", report.name, "--", environments.python("xllamacpp"), script, what,
                    os.path.join(environments.models(), model))
        result = json.loads(done.stdout.splitlines()[-1])
        with open(report.name) as file:
            said = json.load(file)
    models = [m for m in said["models"] if m["executions"]]
    got = [(m["model"], m["executions"], m["batch_size"]["sum"], m["failures"]) for m in models]
    if got != [(model, result["decodes"], result["tokens"], {"status": 0, "unwound": 0})]:
        raise Failure("%s, the server counted %s" % (got, result))


@frame.test
def completions():
    observe("complete", "words.gguf")


@frame.test
def embeddings_go_on_in_another_function():
    observe("embed", "bert.gguf")


if __name__ == "__main__":
    frame.main()
