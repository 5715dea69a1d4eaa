#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Calls on many stacks of one thread."""
import subprocess

import torture
from torture import Cases, built

CASES = Cases()

for case in subprocess.run([built("stacks")], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
    CASES.add("stacks_" + case, built("stacks"), case, cxx=True)

if __name__ == "__main__":
    torture.main(CASES)
