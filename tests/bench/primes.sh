#!/bin/sh
#
# The search for RSA moduli that share a prime, with so many on record (100000
# when not told), beside one GCD with each:
#
#	sh tests/bench/primes.sh [MODULI]
#
# See docs/benchmarks.md.

set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
[ -d "$source/build/release" ] ||
	(cd "$source" && cmake --preset release >/dev/null)
cmake --build "$source/build/release" --target bench_primes >/dev/null
exec "$source/build/release/bin/bench_primes" "$@"
