# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""llama.cpp's own server inside a Python process: llama_server.py complete|embed MODEL. The last line is JSON: what it counts."""
import json
import re
import sys
import threading

import xllamacpp


def server(model, embedding):
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 256, 4, 1
    params.warmup, params.endpoint_metrics, params.embedding = False, True, embedding
    return xllamacpp.Server(params)


def complete(at, k):
    for j in range(3):
        prompt = [1] + [262 + (7 * k + j + i) % 30 for i in range(10 + k)]
        at.handle_completions({"prompt": prompt, "max_tokens": 12, "ignore_eos": True, "temperature": 0})


def main():
    what, model = sys.argv[1:]
    at = server(model, what == "embed")
    if what == "embed":
        tokens = sum(at.handle_embeddings({"input": "w1 w2 w%d" % k})["usage"]["prompt_tokens"] for k in range(5))
        print(json.dumps({"decodes": 5, "tokens": tokens}))
        return
    threads = [threading.Thread(target=complete, args=(at, k)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = dict(re.findall(r"^llamacpp:(\w+) (\d+)$", str(at.handle_metrics()).replace("\\n", "\n"), re.M))
    # The server tries once what its memory can do, with two tokens; the last token of each answer is not decoded.
    print(json.dumps({"decodes": int(said["n_decode_total"]) + 1,
                      "tokens": int(said["prompt_tokens_total"]) + int(said["tokens_predicted_total"]) - 12 + 2}))


if __name__ == "__main__":
    main()
