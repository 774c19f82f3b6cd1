import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from halluscope.errors import PullError
from halluscope.lm import download as module
from halluscope.lm.download import UnreachableError, download

DATA = os.urandom(1_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves DATA, as badly as it is told to."""

    ranges = True
    drop_after = None  # bytes after which a connection is dropped
    drops = 0  # how many connections are dropped
    statuses = ()  # answers given before serving anything
    say_length = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.starts = []
        self.url = f"http://127.0.0.1:{self.server_port}/some.whl"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        if server.statuses:
            status, *server.statuses = server.statuses
            self.send_response(status)
            self.end_headers()
            return
        start = 0
        if server.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        server.starts.append(start)
        if start >= len(DATA):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        if server.say_length:
            self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        body = DATA[start:]
        if server.drops:
            server.drops -= 1
            body = body[: server.drop_after]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "some.whl"


def test_fetches_and_reports_progress(server, target):
    seen = []
    download(server.url, target, SHA256, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == DATA
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))
    assert sorted(seen) == seen
    assert not target.with_suffix(".part").exists()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("kept", [1, 400_000])
def test_resumes_what_an_earlier_run_left(server, target, ranges, kept):
    server.ranges = ranges
    target.with_suffix(".part").write_bytes(DATA[:kept])
    seen = []
    download(server.url, target, SHA256, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == DATA
    assert server.starts == [kept if ranges else 0]
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_dropped_connection_is_taken_up_again(server, target):
    server.drop_after, server.drops = 150_000, 6
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA
    assert server.starts == [i * 150_000 for i in range(7)]


def test_a_drop_without_ranges_starts_over(server, target):
    server.ranges, server.drop_after, server.drops = False, 150_000, 2
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA


def test_gives_up_when_nothing_new_comes_and_keeps_what_came(server, target):
    server.ranges, server.drop_after, server.drops = False, 150_000, 100
    with pytest.raises(PullError, match=r"some\.whl cannot be downloaded .*broke off.*network"):
        download(server.url, target, SHA256)
    assert target.with_suffix(".part").read_bytes() == DATA[:150_000]
    assert not target.exists()


@pytest.mark.parametrize("left", [DATA, DATA + b"more", b"x" * len(DATA)], ids=["whole", "longer", "other"])
def test_range_not_satisfiable(server, target, left):
    target.with_suffix(".part").write_bytes(left)
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA


def test_a_passing_server_error_is_tried_again(server, target):
    server.statuses = [503, 429]
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("status", [401, 404])
def test_a_final_server_error_is_not(server, target, status):
    server.statuses = [status]
    with pytest.raises(UnreachableError, match=f"answers {status}"):
        download(server.url, target, SHA256)
    assert server.starts == []


def test_a_wrong_hash_removes_the_file(server, target):
    with pytest.raises(PullError, match="SHA-256"):
        download(server.url, target, "0" * 64)
    assert list(target.parent.iterdir()) == []


def test_a_wrong_beginning_is_found_out(server, target):
    target.with_suffix(".part").write_bytes(b"x" * 1000)
    with pytest.raises(PullError, match="pull again"):
        download(server.url, target, SHA256)
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA


def test_a_server_that_does_not_say_how_much(server, target):
    server.say_length = False
    seen = []
    download(server.url, target, SHA256, lambda done, total: seen.append(total))
    assert target.read_bytes() == DATA
    assert set(seen) == {0}


def test_nobody_there(server, target):
    url = server.url.replace(str(server.server_port), "1")
    with pytest.raises(UnreachableError, match="check the network"):
        download(url, target, SHA256)


def test_interrupting_keeps_what_came(server, target):
    def interrupt(done, total):
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, target, SHA256, interrupt)
    assert 300_000 < target.with_suffix(".part").stat().st_size < len(DATA)
    download(server.url, target, SHA256)
    assert target.read_bytes() == DATA
    assert server.starts[1] > 300_000


def test_a_full_disk_is_not_a_network_error(server, target, monkeypatch):
    target.with_suffix(".part").mkdir()
    with pytest.raises(IsADirectoryError):
        download(server.url, target, SHA256)


def test_a_file_address(tmp_path, target):
    source = tmp_path / "a wheel.whl"
    source.write_bytes(DATA)
    target.with_suffix(".part").write_bytes(DATA[:10])
    download(source.as_uri(), target, SHA256)
    assert target.read_bytes() == DATA


def test_no_other_schemes(target):
    with pytest.raises(PullError, match="only http, https and file"):
        download("ftp://127.0.0.1/some.whl", target, SHA256)


def test_trusts_the_certificates_that_pip_is_told_to_trust(tmp_path, monkeypatch):
    bundle = tmp_path / "own.pem"
    bundle.write_text("not a certificate")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    with pytest.raises(OSError, match=r"certificate|PEM|SSL"):
        module._certificates()
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    module._certificates()
