#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Calls that end otherwise than by return. Each case with a library by gcc -O2, by clang -O0, and with all linked in statically."""
import os
import subprocess

import torture
from torture import Cases, built

CASES = Cases()
BUILDS = (("gcc", "unwinding", None),
          ("clang", "unwinding", {"LD_LIBRARY_PATH": os.path.join(torture.BUILD, "clang")}),
          ("static", "unwinding_static", None))

for build, program, env in BUILDS:
    program = built(program)
    names = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for case in names:
        # A static program is one file with both, and both are awaited.
        CASES.add("%s_%s" % (case, build), program, case, build + "-", env=env, cxx=True)

if __name__ == "__main__":
    torture.main(CASES)
