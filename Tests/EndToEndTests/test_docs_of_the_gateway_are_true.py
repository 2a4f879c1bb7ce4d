"""docs/gateway.md: its files start a gateway, and what it says is not done yet is not.

A block of YAML below a comment such as `<!-- whole file: gateway.yaml -->` is a file as a reader
saves it. A gateway is started with those of each section, beside the files that they name.
"""

import base64
import contextlib
import json
import re
import subprocess

import pytest
from harness.paths import REPOSITORY
from harness.processes import Gateway

PAGE = (REPOSITORY / "docs" / "gateway.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
WHOLE_FILE = re.compile(r"<!-- whole file: (\S+) -->\n```yaml\n(.*?)```\n", re.DOTALL)
METRIC = re.compile(r"^\| `(martlet_gateway_\w+)`", re.MULTILINE)
FAMILY = re.compile(r"^# TYPE (martlet_gateway_\w+) ", re.MULTILINE)

NODES = "endpoints: [127.0.0.1:8501]\n"
TLS = "tls:\n  certificate_file: certs/localhost.pem\n  key_file: certs/localhost.key\n"


def pool(key):
    return f"pools:\n  - name: main\n    endpoints: [127.0.0.1:8501]\n    {key}\n"


def route(key):
    return f"{NODES}routes:\n  - name: all\n    {key}\n"


# What the section "Not yet" lists, in its own words.
REFUSED = {
    "pools[].dns": "pools:\n  - name: main\n    dns: {name: nodes.example, port: 8500}\n",
    "pools[].health.protocol: grpc": pool("health: {protocol: grpc}"),
}
WITHOUT_EFFECT = {
    "routes[].hedging": route("hedging: {delay_seconds: 1}"),
    "routes[].shadow": route("shadow: {version: 2}"),
    "locality": f"{NODES}locality: {{region: eu, zone: eu-1}}\n",
    "pools[].breakers": pool("breakers: {requests_max: 10}"),
}


def sections():
    """The whole files of each section that has any, by name; of the README, too."""
    parts = SECTION.findall(PAGE) + SECTION.findall(README)
    found = {title: dict(WHOLE_FILE.findall(text)) for title, text in parts}
    return {title: files for title, files in found.items() if files}


@pytest.fixture(scope="module")
def surroundings(module_martlet, tmp_path_factory):
    """A folder with all that the page's other commands make."""
    folder = tmp_path_factory.mktemp("gateway-page")
    for command in (
        ("certs", "init"),
        ("certs", "node", "--host", "localhost", "--host", "127.0.0.1"),
        ("certs", "node", "--host", "gateway.example"),
        ("certs", "crl"),
    ):
        ended = module_martlet.run(*command, cwd=folder)
        assert ended.returncode == 0, ended.stderr
    (folder / "admin.token").write_text("a token\n", encoding="utf-8")
    key = {"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": new_key(folder)}
    (folder / "keys.json").write_text(json.dumps({"keys": [key]}), encoding="utf-8")
    return folder


def new_key(folder):
    """The public part of a new key, as in RFC 8037."""
    key = folder / "issuer.key"
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", key],
        ["pkey", "-in", key, "-pubout", "-outform", "DER"],
    ):
        ended = subprocess.run(["openssl", *command], capture_output=True, check=True, timeout=20)
    return base64.urlsafe_b64encode(ended.stdout[-32:]).decode().rstrip("=")


@contextlib.contextmanager
def started(martlet, folder, text):
    """A gateway with this policy; its nodes need not be there."""
    (folder / "gateway.yaml").write_text(text, encoding="utf-8")
    gateway = martlet.start(
        Gateway, "gateway", ["--config", "gateway.yaml"], ready="live", cwd=folder
    )
    yield gateway
    # How a gateway ends is for other tests.
    gateway.kill()


def warnings(gateway):
    return [line for line in gateway.log_lines() if '"warning"' in line and '"policy"' in line]


def ignored(gateway):
    return re.findall(r'has no effect yet.*?"key":"([^"]+)"', "\n".join(gateway.log_lines()))


@pytest.mark.parametrize("title", sections())
def test_the_files_of_a_section_start_a_gateway_without_a_warning(title, martlet, surroundings):
    files = sections()[title]
    for name, text in files.items():
        (surroundings / name).write_text(text, encoding="utf-8")
    with started(martlet, surroundings, files["gateway.yaml"]) as gateway:
        families = set(FAMILY.findall(gateway.admin.get("/metrics").text))
    assert not warnings(gateway)
    assert not ignored(gateway)
    assert not families - set(METRIC.findall(PAGE))


def test_every_step_of_the_page_has_its_file():
    missing = {"One line", "TLS", "Keys", "Tokens", "Client certificates", "Routes", "Canary"}
    missing |= {"Cache", "Limits and timeouts", "Balancing", "Health checks", "Reload"}
    assert sections().keys() >= missing
    assert PAGE.count("```yaml\n") == len(WHOLE_FILE.findall(PAGE))


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_said_to_be_refused_is_refused(key, martlet, surroundings):
    assert f"`{key}`" in PAGE
    (surroundings / "gateway.yaml").write_text(REFUSED[key], encoding="utf-8")
    ended = martlet.run("gateway", "--config", "gateway.yaml", "--port", 0, cwd=surroundings)
    assert ended.returncode != 0
    assert "is not supported yet" in ended.stderr


@pytest.mark.parametrize("key", WITHOUT_EFFECT)
def test_what_is_said_to_have_no_effect_is_warned_of(key, martlet, surroundings):
    assert f"`{key}`" in PAGE
    with started(martlet, surroundings, WITHOUT_EFFECT[key]) as gateway:
        (warned,) = ignored(gateway)
    assert re.sub(r"\[\w+\]", "[]", warned) == key
