#!/usr/bin/env bash
# The unit tests, already built. What failed is said again at the end: it may be 10,000 lines back.
#
# A time limit of Swift Testing only asks a test to end, and one that computes or blocks goes on. So
# the run as a whole is ended after MARTLET_TEST_MINUTES (25), and says what still ran, and where.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly seconds_max=$((${MARTLET_TEST_MINUTES:-25} * 60))
readonly code_of_late=124

log=$(mktemp "${TMPDIR:-/tmp}/martlet-tests.XXXXXX")
trap 'rm -f "$log"' EXIT

# The tests that the log says to have started and not to have ended.
tests_under_way() {
    awk '
        /^◇ Test case / { next }
        /^◇ Test .* started\.$/ {
            sub(/^◇ Test /, ""); sub(/ started\.$/, ""); running[$0]++
        }
        /^(✔|✘) Test .* (passed|failed) after / {
            sub(/^(✔|✘) Test /, "")
            sub(/( with [0-9]+ test cases?)? (passed|failed) after .*$/, ""); running[$0]--
        }
        END { for (name in running) if (running[name] > 0) print "  " name }
    ' "$log" | sort
}

# The stacks of all threads of the test program among the processes of group $1.
show_stacks() {
    local folder line debugger
    for folder in /proc/[0-9]*; do
        # After the name: state, parent, group.
        line=$(sed -E 's/^.*\) //' "$folder/stat" 2>/dev/null) || continue
        [[ $(cut -d ' ' -f 3 <<<"$line") == "$1" ]] || continue
        [[ $(readlink "$folder/exe") == *.xctest ]] || continue
        if command -v gdb >/dev/null; then
            debugger=(gdb --batch -nx -p "${folder#/proc/}" -ex 'thread apply all backtrace 25')
        else
            debugger=(lldb --batch --no-lldbinit -p "${folder#/proc/}" -o 'thread backtrace -c 25 all')
        fi
        printf '\nThe threads of process %s:\n' "${folder#/proc/}"
        timeout 180 "${debugger[@]}" </dev/null 2>/dev/null | cut -c 1-200 | tail -n 1000 ||
            echo "(${debugger[0]} could not tell all)"
    done
}

run_tests() {
    # A group of their own, which ends as a whole.
    setsid swift test --skip-build "$@" </dev/null &
    local group=$! outcome=0
    trap 'kill -KILL -- "-$group" 2>/dev/null' INT TERM
    while kill -0 "$group" 2>/dev/null; do
        if ((SECONDS >= seconds_max)); then
            printf '\nerror: %s s (MARTLET_TEST_MINUTES) are over. Started and not ended:\n%s\n' \
                "$seconds_max" "$(tests_under_way | head -n 100)"
            show_stacks "$group"
            kill -KILL -- "-$group"
            wait "$group" 2>/dev/null || true
            return "$code_of_late"
        fi
        sleep 1
    done
    wait "$group" || outcome=$?
    return "$outcome"
}

outcome=0
run_tests "$@" 2>&1 | tee "$log" || outcome=$?
if ((outcome != 0)); then
    printf '\nWhat failed:\n'
    # Swift Testing's mark of an issue, its further lines, and what a trap says; not the arguments of cases.
    grep -aE '^✘|^↳|Fatal error|error: ' "$log" | grep -av '^◇' | tail -n 100 | cut -c 1-1000 || true
fi
if ((outcome == code_of_late)); then
    printf 'The tests that were not done:\n%s\n' "$(tests_under_way | head -n 20)"
fi
exit "$outcome"
