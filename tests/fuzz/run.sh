#!/bin/sh
#
# Fuzz with libFuzzer (clang): the preset "fuzz", then each fuzzer for so many
# seconds (60), on as many processors as there are. New inputs go to
# build/fuzz/corpus/NAME, findings to build/fuzz/findings; nothing is written
# into the source. See tests/fuzz/CMakeLists.txt.
#
#	sh tests/fuzz/run.sh [SECONDS [NAME ...]]

set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(sed -n 's/^fuzzer(\([a-z_]*\).*/\1/p' \
    "$source/tests/fuzz/CMakeLists.txt")

cd "$source"
cmake --preset fuzz >/dev/null
for name; do
	cmake --build --preset fuzz --target "fuzz_$name"
done
mkdir -p build/fuzz/findings
for name; do
	mkdir -p "build/fuzz/corpus/$name"
	"build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" \
	    -artifact_prefix="build/fuzz/findings/$name." -print_final_stats=1 \
	    -fork="$(nproc)" "build/fuzz/corpus/$name" \
	    "tests/fuzz/corpus/$name"
done
