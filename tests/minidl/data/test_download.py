"""Downloads from a server on this machine that serves right, wrong, cut-off and broken answers."""

import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from minidl.data import MNIST, write_idx
from minidl.data import download as module
from minidl.data.download import cache_folder, fetch

CONTENT = bytes(range(256)) * 1000
ALTERED = b"\xff" + CONTENT[1:]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)


class Handler(BaseHTTPRequestHandler):
    """The path says how the server behaves."""

    def do_GET(self):
        self.server.requests.append(self.path)
        how = self.path.rpartition("/")[2]
        if how == "gone":
            self.send_error(404)
        elif how == "hang-up":
            pass
        elif how == "nonsense":
            self.wfile.write(b"220 mail.example ESMTP\r\n")
        else:
            self.answer(how, self.server.files.get(how, CONTENT))

    def answer(self, how, content):
        content = {"altered": ALTERED, "other-size": content[:-1]}.get(how, content)
        self.send_response(200)
        if how not in ("endless", "early-end"):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how in ("half", "early-end", "stuck"):
            self.wfile.write(content[: SIZE // 2])
        elif how == "endless":
            with suppress(OSError):  # the client hangs up, as it should
                self.wfile.write(content * 20)
        else:
            self.wfile.write(content)
        if how == "stuck":
            self.server.released.wait(10)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.files, server.released = [], {}, threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        server.url = f"http://127.0.0.1:{server.server_port}/"
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with serving() as running:
        yield running


def test_a_file_is_fetched_once(server, tmp_path):
    path = tmp_path / "deep" / "file"
    assert fetch([server.url + "right"], path, SHA256, SIZE) == path
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    fetch([server.url + "right"], path, SHA256, SIZE)
    assert server.requests == ["/right"]


def test_a_spoilt_file_is_fetched_again(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT[:-1])
    fetch([server.url + "right"], path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT


def test_the_next_mirror_is_tried_when_one_fails(server, tmp_path):
    urls = [server.url + how for how in ("gone", "half", "altered", "right", "never-asked")]
    assert fetch(urls, tmp_path / "file", SHA256, SIZE).read_bytes() == CONTENT
    assert server.requests == ["/gone", "/half", "/altered", "/right"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


ANSWERS = {
    "gone": "the server answered 404 Not Found",
    "half": f"the connection ended after {SIZE // 2} of {SIZE} bytes",
    "early-end": f"the connection ended after {SIZE // 2} of {SIZE} bytes",
    "other-size": f"the server announced {SIZE - 1} bytes, expected {SIZE}",
    "endless": f"the server sent more than the expected {SIZE} bytes",
    "altered": f"wrong checksum: SHA-256 is {hashlib.sha256(ALTERED).hexdigest()}, expected {SHA256}",
    "hang-up": f"no answer or a broken one after 0 of {SIZE} bytes (Remote end closed connection without response)",
    "nonsense": f"no answer or a broken one after 0 of {SIZE} bytes (220 mail.example ESMTP)",
    "stuck": f"no answer or a broken one after {SIZE // 2} of {SIZE} bytes (timed out)",
}


@pytest.mark.parametrize("how", ANSWERS)
def test_bad_answers(server, tmp_path, how):
    with pytest.raises(RuntimeError) as caught:
        fetch([server.url + how], tmp_path / "file", SHA256, SIZE, timeout=0.3)
    assert str(caught.value) == f"download: could not get file\n  {server.url}{how}: {ANSWERS[how]}"
    assert list(tmp_path.iterdir()) == []


def test_no_server_and_every_mirror_is_named(server, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
    with pytest.raises(RuntimeError) as caught:
        fetch([nobody, server.url + "gone"], tmp_path / "file", SHA256, SIZE)
    refused = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
    assert str(caught.value) == (
        "download: could not get file\n"
        f"  {nobody}: no answer or a broken one after 0 of {SIZE} bytes ({refused})\n"
        f"  {server.url}gone: the server answered 404 Not Found"
    )


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "occupied").write_text("a file where the folder should be")
    path = tmp_path / "occupied" / "file"
    with pytest.raises(RuntimeError) as caught:
        fetch([server.url + "right"], path, SHA256, SIZE)
    reason = os.strerror(errno.EEXIST)
    assert str(caught.value) == f"download: cannot write {path} ({reason}); set MINIDL_CACHE to another folder"


def test_a_full_disk(server, tmp_path, monkeypatch):
    def save(chunks, path):
        path.write_bytes(next(chunks))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "_save", save)
    path = tmp_path / "file"
    with pytest.raises(RuntimeError) as caught:
        fetch([server.url + "right"], path, SHA256, SIZE)
    reason = os.strerror(errno.ENOSPC)
    assert str(caught.value) == f"download: cannot write {path} ({reason}); set MINIDL_CACHE to another folder"
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_no_file(server, tmp_path, monkeypatch):
    def interrupt(name, received, size):
        assert len(list(tmp_path.iterdir())) == 1  # the temporary file is there ...
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch([server.url + "right"], tmp_path / "file", SHA256, SIZE)
    assert list(tmp_path.iterdir()) == []  # ... and gone


def test_processes_that_fetch_the_same_file_do_not_disturb_each_other(server, tmp_path):
    program = (
        "import sys; from minidl.data.download import fetch; url, path, sha256, size = sys.argv[1:]; "
        "fetch([url], path, sha256, int(size))"
    )
    arguments = [sys.executable, "-c", program, server.url + "right", str(tmp_path / "file"), SHA256, str(SIZE)]
    processes = [subprocess.Popen(arguments) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_each_download_under_way_has_a_file_of_its_own(server, tmp_path, monkeypatch):
    both, seen = threading.Barrier(2), []

    def meet(name, received, size):
        if received == size:
            both.wait(10)
            seen.append(len(list(tmp_path.iterdir())))
            both.wait(10)

    monkeypatch.setattr(module, "_show", meet)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fetch([server.url + "right"], tmp_path / "file", SHA256, SIZE), range(2)))
    assert seen == [2, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_progress_is_shown_on_a_terminal_only(capsys, monkeypatch):
    module._show("file", 1_500_000, 3_000_000)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    module._show("file", 1_500_000, 3_000_000)
    module._show("file", 3_000_000, 3_000_000)
    assert capsys.readouterr().err == "\rfile: 1.5 of 3.0 MB\rfile: 3.0 of 3.0 MB\n"


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("MINIDL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    places = {"linux": ".cache", "darwin": "Library/Caches", "win32": "AppData/Local"}
    for platform, place in places.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == tmp_path / place / "minidl"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "minidl"
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"


@pytest.fixture
def small_mnist(server, tmp_path, monkeypatch):
    """MNIST with other files: 3 training and 2 test images, on the server of the test."""
    monkeypatch.setenv("MINIDL_CACHE", str(tmp_path / "cache"))
    files = {}
    for prefix, count in (("train", 3), ("t10k", 2)):
        write_idx(tmp_path / "images.gz", np.full((count, 28, 28), count, dtype=np.uint8))
        write_idx(tmp_path / "labels.gz", np.arange(count, dtype=np.uint8))
        files[f"{prefix}-images-idx3-ubyte.gz"] = (tmp_path / "images.gz").read_bytes()
        files[f"{prefix}-labels-idx1-ubyte.gz"] = (tmp_path / "labels.gz").read_bytes()
    server.files = files
    sums = {name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()}
    monkeypatch.setattr(MNIST, "files", sums)
    monkeypatch.setattr(MNIST, "mirrors", (server.url,))
    return server


def test_mnist_is_downloaded_into_the_cache_once(small_mnist, tmp_path):
    assert len(MNIST(train=True, download=True)) == 3
    assert len(MNIST(train=False, download=True)) == 2
    assert len(MNIST(train=False)) == 2
    assert sorted(small_mnist.requests) == sorted(f"/{name}" for name in MNIST.files)
    assert {entry.name for entry in (tmp_path / "cache" / "MNIST" / "raw").iterdir()} == set(MNIST.files)


def test_mnist_is_not_downloaded_unasked(small_mnist, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        MNIST(tmp_path / "folder")
    assert str(caught.value) == (
        "MNIST: no train-images-idx3-ubyte and no train-images-idx3-ubyte.gz in "
        f"{tmp_path / 'folder' / 'MNIST' / 'raw'} or {tmp_path / 'folder'}; download=True fetches it"
    )
    assert small_mnist.requests == []
