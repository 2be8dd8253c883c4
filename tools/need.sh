#!/usr/bin/env bash
# Makes sure that something this project needs from the system is there.
#
#   tools/need.sh PACKAGE CHECK...
#
# CHECK is a command that succeeds once the Debian package PACKAGE is installed. When it fails,
# PACKAGE is installed if we may do that without asking for a password; else we say what to do.
set -eu

package=$1
shift

if "$@" >/dev/null 2>&1; then
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "error: '$*' does not work, and installing needs root." >&2
    echo "       Install the package '$package' (Debian, Ubuntu: apt-get install $package)," >&2
    echo "       or its like on your system, then run this again." >&2
    exit 1
fi

if ! command -v apt-get >/dev/null; then
    echo "error: '$*' does not work, and this system has no apt-get." >&2
    echo "       Install what your system calls '$package', then run this again." >&2
    exit 1
fi

echo "installing $package ..." >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package"; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: apt-get could not install '$package'; its words are above." >&2
    exit 1
fi

if ! "$@" >/dev/null 2>&1; then
    echo "error: '$package' is installed, but '$*' still does not work." >&2
    exit 1
fi
