"""How nginx and HAProxy are set up: one core each, for speed, as their manuals say.

Connections are kept on both sides and not counted, nothing is logged, bodies are passed on as they
come, and `X-Forwarded-For` is added to HTTP/1.1 requests, as the gateway does.
"""

import os
from dataclasses import dataclass
from pathlib import Path

FOREVER = 1_000_000_000
WORKER_CONNECTIONS = 16_384
POOL = 128


@dataclass(frozen=True)
class Ports:
    """Where a proxy listens: in the clear, over TLS, and before the other backend."""

    http: int
    tls: int
    grpc: int
    large: int


@dataclass(frozen=True)
class Backends:
    """Ports of the backends: nginx with a small answer, and the one in C."""

    small: int
    other: int


@dataclass(frozen=True)
class Certificate:
    """Files in PEM's format."""

    chain: Path
    key: Path
    # Both in one file, as HAProxy wants it.
    both: Path


def nginx_head(home: Path, connections: int = WORKER_CONNECTIONS) -> str:
    """What every nginx here begins with; the `http` block is left open."""
    temporary = "\n".join(
        f"    {kind}_temp_path {home}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""\
# Written by Benchmarks/front/configuration.py.
{user}
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
{temporary}
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests {FOREVER};
    keepalive_timeout 3600s;
    client_max_body_size 64m;
"""


def nginx_backend(home: Path, port: int, small: str, listing: str) -> str:
    """Answers any path with the same JSON, and `/v1/models` as a node does."""
    return f"""\
{nginx_head(home)}
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ return 200 '{small}'; }}
        location = /v1/models {{ return 200 '{listing}'; }}
    }}
}}
"""


def nginx_proxy(home: Path, ports: Ports, backends: Backends, certificate: Certificate) -> str:
    """nginx in a gateway's place."""
    return f"""\
{nginx_head(home)}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate.chain};
    ssl_certificate_key {certificate.key};
{upstream("small", backends.small)}
{upstream("large", backends.other)}
{upstream("calls", backends.other)}
    server {{
        listen 127.0.0.1:{ports.http} reuseport;
        listen 127.0.0.1:{ports.tls} ssl reuseport;
        location / {{ proxy_pass http://small; }}
    }}
    server {{
        listen 127.0.0.1:{ports.large} reuseport;
        # Larger buffers than its own 4 KB: faster for what is large.
        proxy_buffers 16 64k;
        proxy_buffer_size 64k;
        proxy_busy_buffers_size 256k;
        client_body_buffer_size 256k;
        location / {{ proxy_pass http://large; }}
    }}
    server {{
        listen 127.0.0.1:{ports.grpc} http2 reuseport;
        location / {{ grpc_pass grpc://calls; }}
    }}
}}
"""


def upstream(name: str, port: int) -> str:
    """A backend to which connections are kept."""
    return (
        f"    upstream {name} {{ server 127.0.0.1:{port}; keepalive {POOL}; "
        f"keepalive_requests {FOREVER}; keepalive_timeout 3600s; }}"
    )


def haproxy(ports: Ports, backends: Backends, certificate: Certificate) -> str:
    """HAProxy in a gateway's place."""
    return f"""\
# Written by Benchmarks/front/configuration.py.
global
    nbthread 1
    maxconn {WORKER_CONNECTIONS}
    no strict-limits
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode http
    no log
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
    timeout http-keep-alive 3600s
frontend in_http
    bind 127.0.0.1:{ports.http}
    bind 127.0.0.1:{ports.tls} ssl crt {certificate.both}
    default_backend small
frontend in_large
    bind 127.0.0.1:{ports.large}
    default_backend large
frontend in_grpc
    bind 127.0.0.1:{ports.grpc} proto h2
    default_backend calls
backend small
    server one 127.0.0.1:{backends.small}
backend large
    server one 127.0.0.1:{backends.other}
backend calls
    server one 127.0.0.1:{backends.other} proto h2
"""
