#!/bin/sh
#
# Mail in to certificate mail out: csrmaild against the classic pipeline
# (fetchmail, procmail, munpack, openssl ca, sendmail), and what the SMTP
# server alone takes in; in one run on one rig. Run it as root:
#
#	sh tests/bench/mail.sh [-n MAILS] [-c CLASSIC-MAILS] [-r RUNS]
#
# (1000, 200 and 3 when not told.) See docs/benchmarks.md.

set -eu
. "$(dirname "$0")/stand.sh"
python3 "$source/tests/bench/mail.py" "$dir" "$@"
