#!/bin/sh
#
# ocspd on stores of a thousand, a million and ten million certificates: how
# long it takes to start, what it needs, how fast it answers. No root needed;
# 3 GB of memory and 4 GB of disk in TMPDIR (/tmp) for ten million.
#
#	sh tests/bench/scale.sh [-n CERTIFICATES ...] [-s SECONDS] [-r STARTS]
#
# See docs/scaling.md. The release is built into build/bench.

set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=${BENCH_BUILD:-$source/build/bench}
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DHARDEN=ON -DBUILD_TESTING=OFF >/dev/null
cmake --build "$build" --target ocspd bench_scale_load >/dev/null
dir=$(mktemp -d "${TMPDIR:-/tmp}/csrmail-scale.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
python3 -B "$source/tests/bench/scale.py" "$build/bin" "$dir" "$@"
