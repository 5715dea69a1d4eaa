# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Kernels of Debian 12, from its packages, unpacked into the user's cache; nothing is installed."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from machine import need
from frame import Skip

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "infermeter", "kernels")
META = "linux-image-cloud-amd64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
WANTED = ("CONFIG_BPF_SYSCALL", "CONFIG_DEBUG_INFO_BTF", "CONFIG_UPROBES", "CONFIG_UPROBE_EVENTS",
          "CONFIG_BLK_DEV_INITRD", "CONFIG_SERIAL_8250_CONSOLE")
SOURCES = """Types: deb
URIs: %s
Suites: bookworm bookworm-backports
Components: main
Signed-By: %s
"""


def _call(*command, seconds=120, folder=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=folder)
    except subprocess.TimeoutExpired:
        raise Skip("%s: not done within %d s" % (command[0], seconds))
    if done.returncode:
        raise Skip("%s: %s" % (" ".join(command[:2]), (done.stderr.strip().splitlines() or ["no reason"])[-1]))
    return done.stdout


def _mirror():
    """Where this machine gets its packages from, if it says so."""
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*")]:
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        match = re.search(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+/debian/?)(?:\s|$)", text, re.M)
        if match:
            return match[1]
    return "http://deb.debian.org/debian"


def _own_lists(folder):
    """Options by which apt looks only into lists of ours, which are made: the machine's own stay as they are."""
    os.makedirs(os.path.join(folder, "lists", "partial"))
    os.makedirs(os.path.join(folder, "archives", "partial"))
    source = os.path.join(folder, "debian.sources")
    with open(source, "w") as file:
        file.write(SOURCES % (_mirror(), KEYRING))
    options = []
    for option in ("Dir::Etc::SourceList=" + source, "Dir::Etc::SourceParts=/dev/null",
                   "Dir::State::Lists=%s/lists" % folder, "Dir::Cache=%s/" % folder, "Acquire::Languages=none"):
        options += ["-o", option]
    _call("apt-get", *options, "-qq", "update")
    return options


def _newest(series, options):
    """(package, version) of the newest cloud kernel of the series that apt knows, or None."""
    best = None
    for entry in _call("apt-cache", *options, "show", META).split("\n\n"):
        version = re.search(r"^Version: (%s\.\S+)$" % re.escape(series), entry, re.M)
        package = re.search(r"^Depends: (linux-image-%s\.\S+-cloud-amd64)\b" % re.escape(series), entry, re.M)
        if version and package and (not best or subprocess.run(
                ["dpkg", "--compare-versions", version[1], "gt", best[1]]).returncode == 0):
            best = package[1], version[1]
    return best


def _image(folder):
    """The image in the folder, once it is known to have what we need."""
    images, configs = (glob.glob(os.path.join(folder, "boot", name)) for name in ("vmlinuz-*", "config-*"))
    if not images or not configs:
        return None
    with open(configs[0]) as file:
        config = file.read()
    missing = [word for word in WANTED if not re.search("^%s=y$" % word, config, re.M)]
    if missing:
        raise Skip("the kernel is built without %s" % ", ".join(missing))
    return images[0]


def _unpack(package, version, options, target):
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        _call("apt-get", *options, "-qq", "-o", "APT::Sandbox::User=root", "download", "%s=%s" % (package, version),
              folder=folder)
        files = glob.glob(os.path.join(folder, "*.deb"))
        if not files:
            raise Skip("%s was not downloaded" % package)
        _call("dpkg-deb", "-x", files[0], os.path.join(folder, "all"))
        os.mkdir(os.path.join(folder, "kept"))
        os.rename(os.path.join(folder, "all", "boot"), os.path.join(folder, "kept", "boot"))  # no modules
        try:
            os.rename(os.path.join(folder, "kept"), target)
        except OSError:
            if not os.path.isdir(target):  # else another run was as quick
                raise


def _fetch(series, options):
    found = _newest(series, options)
    if not found:
        return None
    target = os.path.join(CACHE, "%s_%s" % found)
    if not os.path.isdir(target):
        _unpack(*found, options, target)
    return _image(target)


def image(series):
    """The path of an image of the series (6.1), of the newest package that can be had."""
    need("apt-get")
    os.makedirs(CACHE, exist_ok=True)
    why = "apt knows no package"
    try:
        path = _fetch(series, [])
        if path:
            return path
    except Skip as skip:
        why = str(skip)
    cached = [path for path in sorted(glob.glob(os.path.join(CACHE, "linux-image-%s.*" % series))) if _image(path)]
    if cached:
        return _image(cached[-1])
    if not os.path.exists(KEYRING):
        raise Skip("no kernel %s: %s, and %s is not there" % (series, why, KEYRING))
    folder = tempfile.mkdtemp(dir=CACHE)
    try:
        path = _fetch(series, _own_lists(folder))
    except Skip as skip:
        raise Skip("no kernel %s: %s" % (series, skip))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not path:
        raise Skip("no kernel %s among Debian's packages" % series)
    return path
