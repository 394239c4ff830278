#!/bin/sh
#
# Among 1,000 slow clients, 1,000 idle ones and 10,000 that connect and close, 64
# good ones keep asking: the 99th percentile of their answers must stay below
# 100 ms (exits 1 when it does not). Run it as root:
#
#	sh tests/bench/resilience.sh [-s SECONDS] [-r RUNS]
#
# (15 and 5 when not told.) See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
cmake --build "$source/build/release" --target crowd >/dev/null
CSRMAIL_BIN="$source/build/release/bin" \
    python3 -B "$source/tests/bench/resilience.py" "$dir" "$@"
