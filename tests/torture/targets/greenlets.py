# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Calls of libplain in greenlets, which are switched inside of the calls: greenlets.py LIBRARY."""
import ctypes
import json
import sys

import greenlet

GREENLETS, CALLS = 5, 20
STEP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
# With the interpreter's lock held: a switch must not happen while another thread could have it.
library = ctypes.PyDLL(sys.argv[1])
library.torture_run.argtypes = [ctypes.c_void_p, ctypes.c_int, STEP, ctypes.c_void_p]


class Model(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_char_p), ("name", ctypes.c_char * 56)]


model = Model(b"torture", b"greenlets")
main = greenlet.getcurrent()
made = 0


@STEP
def step(_):
    main.switch()
    return 0


@STEP
def other_step(_):
    main.switch()
    main.switch()
    return 0


def deeper(depth, which):
    """At another depth of the stack in each greenlet."""
    if depth:
        return deeper(depth - 1, which)
    return library.torture_run(ctypes.byref(model), 2, which, None)


def body(number):
    global made
    for i in range(CALLS):
        assert deeper(number % 3, other_step if i & 1 else step) == 0
        made += 1


print("ready", flush=True)
sys.stdin.readline()
greenlets = [greenlet.greenlet(body) for _ in range(GREENLETS)]
for number, one in enumerate(greenlets):
    one.switch(number)
while any(not one.dead for one in greenlets):
    for one in greenlets:
        if not one.dead:
            one.switch()
print(json.dumps({"name": "greenlets", "made": made}))
print("done", flush=True)
sys.stdin.readline()
