#!/usr/bin/env bash
# Requests a second of gRPC echo servers on one core, 64 in flight, small messages: Martlet's
# transport and gRPC's C++ server, in turns, each asked by h2load on another core.
#
#   Benchmarks/Echo/run.sh [ROUNDS] [MESSAGE_BYTES] [CONNECTIONS]
#
# Needs nghttp2-client, libgrpc++-dev and protobuf's headers (Debian packages of these names).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

rounds=${1-3} bytes=${2-20} connections=${3-1}
scratch=${ECHO_SCRATCH-.build}
read -ra build_flags <<<"${ECHO_BUILD_FLAGS-}"
swift build -c release --scratch-path "$scratch" "${build_flags[@]}" >&2
mkdir -p .build-cpp
if [[ ! -x .build-cpp/echo-server ]]; then
    # shellcheck disable=SC2046 # flags, one word each
    g++ -O2 -o .build-cpp/echo-server cpp/server.cc $(pkg-config --cflags --libs grpc++)
fi

body=$(mktemp)
trap 'rm -f "$body"; kill $(jobs -p) 2>/dev/null || true' EXIT
python3 - "$bytes" >"$body" <<'PYTHON'
import struct, sys
count = int(sys.argv[1])
sys.stdout.buffer.write(struct.pack(">BI", 0, count) + bytes(count))
PYTHON

measure() { # NAME PORT COMMAND...
    local name=$1 port=$2
    shift 2
    taskset -c 0 "$@" "$port" >/dev/null &
    local server=$!
    for _ in $(seq 100); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.05
    done
    taskset -c 1 h2load -n "${REQUESTS-200000}" -c "$connections" -m $((64 / connections)) \
        --data="$body" -H 'content-type: application/grpc' -H 'te: trailers' \
        "http://127.0.0.1:$port/echo.Echo/Call" |
        awk -v name="$name" '/^finished in/ {rate = $4} /^requests:/ {ok = $8}
            END {print name, rate, "requests/s,", ok, "answered"}'
    # Processor time of the server, whatever the client was able to ask.
    awk -v name="$name" '{print name, ($14 + $15) / 100, "s of processor time"}' "/proc/$server/stat"
    kill "$server"
    wait "$server" 2>/dev/null || true
}

for _ in $(seq "$rounds"); do
    measure martlet 50061 "$scratch/release/echo"
    measure c++ 50062 .build-cpp/echo-server
done
