#!/usr/bin/env bash
# The unit tests, already built. What failed is said again at the end: it may be 10,000 lines back.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp "${TMPDIR:-/tmp}/martlet-tests.XXXXXX")
trap 'rm -f "$log"' EXIT

outcome=0
swift test --skip-build "$@" 2>&1 | tee "$log" || outcome=$?
if ((outcome != 0)); then
    printf '\nWhat failed:\n'
    # Swift Testing's mark of an issue, its further lines, and what a trap says; not the arguments of cases.
    grep -aE '^✘|^↳|Fatal error|error: ' "$log" | grep -av '^◇' | tail -n 100 | cut -c 1-1000 || true
fi
exit "$outcome"
