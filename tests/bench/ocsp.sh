#!/bin/sh
#
# OCSP requests a second and what one costs: ocspd against nginx serving a file
# of the same size, ocspd signing live, and openssl ocsp; in one run, the server
# on the first processor, wrk on the second. Run it as root:
#
#	sh tests/bench/ocsp.sh [-s SECONDS] [-c CONNECTIONS] [-r RUNS]
#
# (10, 64 and 3 when not told.) See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
python3 "$source/tests/bench/ocsp.py" "$dir" "$@"
