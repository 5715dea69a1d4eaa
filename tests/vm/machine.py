# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A machine of its own for a kernel: an initial file system made on the spot, booted in qemu, and what it printed."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))

from agent import BINARY, Failure  # noqa: E402
from frame import Skip  # noqa: E402

CPU = "max,la57=off,cx16=off"  # without what emulators (qemu 7.2) do wrong: cmpxchg16b loses flags
TOY = os.path.join(os.path.dirname(HERE), "toy")
MODELS = ("weather.toy", "traffic.toy", "storm.toy")
SECTION = re.compile(rb"^@@BEGIN (\S+)\n(.*?)\n@@END \1 (\d+)$", re.M | re.S)


def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Skip("no %s" % program)
    return path


def busybox():
    """Its path, if it can do all that init.sh asks of it."""
    path = need("busybox")
    able = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with open(os.path.join(HERE, "init.sh")) as file:
        missing = sorted(set(re.findall(r"\bbusybox ([a-z]+)", file.read())) - set(able))
    if missing:
        raise Skip("this busybox has no %s" % ", ".join(missing))
    return path


class Archive:
    """A cpio archive in the format that the kernel unpacks."""

    def __init__(self):
        self.data, self.folders, self.inode = bytearray(), set(), 0

    def _entry(self, name, mode, body):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(encoded), 0)
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self.data += bytes(-len(self.data) % 4)
        self.data += body
        self.data += bytes(-len(self.data) % 4)

    def folder(self, name):
        if name and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, body, mode=0o755):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, body)

    def link(self, name, to):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, to.encode())

    def copy(self, path, name):
        with open(path, "rb") as file:
            self.file(name, file.read())

    def finish(self):
        self._entry("TRAILER!!!", 0, b"")
        return bytes(self.data)


def libraries(*programs):
    """{name: path} of the shared libraries that the programs load, the loader's path as its name."""
    found = {}
    for program in programs:
        listing = subprocess.run(["ldd", program], capture_output=True, text=True).stdout  # fails where it is static
        for name, path in re.findall(r"^\s*(\S+) => (/\S+) ", listing, re.M):
            found["lib/" + name] = path
        for path in re.findall(r"^\s*(/\S+) \(", listing, re.M):
            found[path.lstrip("/")] = path
    return found


def file_system():
    """The bytes of the initial file system: a shell, infermeter, two libraries and what calls them."""
    archive, shell = Archive(), busybox()
    with tempfile.TemporaryDirectory() as folder:
        toy, throwing, caller = (os.path.join(folder, name) for name in ("libtoyml.so", "libthrowing.so", "caller"))
        subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-o", toy, os.path.join(TOY, "toy.c"), "-lm"], check=True)
        subprocess.run(["c++", "-O2", "-fPIC", "-shared", "-o", throwing, os.path.join(HERE, "throwing.cc")],
                       check=True)
        subprocess.run(["cc", "-O1", "-I", TOY, "-o", caller, os.path.join(HERE, "caller.c"), "-ldl"], check=True)
        for path in (toy, throwing, caller):
            archive.copy(path, "work/" + os.path.basename(path))
        wanted = libraries(BINARY, shell, toy, throwing, caller)
    for name, path in sorted(wanted.items()):
        archive.copy(path, name)
    for name in MODELS:
        archive.file("work/" + name, bytes([64, 128, 192, 255]), 0o644)
    archive.copy(os.path.join(TOY, "toy.yaml"), "work/runtimes/toy.yaml")
    archive.copy(BINARY, "bin/infermeter")
    archive.copy(shell, "bin/busybox")
    archive.link("bin/sh", "busybox")
    archive.copy(os.path.join(HERE, "init.sh"), "init")
    for name in ("proc", "sys", "dev", "tmp"):
        archive.folder(name)
    return archive.finish()


class Boot:
    """What one boot said: sections by name as (exit code, text), and the console for messages."""

    def __init__(self, image, file_system_bytes, seconds):
        qemu = need("qemu-system-x86_64")
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            initrd, console, results = (os.path.join(folder, name) for name in ("initrd", "console", "results"))
            with open(initrd, "wb") as file:
                file.write(file_system_bytes)
            command = [qemu, "-accel", "tcg,thread=multi", "-nodefaults", "-no-user-config", "-display", "none",
                       "-no-reboot", "-cpu", CPU, "-smp", "2", "-m", "1024", "-kernel", image, "-initrd", initrd,
                       "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on",
                       "-serial", "file:" + console, "-serial", "file:" + results]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            try:
                said = process.communicate(timeout=seconds)[0].decode(errors="replace").strip()
                ended = "qemu ended with %d%s" % (process.returncode, ": " + said if said else "")
            except subprocess.TimeoutExpired:
                ended = "not done within %d s" % seconds
            finally:
                process.kill()
                process.communicate()
            self.seconds = time.monotonic() - began
            with open(console, "rb") as file:
                self.console = file.read().decode(errors="replace").replace("\r", "")
            with open(results, "rb") as file:
                raw = file.read().replace(b"\r", b"")
        self.sections = {name.decode(): (int(code), body.decode(errors="replace"))
                         for name, body, code in SECTION.findall(raw)}
        self.why = None if b"\n@@DONE" in raw else ended

    def text(self, name):
        """A section that ended well."""
        if name not in self.sections:
            raise Failure("nothing was said of %s; %s" % (name, self.story()))
        code, text = self.sections[name]
        if code:
            raise Failure("%s ended with %d; %s" % (name, code, self.story()))
        return text

    def story(self):
        """What to read when something failed: complaints, and how the console ended."""
        lines = [self.why or "the machine ended well"]
        for name, (code, text) in self.sections.items():
            if code or name.endswith("-errors"):
                lines.append("%s (%d):\n      %s" % (name, code, "\n      ".join(text.strip().splitlines()[-60:])))
        lines.append("console:\n      " + "\n      ".join(self.console.strip().splitlines()[-20:]))
        return "\n    ".join(lines)
