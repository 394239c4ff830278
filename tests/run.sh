#!/bin/sh
#
# Everything that is tested, from nothing but the source: install the packages
# (as root, when some are missing), build the presets ci and release, run all
# tests through CTest. Ends with CTest's summary and its exit code.
#
#	sh tests/run.sh [CTEST-OPTION ...]

set -eu

cd "$(dirname "$0")/.."
sh init/packages.sh install build demo tests servers
sh init/packages.sh unpack build/servers

# The journeys run what is tested and, once, what is released.
for preset in release ci; do
	echo "== building: $preset"
	cmake --preset $preset -DWERROR=ON
	cmake --build --preset $preset
done
echo "== testing"
exec ctest --preset ci "$@"
