#!/bin/sh
#
# OCSP requests a second and what one costs: ocspd against nginx serving a file
# of the same size, cfssl ocspserve and openssl ocsp, side by side in one run,
# the server on one processor, the client on another. Run it as root:
#
#	sh tests/bench/ocsp.sh [--quick] [-s SECONDS] [-r RUNS] [-c CONNECTIONS]
#
# It takes a quarter of an hour (3 seconds each, 5 runs, connections
# 1,16,64,256,1024), with --quick half a minute. See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
python3 -B "$source/tests/bench/ocsp.py" "$dir" "$@"
