"""The admin port as a web page may try to use it, by way of a browser that reaches it."""

import json
import subprocess

import pytest
from harness.http1 import RawConnection
from harness.models import fixture
from harness.policies import follow, pool

pytestmark = pytest.mark.deadline(60)

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
RELOAD = ("--request", "POST", "/v1/policy:reload")
READ = ("/v1/policy",)
SHOWN = ("--header", f"Authorization: Bearer {TOKEN}")


def header(*lines):
    return [part for line in lines for part in ("--header", line)]


def ask(address, *arguments):
    """The status and the body that curl gets; the last of the arguments is the path."""
    *flags, path = arguments
    command = ["curl", "--silent", "--path-as-is", "--write-out", "\n%{http_code}", *flags]
    answer = subprocess.run(
        [*command, f"http://{address}{path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    body, status = answer.stdout.rsplit("\n", 1)
    return int(status), body


@pytest.fixture(scope="module")
def node(module_martlet):
    return module_martlet.serve({"half_plus_two": fixture("half_plus_two")})


@pytest.fixture(scope="module")
def gateway(module_martlet, node):
    return follow(module_martlet, {"pools": [pool("main", node)]})


TRICKS = {
    "a name that was made to mean this machine": (421, header("Host: evil.example")),
    "a name that begins as a good one": (421, header("Host: localhost.evil.example:8081")),
    "an address in another form": (421, header("Host: 2130706433")),
    "the address of all": (421, header("Host: 0.0.0.0")),
    "a foreign origin": (403, header("Origin: http://evil.example")),
    "an opaque origin": (403, header("Origin: null")),
    "another site": (403, header("Sec-Fetch-Site: cross-site")),
    "another port of this host": (403, header("Sec-Fetch-Site: same-site")),
}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("request_line", [RELOAD, READ], ids=["reload", "read"])
def test_a_page_is_refused(gateway, trick, request_line):
    status, fields = TRICKS[trick]
    assert ask(gateway.admin_address, *fields, *request_line)[0] == status


@pytest.mark.parametrize(
    "form", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"]
)
def test_a_form_is_refused(gateway, form):
    flags = [*header(f"Content-Type: {form}"), "--data", "a=b"]
    status, body = ask(gateway.admin_address, *flags, "/v1/policy:reload")
    assert status == 415
    assert "application/json" in json.loads(body)["error"]


def test_a_strange_name_by_http_2_is_refused(gateway):
    flags = ["--http2-prior-knowledge"]
    assert ask(gateway.admin_address, *flags, *READ)[0] == 200
    strange = [*flags, *header("Host: evil.example")]
    assert ask(gateway.admin_address, *strange, *READ)[0] == 421


def test_a_strange_name_in_the_target_is_refused(gateway):
    with RawConnection(gateway.admin_address) as connection:
        connection.send(b"GET http://evil.example/v1/policy HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert connection.read_response().status == 421


def test_a_request_without_a_host_reads_health_alone(gateway):
    for path, status in ((b"/healthz/live", 200), (b"/v1/policy", 421)):
        with RawConnection(gateway.admin_address) as connection:
            connection.send(b"GET " + path + b" HTTP/1.0\r\n\r\n")
            assert connection.read_response().status == status


def test_programs_go_on(gateway):
    port = gateway.admin_address.rsplit(":", 1)[1]
    for name in (gateway.admin_address, f"localhost:{port}", "LOCALHOST", "[::1]:8081"):
        for line in (READ, RELOAD):
            assert ask(gateway.admin_address, *header(f"Host: {name}"), *line)[0] == 200, name
    own = header(f"Origin: http://{gateway.admin_address}")
    assert ask(gateway.admin_address, *own, *RELOAD)[0] == 200
    assert ask(gateway.admin_address, "--data", "", "/v1/policy:reload")[0] == 200


def test_prometheus_scrapes_by_whichever_name_it_knows(gateway):
    name = header("Host: gateway.internal:8081")
    status, text = ask(gateway.admin_address, *name, "/metrics")
    assert status == 200
    assert "martlet_gateway_request_duration_seconds" in text
    assert ask(gateway.admin_address, *name, "/healthz/ready")[0] == 200
    link = header(
        "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"
    )
    assert ask(gateway.admin_address, *link, "/metrics")[0] == 200
    page = header("Origin: http://evil.example")
    assert ask(gateway.admin_address, *page, "/metrics")[0] == 403


def test_beyond_loopback_the_token_guards_what_is_read(martlet, node, tmp_path):
    token = tmp_path / "admin.token"
    token.write_text(TOKEN + "\n", encoding="ascii")
    policy = {
        "admin": {"host": "0.0.0.0", "hosts": ["gateway.internal"], "token_file": str(token)},
        "pools": [pool("main", node)],
    }
    # Without the harness's own look at the endpoints, which shows no token.
    file = martlet.directory / "guarded.yaml"
    file.write_text(json.dumps(policy), encoding="utf-8")
    gateway = martlet.gateway([], "--config", file)
    port = gateway.admin_address.rsplit(":", 1)[1]
    address = f"127.0.0.1:{port}"
    for line in (READ, RELOAD):
        assert ask(address, *line)[0] == 401
        assert ask(address, *header(f"Authorization: Bearer {TOKEN}0"), *line)[0] == 401
        assert ask(address, *SHOWN, *line)[0] == 200
        assert ask(address, *SHOWN, *header("Host: gateway.internal"), *line)[0] == 200
        assert ask(address, *SHOWN, *header("Host: 192.0.2.1:8081"), *line)[0] == 200
        assert ask(address, *SHOWN, *header("Host: evil.example"), *line)[0] == 421
    for path in ("/metrics", "/healthz/ready"):
        assert ask(address, *header("Host: any.example"), path)[0] == 200
    for path in ("//v1/policy:reload", "/v1/policy%3Areload", "/v1/x/../policy:reload"):
        assert ask(address, "--request", "POST", path)[0] == 401
        assert ask(address, *SHOWN, "--request", "POST", path)[0] == 404
    ended = martlet.run("status", "--admin", address)
    assert "--admin-token-file" in ended.stderr
    ended = martlet.run("status", "--admin", address, "--admin-token-file", token)
    assert ended.returncode == 0, ended.stderr


def test_a_node_is_changed_by_no_page(node):
    path = "/admin/v1/models"
    assert ask(node.address, path)[0] == 200
    for line in (
        "Host: evil.example",
        "Host: localhost.evil.example",
        "Origin: http://evil.example",
        "Sec-Fetch-Site: same-origin",
    ):
        status, body = ask(node.address, *header(line), path)
        assert status == 403, line
        assert "node's own machine" in json.loads(body)["error"]
