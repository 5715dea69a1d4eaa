#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# From a fresh machine to a table of a real application's models. As root. DEMO_SECONDS=20 ends it by itself.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh --demo
make -s all
exec python3 tools/demo.py
