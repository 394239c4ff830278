#!/bin/sh
#
# So many revocations (1,000), one after the other, each measured by a client from
# the return of `csrmail cert revoke` until every front says so, under load, with
# the responder killed now and then and ocspd restarted: the journey's test with
# more of them. Run it as root:
#
#	sh tests/bench/revocations.sh [REVOCATIONS]
#
# It takes some ten minutes. See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
cmake --build "$source/build/release" --target crowd >/dev/null
JOURNEY_DIR=$dir CSRMAIL_BIN=$source/build/release/bin REVOCATIONS=${1:-1000} \
    python3 -B "$source/tests/journey/test_ocsp_revocations.py"
