#!/bin/sh
# Installs the Debian packages that are needed to build and test Gannet or, with --extra, those that only some checks need.
# Does nothing if all are installed.
set -eu
packages="g++ make binutils zlib1g-dev libpng-dev libjpeg62-turbo-dev libarchive-dev nlohmann-json3-dev libcli11-dev libeigen3-dev doctest-dev"
name="make deps"
if [ "${1:-}" = --extra ]; then
    packages="python3 python3-numpy python3-pil python3-torch dataset-fashion-mnist clang-format clang-tidy clang libclang-rt-dev"
    name="make deps-extra"
fi
missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "$name: nothing is missing"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "$name: this is not a Debian system; install the equivalents of:$missing" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo"
    command -v sudo >/dev/null || { echo "$name: not root and no sudo; as root run: apt-get install$missing" >&2; exit 1; }
fi
echo "$name: installing$missing"
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
