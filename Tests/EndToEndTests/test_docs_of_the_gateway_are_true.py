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

TLS = "tls:\n  certificate_file: certs/localhost.pem\n  key_file: certs/localhost.key\n"


def sections():
    """The whole files of each section that has any, by name; of the README, too."""
    parts = SECTION.findall(PAGE) + SECTION.findall(README)
    found = {title: dict(WHOLE_FILE.findall(text)) for title, text in parts}
    # Of two files of one name in a section, only one would be tried.
    assert sum(map(len, found.values())) == len(WHOLE_FILE.findall(PAGE + README))
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
        ended = subprocess.run(["openssl", *command], capture_output=True, check=True, timeout=60)
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


@pytest.mark.parametrize("title", sections())
def test_the_files_of_a_section_start_a_gateway_without_a_warning(title, martlet, surroundings):
    files = sections()[title]
    for name, text in files.items():
        (surroundings / name).write_text(text, encoding="utf-8")
    with started(martlet, surroundings, files["gateway.yaml"]) as gateway:
        families = set(FAMILY.findall(gateway.admin.get("/metrics").text))
    assert not warnings(gateway)
    assert not families - set(METRIC.findall(PAGE))


def test_every_step_of_the_page_has_its_file():
    missing = {"One line", "TLS", "Keys", "Tokens", "Client certificates", "Routes", "Canary"}
    missing |= {"Cache", "Limits and timeouts", "Balancing", "Health checks", "Reload"}
    missing |= {"Shadow traffic", "Hedging", "Nearness", "Outlier ejection", "Breakers", "Overload"}
    assert sections().keys() >= missing
    assert PAGE.count("```yaml\n") == len(WHOLE_FILE.findall(PAGE))
