#!/bin/sh
#
# A request becomes a certificate: the library alone, the daemon with its disk,
# and `openssl ca -batch`, one process a request; in one run. Run it as root:
#
#	sh tests/bench/issue.sh [-n LIBRARY] [-d DAEMON] [-o OPENSSL] [-r RUNS]
#
# (10000, 2000, 200 and 3 when not told.) See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
cmake --build "$source/build/release" --target bench_issue >/dev/null
python3 "$source/tests/bench/issue.py" "$dir" \
    "$source/build/release/bin/bench_issue" "$@"
