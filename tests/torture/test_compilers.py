#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Functions of many shapes, by two compilers with many options, in libraries, static and stripped programs: each call counted
once, with its batch and its status, and none disturbed."""
import glob
import os

import torture
from torture import BUILD, Cases, Failure, add, built, objects

LIBRARIES = sorted(glob.glob(os.path.join(BUILD, "shapes", "*.so")))
CASES = Cases()


def check_shapes(output, metrics):
    """Shape i is called with 2^i rows: the histogram says which of them is wrong."""
    problems, shapes = [], None
    for one in objects(output):
        if "shapes" in one:
            shapes = one["shapes"]
            continue
        got = metrics.buckets("execution_batch_size", model=one["name"], runtime=torture.RUNTIME)
        wanted = {str(1 << i) if i <= 10 else "+Inf": n for i, n in enumerate(shapes) if n}
        if got != wanted:
            problems.append("%s, successful calls by batch: %s instead of %s" % (one["name"], got, wanted))
    if problems:
        raise Failure("\n    ".join(problems))


def by(compiler, level):
    wanted = [path for path in LIBRARIES if os.path.basename(path).startswith("%s-%s-" % (compiler, level))]
    if len(wanted) != 8:
        add("shapes_%s_%s" % (compiler, level), lambda: built("shapes/%s-%s-*.so" % (compiler, level)))
        return
    CASES.add("shapes_%s_%s" % (compiler, level), built("shapes_main"), *wanted, modules=len(wanted), then=check_shapes)


for c in ("gcc", "clang"):
    for o in ("O0", "O1", "O2", "O3"):
        by(c, o)
CASES.add("shapes_static", built("shapes_static"), then=check_shapes)
CASES.add("shapes_static_pie", built("shapes_static_pie"), then=check_shapes)
CASES.add("stripped", built("hidden_main"))
CASES.add("stripped_static", built("shapes_static_stripped"), "stripped-static")

if __name__ == "__main__":
    torture.main(CASES)
