# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runtimes for the live tests, unmodified from their registries, pinned by locks/, kept in a cache between runs."""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "infermeter")
INSTALL_SECONDS = 900


class Unavailable(Exception):
    """The runtime cannot be had here: why. Tests skip."""


def _digest(*paths):
    sum_ = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            sum_.update(file.read())
    return sum_.hexdigest()[:16]


def _once(folder, make):
    """Calls make(temporary folder) unless the folder is there; only one process does at a time."""
    os.makedirs(CACHE, exist_ok=True)
    if os.path.isdir(folder):
        return folder
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder
        half = folder + ".half"
        shutil.rmtree(half, ignore_errors=True)
        try:
            make(half)
            os.rename(half, folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return folder


def _run(command, **kwargs):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=INSTALL_SECONDS, **kwargs)
    except FileNotFoundError:
        raise Unavailable("there is no %s" % command[0])
    except subprocess.TimeoutExpired:
        raise Unavailable("%s took over %d s" % (command[0], INSTALL_SECONDS))
    if done.returncode:
        lines = [line for line in done.stdout.strip().splitlines() if line.strip()] or ["(no output)"]
        errors = [line for line in lines if "ERROR" in line or "ERR!" in line] or lines[-1:]
        raise Unavailable("%s: %s" % (" ".join(command[:3]), errors[0].strip()[:200]))


def python(name):
    """The interpreter of the environment locks/NAME.txt."""
    lock = os.path.join(HERE, "locks", name + ".txt")
    version = "%d.%d" % sys.version_info[:2]
    folder = os.path.join(CACHE, "%s-py%s-%s" % (name, version, _digest(lock)))

    def make(half):
        _run([sys.executable, "-m", "venv", half])
        # rapidocr says that it wants Python below 3.13, and runs on 3.13.
        _run([os.path.join(half, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--only-binary", ":all:", "--no-deps", "--ignore-requires-python", "--require-hashes", "-r", lock])

    return os.path.join(_once(folder, make), "bin", "python")


def site_packages(name):
    folder = os.path.dirname(os.path.dirname(python(name)))
    return os.path.join(folder, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def node_modules():
    """The folder node_modules of locks/npm."""
    files = [os.path.join(HERE, "locks", "npm", f) for f in ("package.json", "package-lock.json")]
    folder = os.path.join(CACHE, "npm-" + _digest(*files))

    def make(half):
        os.makedirs(half)
        for file in files:
            shutil.copy(file, half)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=half)

    return os.path.join(_once(folder, make), "node_modules")


def models():
    """A folder with the small models."""
    script = os.path.join(HERE, "workloads", "models.py")
    folder = os.path.join(CACHE, "models-" + _digest(script))
    return _once(folder, lambda half: _run([sys.executable, script, half]))


def program(name, *flags):
    """A C program of workloads/, compiled."""
    source = os.path.join(HERE, "workloads", name + ".c")
    folder = os.path.join(CACHE, "%s-%s" % (name, _digest(source)))

    def make(half):
        os.makedirs(half)
        _run(["cc", "-O1", "-g", "-o", os.path.join(half, name), source, *flags])

    return os.path.join(_once(folder, make), name)


if __name__ == "__main__":
    print(models())
    for lock in sorted(os.listdir(os.path.join(HERE, "locks"))):
        if lock.endswith(".txt"):
            print(python(lock[:-4]))
    print(node_modules())
