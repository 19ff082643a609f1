"""The weights catalogue: found in order, checked, loaded without running anything, fetched whole or not at all, and drawn by formula.

Hashes and sizes are computed here from the bytes themselves; the tensors drawn by formula against tests/formula.py, written apart from the
library's, and against the frozen hashes of tests/fixtures/inputs.json.
"""

from __future__ import annotations

import ast
import hashlib
import json
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as saved

from benchmark import paths, weights
from benchmark.errors import InputError, Unscored
from benchmark.registry import WeightsEntry, registry, weights_of
from tests.formula import weight
from tests.formula import weights as formula
from tests.make import call

INPUTS = json.loads((Path(__file__).parent / "fixtures" / "inputs.json").read_text(encoding="utf-8"))
DATA = saved({"w": np.arange(2732, dtype=np.float32)})
"""A small file that parses."""
PINNED = WeightsEntry(
    name="zz-net", file="zz.bin", format="safetensors", licence="none", sha256=hashlib.sha256(DATA).hexdigest(), bytes=len(DATA)
)
UNPUBLISHED = WeightsEntry(name="zz-net", file="zz.bin", format="safetensors", licence="none")
Register = Callable[..., None]


def cached(item: WeightsEntry = PINNED) -> Path:
    return paths.cache_dir() / "weights" / item.file


def put(folder: Path, data: bytes = DATA, item: WeightsEntry = PINNED) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / item.file
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------------------------------------------- catalogue


def test_the_catalogue_is_read_entry_by_entry(tmp_path: Path) -> None:
    file = tmp_path / "weights.toml"
    file.write_text(
        '[net-a]\nfile = "a.pt"\nformat = "torch"\nlicence = "MIT"\nurls = ["http://x/a.pt"]\nbytes = 5\n[net-b]\nfile = "b"\nformat = "onnx"\nlicence = "?"\n'
    )
    found = list(weights_of(file))
    assert [item for item, _ in found] == [
        WeightsEntry(name="net-a", file="a.pt", format="torch", licence="MIT", urls=("http://x/a.pt",), bytes=5),
        WeightsEntry(name="net-b", file="b", format="onnx", licence="?"),
    ]
    assert {origin for _, origin in found} == {str(file)}


def test_a_typo_in_the_catalogue_names_the_file_and_the_key(tmp_path: Path) -> None:
    file = tmp_path / "weights.toml"
    file.write_text('[net-a]\nfile = "a.pt"\nformat = "torch"\nlicence = "MIT"\nurl = "http://x"\n')
    with pytest.raises(InputError) as error:
        list(weights_of(file))
    assert error.value.code == "unknown-key"
    assert error.value.found == "url"
    assert f"{file} [net-a]" in str(error.value)


# ------------------------------------------------------------------------------------------------------------------- locate


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder named, then BENCHMARK_WEIGHTS, then the configuration's, then the cache: each is removed in turn."""
    named, variable, configured = (tmp_path / name for name in ("named", "variable", "configured"))
    monkeypatch.setenv("BENCHMARK_WEIGHTS", str(variable))
    paths.config_file().write_text(f'weights = "{configured}"\n')
    order = [put(folder) for folder in (named, variable, configured, cached().parent)]
    for path in order:
        found = weights.locate(PINNED, named)
        assert found == weights.Located(path, PINNED.sha256 or "", "real")
        path.unlink()
    assert weights.locate(PINNED, named) is None


def test_a_file_of_another_size_is_refused() -> None:
    path = put(cached().parent, DATA[:-1])
    with pytest.raises(InputError) as error:
        weights.locate(PINNED)
    assert error.value.code == "weights-size"
    assert error.value.path == str(path)
    assert (error.value.found, error.value.expected) == (f"{len(DATA) - 1:,} bytes", f"{len(DATA):,} bytes")
    assert error.value.hint == "hvbench weights pull zz-net"


def test_a_file_of_another_hash_is_refused() -> None:
    other = b"x" * len(DATA)
    put(cached().parent, other)
    with pytest.raises(InputError) as error:
        weights.locate(PINNED)
    assert error.value.code == "weights-hash"
    assert hashlib.sha256(other).hexdigest() in str(error.value)
    assert str(PINNED.sha256) in str(error.value)


def test_an_unpublished_hash_is_recorded_at_first_use_and_then_enforced() -> None:
    path = put(cached().parent)
    first = weights.locate(UNPUBLISHED)
    assert first is not None
    assert not (cached().parent / "first-use.json").exists()  # looking is not using
    weights.adopt(UNPUBLISHED, first)
    assert first == weights.Located(path, hashlib.sha256(DATA).hexdigest(), "first-use")
    assert json.loads((cached().parent / "first-use.json").read_text()) == {"zz-net": hashlib.sha256(DATA).hexdigest()}
    assert weights.locate(UNPUBLISHED) == first
    path.write_bytes(DATA + b"!")
    with pytest.raises(InputError, match="first used on this machine") as error:
        weights.locate(UNPUBLISHED)
    assert error.value.code == "weights-hash"
    assert hashlib.sha256(DATA).hexdigest() in str(error.value.expected)
    # The record was not overwritten by the refusal.
    path.write_bytes(DATA)
    assert weights.locate(UNPUBLISHED) == first


def test_a_file_that_does_not_parse_is_not_remembered() -> None:
    """It would lock the right file out for good."""
    put(cached().parent, DATA[:-9])
    broken = weights.locate(UNPUBLISHED)
    assert broken is not None
    with pytest.raises(InputError) as error:
        weights.adopt(UNPUBLISHED, broken)
    assert error.value.code == "weights-broken"
    put(cached().parent)
    right = weights.locate(UNPUBLISHED)
    assert right is not None
    weights.adopt(UNPUBLISHED, right)
    assert json.loads((cached().parent / "first-use.json").read_text()) == {"zz-net": hashlib.sha256(DATA).hexdigest()}


# --------------------------------------------------------------------------------------------------------------------- load

SHAPES = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "bn.num_batches_tracked": ()}


def tensors_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for key in expected:
        assert found[key].dtype == expected[key].dtype
        assert np.array_equal(found[key], expected[key])


def safetensors(path: Path, shapes: dict[str, tuple[int, ...]] = SHAPES) -> Path:
    from safetensors.numpy import save_file

    save_file(formula(shapes), path)
    return path


def torch_file(path: Path, shapes: dict[str, tuple[int, ...]] = SHAPES) -> Path:
    import torch

    torch.save({key: torch.from_numpy(value) for key, value in formula(shapes).items()}, path)
    return path


@pytest.mark.parametrize(("format", "save"), [("safetensors", safetensors), ("torch", torch_file)])
def test_tensors_come_back_as_they_were_saved(format: str, save: Callable[[Path], Path], tmp_path: Path) -> None:
    item = replace(UNPUBLISHED, format=format)
    loaded = weights.load(item, weights.check(item, save(tmp_path / "zz.bin")))
    tensors_equal(loaded, formula(SHAPES))


class Payload:
    """Unpickled, it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", ["torch.save", "pickle"])
def test_a_pickle_with_code_is_refused_and_not_run(how: str, tmp_path: Path) -> None:
    import torch

    planted = tmp_path / "planted"
    bad = {"conv.weight": torch.zeros(1), "x": Payload(planted)}
    path = tmp_path / "zz.bin"
    if how == "torch.save":
        torch.save(bad, path)
    else:
        path.write_bytes(pickle.dumps(Payload(planted)))
    item = replace(UNPUBLISHED, format="torch")
    with pytest.raises(InputError) as error:
        weights.load(item, weights.check(item, path))
    assert error.value.code in ("weights-unsafe", "weights-broken")
    assert how != "torch.save" or error.value.code == "weights-unsafe"
    assert not planted.exists()
    # The payload is real: unpickled by hand it does make the file.
    if how == "pickle":
        pickle.loads(path.read_bytes())
        assert planted.exists()


@pytest.mark.parametrize(("format", "save"), [("safetensors", safetensors), ("torch", torch_file)])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_half_written_file_does_not_parse(format: str, save: Callable[[Path], Path], share: float, tmp_path: Path) -> None:
    path = save(tmp_path / "zz.bin")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    item = replace(UNPUBLISHED, format=format)
    with pytest.raises(InputError) as error:
        weights.load(item, weights.check(item, path))
    assert error.value.code in ("weights-broken", "weights-unsafe")
    assert error.value.path == str(path)


@pytest.mark.parametrize("format", ["torchscript", "onnx"])
def test_other_formats_hold_no_plain_tensors(format: str, tmp_path: Path) -> None:
    item = replace(UNPUBLISHED, format=format)
    with pytest.raises(InputError) as error:
        weights.load(item, weights.Located(put(tmp_path), "0", "real"))
    assert error.value.code == "weights-format"


def test_the_keys_of_another_network_are_named(register: Register) -> None:
    register(UNPUBLISHED)
    cached().parent.mkdir(parents=True)
    safetensors(cached())
    wanted = {"conv.weight": (4, 3, 5, 5), "conv.bias": (4,), "fc.weight": (2, 4)}
    with pytest.raises(Unscored) as reason:
        weights.state_for("zz-net", lambda: wanted, "real")
    assert reason.value.reason == "weights-unusable"
    for said in ("lacks fc.weight", "has bn.num_batches_tracked", "other shape conv.weight"):
        assert said in reason.value.detail


def test_state_for_gives_tensors_label_and_hash(register: Register) -> None:
    register(UNPUBLISHED)
    with pytest.raises(Unscored) as reason:
        weights.state_for("zz-net", lambda: SHAPES, "real")
    assert (reason.value.reason, reason.value.detail) == ("weights-missing", "hvbench weights pull zz-net")
    cached().parent.mkdir(parents=True)
    digest = hashlib.sha256(safetensors(cached()).read_bytes()).hexdigest()
    tensors, label, found = weights.state_for("zz-net", lambda: SHAPES, "real")
    tensors_equal(tensors, formula(SHAPES))
    assert (label, found) == ("first-use", digest)
    assert weights.state_for(None, None, "real") == ({}, "none", "none")


def test_seeded_weights_need_no_file_but_shapes(register: Register) -> None:
    register(PINNED)
    tensors, label, digest = weights.state_for("zz-net", lambda: SHAPES, "seeded")
    tensors_equal(tensors, formula(SHAPES))
    assert label == digest == "seeded-1"
    with pytest.raises(Unscored) as reason:
        weights.state_for("zz-net", None, "seeded")
    assert reason.value.reason == "weights-missing"


# --------------------------------------------------------------------------------------------------------------- by formula


@pytest.mark.parity
@pytest.mark.parametrize("frozen", INPUTS["weights"], ids=lambda frozen: frozen["call"])
def test_tensors_by_formula_are_the_frozen_ones(frozen: dict[str, Any]) -> None:
    expression = ast.parse(frozen["call"], mode="eval").body
    assert isinstance(expression, ast.Call)
    name, shape = (ast.literal_eval(argument) for argument in expression.args)
    tensor = weights.seeded_tensor(name, shape)
    assert tensor.dtype == frozen["dtype"]
    assert tensor.ravel()[:8].tolist() == frozen["first8"]
    assert hashlib.sha256(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()).hexdigest() == frozen["sha256_little_endian"]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a.weight", (1, 1)), ("b.weight", (7, 5)), ("c.weight", (3, 2, 1, 4, 2)), ("bn3.weight", (9,)), ("x.bn3.bias", (3,)),
        ("layer.bias", (11,)), ("n.running_mean", (6,)), ("n.running_var", (6,)), ("n.num_batches_tracked", ()), ("gamma", (2, 1)),
        ("scale", ()), ("ünïcode.weight", (2, 3)),
    ],
)  # fmt: skip
def test_tensors_by_formula_agree_with_the_tests_own(name: str, shape: tuple[int, ...]) -> None:
    ours, theirs = weights.seeded_tensor(name, shape), weight(name, shape)
    assert ours.shape == theirs.shape == shape
    assert ours.dtype == theirs.dtype
    assert ours.tobytes() == theirs.tobytes()


# --------------------------------------------------------------------------------------------------------------------- pull


class Server:
    """A small HTTP server on this machine: /good gives DATA, /missing 404, /short claims more than it sends, /wrong other bytes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bodies = {"/good": DATA, "/short": DATA[:5000], "/wrong": b"y" * len(DATA)}
        asked, bodies = self.asked, self.bodies

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append(self.path)
                body = bodies.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(DATA if self.path == "/short" else body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/{path}"

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    yield made
    made.close()


def files() -> list[str]:
    """Everything in the cache's weights folder, hidden files too."""
    return sorted(path.name for path in cached().parent.iterdir()) if cached().parent.exists() else []


def test_pull_fetches_checks_and_says_so(server: Server) -> None:
    said: list[str] = []
    item = replace(PINNED, urls=(server.url("good"),))
    found = weights.pull(item, report=said.append)
    assert found == weights.Located(cached(), str(PINNED.sha256), "real")
    assert cached().read_bytes() == DATA
    assert files() == ["zz.bin"]
    assert said == [f"pulling zz-net (0 MB, licence none) from {server.url('good')}"]
    # What is here already is not fetched again.
    assert weights.pull(item) == found
    assert server.asked == ["/good"]


def test_pull_tries_the_next_address(server: Server) -> None:
    weights.pull(replace(PINNED, urls=(server.url("missing"), server.url("wrong"), server.url("good"))))
    assert server.asked == ["/missing", "/wrong", "/good"]
    assert cached().read_bytes() == DATA
    assert files() == ["zz.bin"]


@pytest.mark.parametrize(("path", "said"), [("missing", "404"), ("wrong", "sha256"), ("short", "bytes")])
def test_a_failed_pull_leaves_nothing_behind(server: Server, path: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        weights.pull(replace(PINNED, urls=(server.url(path),)))
    assert error.value.code == "pull-failed"
    assert server.url(path) in str(error.value.found)
    assert said in str(error.value.found)
    assert "hvbench weights import" in str(error.value.hint)
    assert files() == []


def test_a_truncated_answer_is_not_taken_for_the_first_use(server: Server) -> None:
    """No hash and no size are published: only the server's own Content-Length tells that the body is cut."""
    item = replace(UNPUBLISHED, urls=(server.url("short"),))
    with pytest.raises(InputError) as error:
        weights.pull(item)
    assert error.value.code == "pull-failed"
    assert files() == []
    found = weights.pull(replace(item, urls=(server.url("good"),)))
    assert found.origin == "first-use"
    assert cached().read_bytes() == DATA


def test_a_pull_that_finds_another_file_than_at_first_use_is_refused(server: Server) -> None:
    put(cached().parent)
    first = weights.locate(UNPUBLISHED)
    assert first is not None
    weights.adopt(UNPUBLISHED, first)
    cached().unlink()
    with pytest.raises(InputError, match="first used on this machine"):
        weights.pull(replace(UNPUBLISHED, urls=(server.url("wrong"),)))
    assert files() == ["first-use.json"]


def test_pull_replaces_a_half_written_file_in_the_cache(server: Server) -> None:
    """The message about such a file says `hvbench weights pull`: so it must work."""
    put(cached().parent, DATA[:100])
    found = weights.pull(replace(PINNED, urls=(server.url("good"),)))
    assert found.path.read_bytes() == DATA
    assert files() == ["zz.bin"]


def test_a_refused_connection_fails_within_seconds() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/good"
        start = time.monotonic()
        with pytest.raises(InputError) as error:
            weights.pull(replace(PINNED, urls=(url, url)))
    assert time.monotonic() - start < 5
    assert error.value.code == "pull-failed"
    assert str(error.value.found).count(url) == 2
    assert files() == []


@pytest.mark.parametrize("offline", [True, False])
def test_offline_and_unpublished_files_are_never_asked_for(server: Server, offline: bool) -> None:
    item = replace(PINNED, urls=(server.url("good"),) if offline else ())
    with pytest.raises(InputError) as error:
        weights.pull(item, offline=offline)
    assert error.value.code == "offline"
    assert (error.value.found, error.value.expected) == ("--offline" if offline else "no public address", "zz.bin")
    assert server.asked == []
    put(cached().parent)
    assert weights.pull(item, offline=offline).path == cached()


# ------------------------------------------------------------------------------------------------------------------- import


def test_import_copies_what_the_catalogue_knows(register: Register, tmp_path: Path) -> None:
    register(PINNED)
    put(tmp_path / "from")
    (tmp_path / "from" / "readme.txt").write_text("not in the catalogue")
    assert list(weights.import_folder(tmp_path / "from")) == [(PINNED, weights.Located(cached(), str(PINNED.sha256), "real"))]
    assert files() == ["zz.bin"]
    assert cached().read_bytes() == DATA


def test_import_refuses_what_is_not_the_file(register: Register, tmp_path: Path) -> None:
    register(PINNED)
    put(tmp_path / "from", b"z" * len(DATA))
    with pytest.raises(InputError) as error:
        list(weights.import_folder(tmp_path / "from"))
    assert error.value.code == "weights-hash"
    assert files() == []


def test_import_names_an_absent_folder_or_file(register: Register, tmp_path: Path) -> None:
    register(PINNED)
    with pytest.raises(InputError) as error:
        list(weights.import_folder(tmp_path / "none"))
    assert (error.value.code, error.value.path) == ("absent", str(tmp_path / "none"))
    with pytest.raises(InputError) as error:
        list(weights.import_folder(tmp_path, ("zz-net",)))
    assert (error.value.code, error.value.expected) == ("absent", "zz.bin")


# --------------------------------------------------------------------------------------------------------- the command line


def test_the_weights_verbs(server: Server, register: Register, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    register(replace(PINNED, urls=(server.url("good"),)))
    told = call(capfd, "weights", "ls")
    line = next(line for line in told.out.splitlines() if line.startswith("zz-net "))
    assert told.code == 0
    assert "not here; 0 MB; licence none; for no registered metric yet" in line
    assert {line.split()[0] for line in told.out.splitlines()} == set(registry().weights)
    assert call(capfd, "weights", "verify", "zz-net").code == 2
    assert server.asked == []

    told = call(capfd, "weights", "pull", "zz-net")
    assert told.code == 0
    assert told.out == f"zz-net: {cached()} (real, sha256 {PINNED.sha256})\n"
    assert server.url("good") in told.err
    assert call(capfd, "weights", "verify", "zz-net").out == f"zz-net: {cached()} (real)\n"
    assert "here (real)" in next(line for line in call(capfd, "weights", "ls").out.splitlines() if line.startswith("zz-net "))

    cached().write_bytes(b"z" * len(DATA))
    told = call(capfd, "weights", "verify", "zz-net")
    assert told.code == 2
    assert str(PINNED.sha256) in told.err

    cached().unlink()
    put(tmp_path / "from")
    told = call(capfd, "weights", "import", tmp_path / "from")
    assert (told.code, told.out) == (0, f"zz-net: {cached()} (real)\n")
    told = call(capfd, "weights", "import", tmp_path)
    assert told.code == 2
    assert "holds no file of the catalogue" in told.err


def test_a_failing_pull_goes_on_with_the_next_and_is_told(server: Server, register: Register, capfd: pytest.CaptureFixture[str]) -> None:
    register(replace(PINNED, urls=(server.url("missing"),)), replace(PINNED, name="zz-other", file="other.bin", urls=(server.url("good"),)))
    told = call(capfd, "weights", "pull", "zz-net", "zz-other")
    assert told.code == 2
    assert "zz-net could not be fetched" in told.err
    assert "404" in told.err
    assert told.out.startswith("zz-other: ")
    assert files() == ["other.bin"]
    told = call(capfd, "weights", "pull", "no-such")
    assert told.code == 2
    assert "zz-net" in told.err


def test_run_pulls_only_when_told_to(server: Server, register: Register, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without --pull the row is unscored and nobody is asked; --offline forbids it; with --pull the same command scores, once for all."""
    from benchmark.model import Extractor, Metric, SetVariant
    from tests.make import row, study

    file = safetensors(tmp_path / "net.safetensors", {"shift.bias": (3,)})
    server.bodies["/net"] = file.read_bytes()
    bias = weight("shift.bias", (3,))
    net = Extractor(
        id="zz-shift", version=1, summary="corner colour plus a bias", source="here", dimension=3, batch=4, weights="zz-net",
        preprocess=lambda frames: frames[:, 0, 0].astype(np.float32), shapes=lambda: {"shift.bias": (3,)},
        build=lambda state, device: lambda batch: batch + state["shift.bias"],
    )  # fmt: skip
    far = SetVariant(
        id="far", summary="first feature of the first row", source="here", extractor="zz-shift", distance=lambda x, y: float(x[0, 0])
    )
    item = replace(UNPUBLISHED, urls=(server.url("net"),))
    register(item, net, Metric(name="zz", title="Z", higher_is_better=None, variants=(far,)))
    made = study(tmp_path / "clips", ("a",), ("one",))
    words = ["run", *made.words, "--metric", "zz@far", "--out", tmp_path / "run"]
    assert call(capfd, *words).code == 3
    assert call(capfd, *words, "--pull", "--offline").code == 3
    assert server.asked == []
    told = call(capfd, *words, "--pull")
    assert told.code == 0, told.err
    assert f"pulling zz-net (size unknown, licence none) from {server.url('net')}" in told.err
    assert server.asked == ["/net"]
    from benchmark.media import decode, probe

    first = next(iter(decode(probe(made.root / "a" / "one.mkv"))))[0, 0, 0, 0]
    found = row(tmp_path / "run", "a", "zz@far")
    assert (found["value"], found["weights"]) == (float(np.float32(first) + bias[0]), "first-use")
    assert call(capfd, *words, "--pull").code == 0
    assert server.asked == ["/net"]
