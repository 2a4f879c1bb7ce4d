-- Sends one request again and again, and prints what came of it as a line of JSON.
-- The request's body is in the file that MARTLET_BENCH_BODY names.

local body = os.getenv("MARTLET_BENCH_BODY")
if body then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = assert(io.open(body, "rb")):read("*a")
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "microseconds": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, '
            .. '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
        summary.requests, summary.duration, summary.bytes,
        latency:percentile(50), latency:percentile(99),
        errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
