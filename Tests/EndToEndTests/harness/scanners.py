"""Scanners of TLS servers: sslyze, which is a Python package, and testssl.sh, a Debian package.

Both are run as commands, and tell what they found by a file of JSON.
"""

import json
import shutil
import subprocess
import sys

TESTSSL = shutil.which("testssl.sh") or shutil.which("testssl")

# In the words of sslyze's results.
VERSIONS = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")


class Scan:
    """What sslyze has found; each scan that is asked for must have run to its end."""

    def __init__(self, report, complaints):
        (server,) = report["server_scan_results"]
        assert server["connectivity_status"] == "COMPLETED", server["connectivity_error_trace"]
        self.server = server
        # Why the server falls short of Mozilla's profile that was asked for.
        self.complaints = complaints

    def __getitem__(self, name):
        attempt = self.server["scan_result"][name]
        assert attempt["status"] == "COMPLETED", (name, attempt)
        return attempt["result"]

    @property
    def client_certificates(self):
        return self.server["connectivity_result"]["client_auth_requirement"]

    def suites(self, version):
        accepted = self[f"{version}_cipher_suites"]["accepted_cipher_suites"]
        return {each["cipher_suite"]["name"] for each in accepted}

    def versions(self):
        return {version for version in VERSIONS if self.suites(version)}

    def groups(self):
        return {group["name"] for group in self["elliptic_curves"]["supported_curves"]}


def sslyze(address, folder, *flags, profile="disable"):
    """Scans for what the flags say; a profile of Mozilla's asks for all that it needs."""
    file = folder / "sslyze.json"
    ended = run(
        *(sys.executable, "-W", "ignore", "-m", "sslyze", "--quiet", "--json_out", file),
        *("--mozilla_config", profile, *flags, address),
    )
    shown = ended.stdout + ended.stderr
    # 1 says that the profile is not complied with.
    assert ended.returncode in (0, 1), shown
    complaints = [line.strip() for line in shown.splitlines() if line.strip().startswith("* ")]
    assert bool(complaints) == bool(ended.returncode), shown
    return Scan(json.loads(file.read_text(encoding="utf-8")), complaints)


def testssl(address, folder, *flags):
    """What testssl.sh has found: each with an `id`, a `severity` and the `finding` in words."""
    file = folder / "testssl.json"
    ended = run(
        *(TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"),
        *("--ip", "127.0.0.1", "--jsonfile", file, *flags, f"https://{address}"),
    )
    assert file.exists(), ended.stdout + ended.stderr
    return json.loads(file.read_text(encoding="utf-8"))


# Not a test, though pytest would take its name for one's.
testssl.__test__ = False


def run(*arguments):
    return subprocess.run(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
