#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# Installs the Debian packages that the build needs (with --demo or --tests: those that these need, too), on Debian 12 and 13.
# Asks apt for nothing when everything is there. Debian 12 takes libbpf and bpftool from its backports: the source is named in
# a file of its own only while this runs.
set -eu

BUILD='clang llvm make pkg-config bpftool libbpf-dev libelf-dev zlib1g-dev libyaml-dev libmicrohttpd-dev libcjson-dev
libzydis-dev libiberty-dev uthash-dev linux-libc-dev libc6-dev git'
# OpenCV's wheel, which the OCR application imports, wants the libraries of a desktop.
DEMO='python3 python3-venv ca-certificates libgl1 libxcb1'
TESTS='gcc g++ bpftrace libbpf-tools clang-format clang-tidy cppcheck curl gdb prometheus util-linux procps qemu-system-x86'
BACKPORTED='bpftool libbpf-dev'
SOURCE=/etc/apt/sources.list.d/infermeter-setup-$$.sources

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Renamed in Debian 13.
if [ "$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")" = bookworm ]; then
	DEMO="$DEMO libglib2.0-0"
else
	DEMO="$DEMO libglib2.0-0t64"
fi

wanted=$BUILD
case ${1:-} in
--demo) wanted="$BUILD $DEMO" ;;
--tests) wanted="$BUILD $DEMO $TESTS" ;;
'') ;;
*) fail "usage: tools/setup.sh [--demo | --tests]" ;;
esac

# A program by another way than apt (a newer node, say) is as good: nothing is installed over it.
if [ "${1:-}" = --tests ]; then
	command -v node >/dev/null || wanted="$wanted nodejs"
	command -v npm >/dev/null || wanted="$wanted npm"
	# Its two packages exclude each other.
	command -v busybox >/dev/null || wanted="$wanted busybox-static"
fi

missing=
# shellcheck disable=SC2086
status=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null || true)
for package in $wanted; do
	case "
$status
" in
	*"
$package installed
"*) ;;
	*) missing="$missing $package" ;;
	esac
done
# The library has to be new enough whichever way it came.
if ! pkg-config --atleast-version=1.3 libbpf 2>/dev/null; then
	case " $missing " in *' libbpf-dev '*) ;; *) missing="$missing libbpf-dev" ;; esac
fi
[ -n "$missing" ] || exit 0

[ -r /etc/os-release ] || fail "this is not Debian; needed:$missing"
. /etc/os-release
[ "${ID:-}" = debian ] || fail "made for Debian 12 and 13, this is ${PRETTY_NAME:-something else}; install the like of:$missing"
[ "$(id -u)" = 0 ] || fail "needs root to install:$missing"

cleanup() {
	status=$?
	rm -f "$SOURCE"
	# The lists of a source that is gone would only confuse later calls.
	[ -z "${added:-}" ] || apt-get update -qq || true
	[ -z "${policy:-}" ] || rm -f "$policy"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DEBIAN_FRONTEND=noninteractive
release=
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
	for package in $BACKPORTED; do
		case " $missing " in *" $package "*) release=bookworm-backports ;; esac
	done
fi
if [ -n "$release" ] && ! apt-cache policy 2>/dev/null | grep -q "n=$release"; then
	mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
		/etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep -v security | head -1)
	added=yes
	cat >"$SOURCE" <<-END
		Types: deb
		URIs: ${mirror:-http://deb.debian.org/debian}
		Suites: $release
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
fi

# No service (prometheus) is started by its installation, and none is left to start with the machine.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

from_backports= from_release=
for package in $missing; do
	case " $BACKPORTED " in
	*" $package "*) from_backports="$from_backports $package" ;;
	*) from_release="$from_release $package" ;;
	esac
done
[ -n "$release" ] || { from_release="$from_release $from_backports"; from_backports=; }

install() { # the release option, then packages
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $1 $2 >/dev/null
}

say "installing$missing"
apt-get update -qq
# shellcheck disable=SC2086
if [ -n "$from_release" ]; then
	install '' "$from_release"
fi
if [ -n "$from_backports" ]; then
	install "-t $release" "$from_backports"
fi
case " $missing " in
*' prometheus '*)
	if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
		systemctl disable --now prometheus.service >/dev/null 2>&1 || true
	fi
	;;
esac
pkg-config --atleast-version=1.3 libbpf || fail "libbpf is $(pkg-config --modversion libbpf), needed is 1.3 or newer"
