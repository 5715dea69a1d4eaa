# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A real application, unprepared, is running; then infermeter comes and shows what it does.

DEMO_SECONDS=N ends it after so many seconds, with 0 only if all three models of the application were seen.
"""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "live"))
import environments  # noqa: E402
from agent import Failure, LineReader  # noqa: E402

BINARY = os.path.join(ROOT, "build", "infermeter")
MODELS = 3


def say(text):
    print("demo: " + text, flush=True)


def get(address, path):
    with urllib.request.urlopen("http://%s%s" % (address, path), timeout=10) as answer:
        return answer.read().decode()


def called(address, pid):
    """The models that this process calls: there may be others on the host."""
    return sorted(model["model"] for model in json.loads(get(address, "/api/v1/models"))["models"]
                  if model["executions"] and any(process["pid"] == pid for process in model["processes"]))


def main():
    seconds = float(os.environ.get("DEMO_SECONDS") or 0)
    listen = os.environ.get("DEMO_LISTEN", "127.0.0.1:0")
    started = []
    # ctrl-C goes to the whole foreground group: ours end in our order instead.
    quiet = {"start_new_session": True, "stdin": subprocess.DEVNULL}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        say("getting a real application, rapidocr on onnxruntime (once, then from %s)" % environments.CACHE)
        python = environments.python("rapidocr")
        say("starting it")
        ocr = subprocess.Popen([python, os.path.join(ROOT, "tools", "demo", "ocr.py")], stdout=subprocess.PIPE,
                               start_new_session=True, stdin=subprocess.PIPE)
        started.append(ocr)
        if LineReader(ocr.stdout).line(120) != "ready":
            raise Failure("the application did not start")
        say("it runs as process %d, its models are loaded; now comes infermeter" % ocr.pid)
        agent = subprocess.Popen([BINARY, "serve", "--listen", listen], stdout=subprocess.PIPE, **quiet)
        started.append(agent)
        line = LineReader(agent.stdout).line(60)
        if not line or not line.startswith("serving http://"):
            raise Failure("infermeter did not start")
        address = line[len("serving http://"):].split("/")[0]
        began = time.monotonic()
        terminal = sys.stdout.isatty()
        while not seconds or time.monotonic() - began < seconds:
            if agent.poll() is not None or ocr.poll() is not None:
                raise Failure("infermeter or the application ended by itself")
            table = get(address, "/top?width=%d%s" % (os.get_terminal_size().columns if terminal else 120,
                                                     "&rows=30&color=1" if terminal else ""))
            print(("\033[H\033[2J" if terminal else "") + table)
            say("metrics: http://%s/metrics   this table elsewhere: build/infermeter top --listen %s" % (address, address))
            say("ctrl-C ends the demo and leaves nothing behind" if not seconds else
                "ends by itself after %g s" % seconds)
            time.sleep(1 if terminal else 4)
        found = called(address, ocr.pid)
        say("seen: %s" % (", ".join(found) or "nothing"))
        return 0 if len(found) == MODELS else 1
    except KeyboardInterrupt:
        print()
        return 0 if not seconds else 1
    except (Failure, environments.Unavailable) as failure:
        say(str(failure))
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in reversed(started):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        say("everything that was started has ended")


if __name__ == "__main__":
    sys.exit(main())
