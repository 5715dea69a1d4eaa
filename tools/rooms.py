#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The rooms of the house: an include may only go to a room on a lower floor, or stay in its own. Prints each one that does not.

Also held here: no source file is longer than 600 lines, each carries the licence line, and no kernel program names a runtime.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINES_MAX = 600

# A room may include: rooms, or single headers of a room. Every room may include base, and its own headers.
ROOMS = {
    "user/base": [],
    "user/decode": ["include", "user/base"],
    "user/discover": ["user/base"],
    "user/resolve": ["include", "user/base"],
    "user/protocol": ["include", "user/base"],
    "user/model": ["include", "user/decode", "user/protocol", "user/base"],
    "user/plan": ["include", "user/resolve/answer.h", "user/resolve/query.h", "user/base"],
    "user/export": ["include", "user/model/snapshot.h", "user/model/histogram.h", "user/model/names.h", "user/decode", "user/base"],
    "user/attach": ["include", "user/plan", "user/resolve/answer.h", "user/base"],
    "user/agent": ["include", "user/attach", "user/plan", "user/export", "user/discover", "user/resolve", "user/decode",
                   "user/protocol", "user/model", "user/base"],
    "user/cli": ["include", "user/agent", "user/attach", "user/plan", "user/export", "user/discover", "user/resolve",
                 "user/decode", "user/protocol", "user/model", "user/base"],
    "user": ["user/cli"],
    "bpf": ["include", "vmlinux"],
    "include": [],
    "vmlinux": [],
}
FOLDERS = ["user", "include", "bpf"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
GENERATED = {"infermeter.skel.h", "adapters.h"}
RUNTIMES = re.compile(r"onnx|llama|ggml|torch|tensorflow|openvino|triton|vllm|xgboost|lightgbm", re.I)


def room_of(path):
    parts = path.split("/")
    for n in range(len(parts) - 1, 0, -1):
        if "/".join(parts[:n]) in ROOMS:
            return "/".join(parts[:n])
    return None


def resolve(path, name):
    """The file that an include means, as the compiler's search path has it; None: not ours."""
    for folder in (os.path.dirname(path), "user", "include", "vmlinux", "bpf"):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(os.path.join(ROOT, candidate)):
            return candidate
    return None


def check(path):
    with open(os.path.join(ROOT, path)) as file:
        text = file.read()
    room = room_of(path)
    for match in INCLUDE.finditer(text):
        name = match[1]
        line = text.count("\n", 0, match.start(1)) + 1
        if name in GENERATED:
            continue
        target = resolve(path, name)
        if target is None:
            if not (name.startswith(("bpf/", "linux/")) or name in GENERATED):
                yield "%s:%d: includes \"%s\", which is nowhere" % (path, line, name)
            continue
        other = room_of(target)
        if other != room and other not in ROOMS[room] and target not in ROOMS[room]:
            yield "%s:%d: %s may not use %s (it includes %s)" % (path, line, room, other, target)
    if "SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0" not in text[:300]:
        yield "%s:1: no licence line" % path
    if text.count("\n") > LINES_MAX:
        yield "%s:%d: more than %d lines: it is two files" % (path, LINES_MAX, LINES_MAX)
    if room == "bpf" and RUNTIMES.search(text):
        yield "%s: a runtime's name: kernel programs know none" % path


def main():
    problems = []
    for folder in FOLDERS:
        for base, _, names in sorted(os.walk(os.path.join(ROOT, folder))):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    problems += check(os.path.relpath(os.path.join(base, name), ROOT))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
