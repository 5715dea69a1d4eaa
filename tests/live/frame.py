# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The test frame of the Python tests: the lines that it prints are those of tests/unit/check.h."""
import os
import sys
import time
import traceback

from agent import BINARY, Failure
from environments import Unavailable

_tests = []


class Skip(Exception):
    pass


def test(function):
    _tests.append((function.__name__, function))
    return function


def add(name, function):
    _tests.append((name, function))


def needs_root():
    if os.geteuid() != 0:
        raise Skip("needs root")
    if not os.access(BINARY, os.X_OK):
        raise Failure("%s is not built" % BINARY)


def main():
    """Runs the tests whose names contain one of the arguments (all of them without)."""
    passed = failed = skipped = 0
    for name, function in _tests:
        if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
            continue
        began = time.monotonic()
        try:
            function()
        except (Skip, Unavailable) as why:
            print("skip %s: %s" % (name, why))
            skipped += 1
        except Failure as failure:
            print("  %s\nFAIL %s" % (failure, name))
            failed += 1
        except Exception:
            print("  %s\nFAIL %s" % (traceback.format_exc().strip().replace("\n", "\n  "), name))
            failed += 1
        else:
            print("ok %s (%.1f s)" % (name, time.monotonic() - began))
            passed += 1
        sys.stdout.flush()
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else 0)
