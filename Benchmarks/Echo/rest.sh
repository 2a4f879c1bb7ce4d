#!/usr/bin/env bash
# Requests a second of REST echo on one core, 64 connections, small bodies: Martlet's transport,
# and nginx where it is installed, in turns, each asked by wrk or h2load on another core.
#
#   Benchmarks/Echo/rest.sh [ROUNDS] [BODY_BYTES] [CONNECTIONS] [--hop]
#
# nginx answers with a fixed text of the same length: its floor, as it reads no body. With `--hop`
# Martlet answers from another thread, as engines do. Needs nghttp2-client (Debian).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

rounds=${1-3} bytes=${2-200} connections=${3-64} hop=${4-}
scratch=${ECHO_SCRATCH-.build}
# shellcheck disable=SC2086 # flags, one word each
swift build -c release --scratch-path "$scratch" ${ECHO_BUILD_FLAGS-} >&2

folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill $(jobs -p) 2>/dev/null || true' EXIT
head -c "$bytes" /dev/zero | tr '\0' x >"$folder/body"

cat >"$folder/nginx.conf" <<CONFIGURATION
daemon off;
worker_processes 1;
pid $folder/pid;
error_log /dev/null;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $folder;
    server {
        listen 127.0.0.1:50072;
        location / { default_type application/json; return 200 "$(cat "$folder/body")"; }
    }
}
CONFIGURATION

measure() { # NAME PORT COMMAND...
    local name=$1 port=$2
    shift 2
    taskset -c 0 "$@" >/dev/null 2>&1 &
    local server=$!
    for _ in $(seq 100); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.05
    done
    taskset -c 1 h2load --h1 -n "${REQUESTS-300000}" -c "$connections" --data="$folder/body" \
        -H 'content-type: application/json' "http://127.0.0.1:$port/v1/models/echo:predict" |
        awk -v name="$name" '/^finished in/ {rate = $4} /^status codes:/ {ok = $3}
            END {print name, rate, "requests/s,", ok, "answered"}'
    # Processor time of the server and its children, whatever the client was able to ask.
    ps -o cputimes= -p "$server" --ppid "$server" |
        awk -v name="$name" '{sum += $1} END {print name, sum, "s of processor time"}'
    kill "$server"
    wait "$server" 2>/dev/null || true
}

for _ in $(seq "$rounds"); do
    # shellcheck disable=SC2086 # nothing or one word
    measure martlet 50071 "$scratch/release/echo" 50071 $hop
    if command -v nginx >/dev/null; then
        measure nginx 50072 nginx -e stderr -c "$folder/nginx.conf"
    fi
done
