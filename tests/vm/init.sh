#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# The machine's first and only program: runs infermeter; what it said goes to the second serial line, between markers.
export PATH=/bin LD_LIBRARY_PATH=/lib
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mount -t tmpfs tmp /tmp
busybox mount -t tracefs tracing /sys/kernel/tracing
busybox ip link set lo up
busybox stty -F /dev/ttyS1 raw -echo
exec 2>&1
URL=http://127.0.0.1:9464
CALLER='/work/caller /work/libtoyml.so /work/weather.toy /work/traffic.toy /work/libthrowing.so /work/storm.toy'

show() { # NAME CODE FILE
	busybox printf '@@BEGIN %s\n' "$1" >/dev/ttyS1
	busybox cat "$3" >/dev/ttyS1
	busybox printf '\n@@END %s %d\n' "$1" "$2" >/dev/ttyS1
}

step() { # NAME COMMAND...: its output and exit code
	name=$1
	shift
	busybox timeout 60 "$@" >/tmp/out 2>/tmp/errors
	code=$?
	show "$name" $code /tmp/out
	[ ! -s /tmp/errors ] || show "$name-errors" $code /tmp/errors
	return $code
}

until_true() { # tenths of a second, then a command
	left=$1
	shift
	while ! "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		busybox usleep 100000
	done
}

ready() { busybox wget -q -O /tmp/ready $URL/readyz 2>/dev/null; }
said() { busybox grep -q "^$1" /tmp/calls; }
# Both libraries' three hooks, and the C++ library's one.
attached() {
	busybox wget -q -O /tmp/targets $URL/api/v1/targets 2>/dev/null &&
		[ "$(busybox grep -o '"attached":true' /tmp/targets | busybox wc -l)" -ge 7 ]
}

step kernel busybox uname -r
step doctor infermeter doctor --json
step start infermeter run --log debug --runtimes /work/runtimes -- /bin/busybox true
step run infermeter run --json --output /tmp/models --runtimes /work/runtimes -- $CALLER
show run-models 0 /tmp/models
for kind in '' --single-probes; do
	: >/tmp/calls
	busybox rm -f /tmp/go
	busybox mkfifo /tmp/go
	infermeter serve $kind --runtimes /work/runtimes --listen 127.0.0.1:9464 >/tmp/serve 2>&1 &
	agent=$!
	until_true 400 ready || show serve-not-ready 1 /tmp/serve
	$CALLER wait </tmp/go >/tmp/calls 2>&1 &
	caller=$!
	exec 3>/tmp/go
	until_true 300 said mapped || show not-mapped 1 /tmp/calls
	until_true 300 attached || show not-attached 1 /tmp/targets
	echo >&3
	until_true 300 said done || show not-done 1 /tmp/calls
	step "metrics$kind" busybox wget -q -O - $URL/metrics
	step "models$kind" busybox wget -q -O - $URL/api/v1/models
	step "targets$kind" busybox wget -q -O - $URL/api/v1/targets
	step "top$kind" infermeter top --once --listen 127.0.0.1:9464
	echo >&3
	exec 3>&-
	wait $caller
	show "calls$kind" $? /tmp/calls
	kill -TERM $agent
	wait $agent
	show "serve$kind" $? /tmp/serve
done
echo '@@DONE' >/dev/ttyS1
busybox sync
busybox poweroff -f
