#!/usr/bin/env bash
# Fuzzes what reads strangers' bytes, one target after another, each for so many seconds.
#
#   Fuzz/run.sh SECONDS [TARGET...]
#   Fuzz/run.sh --keep [TARGET...]
#
# What reaches something new is gathered in .build/found/TARGET. Bytes that break a promise, and end
# the run, are in .build/found/TARGET.*: `.build/release/TARGET FILE` shows what is wrong with them.
# `--keep` adds the fewest and smallest of them to corpus/TARGET that reach code which nothing there
# does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' run.sh >&2
    exit 64
}

(($# > 0)) || usage
[[ $1 == --keep || $1 =~ ^[0-9]+$ ]] || usage
mode=$1
targets=("${@:2}")
((${#targets[@]} > 0)) || targets=(http1-request http1-answer http2-request)

# libFuzzer is to see crashes, not Swift's own report of them.
export SWIFT_BACKTRACE=enable=no

swift build -c release --sanitize fuzzer
for target in "${targets[@]}"; do
    fuzzer=.build/release/$target
    found=.build/found/$target
    mkdir -p "$found"
    if [[ $mode == --keep ]]; then
        # Edges alone: how often each was taken would keep several times as many.
        "$fuzzer" -set_cover_merge=1 -use_counters=0 -max_len=512 "corpus/$target" "$found"
    else
        echo "fuzz: $target for $mode s"
        "$fuzzer" -max_total_time="$mode" -max_len=2048 -timeout=10 -rss_limit_mb=1024 \
            -dict="dictionaries/${target%%-*}.dict" -artifact_prefix="$found." \
            -print_final_stats=1 -reload=0 "$found" "corpus/$target"
    fi
done
