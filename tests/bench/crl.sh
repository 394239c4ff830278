#!/bin/sh
#
# A CRL of a million entries: the library alone, the registrar with its store
# and the signer, and `openssl ca -gencrl`; in one run. No root needed:
#
#	sh tests/bench/crl.sh [-n ENTRIES] [-r RUNS]
#
# (1000000 and 3 when not told.) Takes 2 GB in TMPDIR. See docs/benchmarks.md.

set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$source/build/release}
if [ ! -d "$build" ]; then
	cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
fi
cmake --build "$build" --target bench_crl csrmail >/dev/null
python3 "$source/tests/bench/crl.py" "$build/bin" "$@"
