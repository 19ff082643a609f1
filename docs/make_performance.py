"""Write docs/performance.md from the timed tests.

`python docs/make_performance.py` runs them (about a quarter of an hour on two quiet cores) and writes the page; `--json FILE` takes what
`python -m pytest -m speed tests/benchmarks --benchmark-json=FILE` has measured already. `--check` measures nothing: it exits 1 when the
page does not list exactly the timed tests there are.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).with_name("performance.md")
PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "av",
    "pillow",
    "pyarrow",
    "scikit-image",
    "scipy",
    "pytorch-fid",
    "lpips",
    "torch",
    "onnxruntime",
)
BARS: dict[str, tuple[str, str, str]] = {
    "test_table_against_the_usual_chain": (
        "six frame metrics of 20 pairs of 48 frames at 256x256 from mp4, whole process, against PNG files and scikit-image loops",
        "x",
        "our side: two thirds SSIM (Gaussian filters in float64), a fifth decoding, a tenth start-up; "
        "the chain: 70 % scikit-image, 20 % writing and reading PNG files",
    ),
    "test_pass_against_bare_work": (
        "the pass over three methods and their truth against decoding, resizing and scoring by hand, processor time",
        "x",
        "the work itself; around it chunks are handed over by threads and frames of a chunk are stacked",
    ),
    "test_second_method_shares_the_truth": (
        "a second method in the same run, processor time against the first",
        "x",
        "scoring and the method's own decoding and resizing; only the truth's part is saved",
    ),
    "test_pass_speed.test_many_clips": (
        "what one of 400 short clips costs beyond decoding and scoring, processor time",
        " ms",
        "two containers opened twice, threads, two hashes remembered, one Parquet file and one journal line",
    ),
    "test_finished_run_again": (
        "a finished run of 20 pairs typed again, whole process",
        " s",
        "imports; then reading 40 remembered hashes",
    ),
    "test_table_against_peers": (
        "FID, FVD on DisCo's windows, LPIPS, SSIM, PSNR, L1 of 4 pairs of 24 frames at 256x256, same seeded weights, whole process, against "
        "pytorch-fid, lpips, scikit-image and DisCo's reading of windows",
        "x",
        "our side: the networks' forwards, of which I3D's are two thirds; the chain: the same, a sixth more slowly, SciPy's matrix root, and 16 "
        "readings of every frame",
    ),
    "test_second_method_shares_the_truths_features": (
        "a second method through LPIPS and Inception in the same run, processor time against the first",
        "x",
        "the method's own forwards; the truth's are there",
    ),
    "test_lpips_against_the_package": (
        "`lpips@{words} frames against the package's own module",
        "x",
        "convolutions; the row of each picture is made once, not once a pair",
    ),
    "test_onnxruntime_on_inception": (
        "Inception by `--backend onnxruntime` against pytorch-fid's own module in torch",
        "x",
        "convolutions, with batch normalisation folded into them",
    ),
    "test_a_frame": (
        "a drawn frame of 256x256 with all that is known of it, one core",
        " s",
        "two thirds the picture at 512x512: the room, the visible surface of 17,800 triangles, light and shadow",
    ),
    "test_one_pass_of_a_network": (
        "three drawn clips of 24 frames at 256x256 through {words} with every metric that rests on it, a whole run, against decoding and bare forwards",
        "x",
        "the network or the flow; a further metric on the same rows costs nothing that can be measured",
    ),
    "test_a_second_look": (
        "two drawn speakers of 60 frames at 256x256 through MediaPipe's faces and {words} with every metric that rests on it, a whole run, against decoding "
        "and bare forwards",
        "x",
        "the network on followed faces; frames are read once more, from memory where the clip is short",
    ),
    "test_a_pair_of_frames": (
        "SAM ViT-B's mask of a frame of 512x512 and RAFT-large's flow to the next, weights by formula, against the bare networks",
        "x",
        "SAM's image encoder; a person's mask and a pair's flow are computed once",
    ),
    "test_around_the_steps": (
        "20 steps of a tiny pipeline ({words}), every evaluation counted and timed, against the pipeline's bare call",
        "x",
        "the pipeline's own steps and its decoder; what is armed between two steps is a few assignments",
    ),
    "test_starts_quickly": ("{words}, whole process", " s", "the interpreter, numpy, the registry"),
    "test_tables_of_thirty_million_values": (
        "{words} of a record of 20 methods, 1,000 clips, 15 variants and 30 million values by frame, against parsing its journal, processor time",
        "x",
        "parsing the journal (49 MB); of `compare` 100,000 sign patterns of 1,000 clips, drawn once for all variants and pairs",
    ),
    "test_page_of_thirty_million_values": (
        "`report --html RUN` of such a record, without videos, against parsing its journal, processor time",
        "x",
        "values.parquet read once (235 MB) and 1,000 scripts written (165 MB)",
    ),
    "test_memory.test_many_clips": (
        "peak memory of 400 clips against 40",
        "x",
        "the journal read back for the scores (16 KB a clip); the pass holds a few chunks",
    ),
    "test_long_clip_through_networks": (
        "peak memory of FID and LPIPS over a long clip against one of 60 frames ({words})",
        "x",
        "the networks and one batch of each; features go to the disk",
    ),
    "test_long_clip": (
        "peak memory of a clip of 3,000 frames against 300 ({words})",
        "x",
        "per-frame values and times; the pass holds a few chunks",
    ),
    "test_faster_than_pytorch_fid": (
        "Frechet distance at d = 2048 against np.cov and pytorch-fid ({words} rows)",
        "x",
        "singular values of n x n (few rows), Cholesky factors and eigenvalues of d x d (many rows)",
    ),
    "test_ssim": ("ssim@{words} pixels, one frame, against scikit-image", "x", "OpenCV's filters and the arithmetic after them"),
}
"""What is timed, the unit of its figure, and what bounds it, by test function (with its module where the name is used twice)."""

Row = tuple[str, str, str, str, str]


def functions() -> set[str]:
    """`module.function` of every timed test there is."""
    found = set()
    # What needs an accelerator is on no page that a machine without one makes.
    for file in sorted(set((ROOT / "tests" / "benchmarks").glob("test_*.py")) - set((ROOT / "tests" / "benchmarks").glob("test_gpu_*.py"))):
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE):
            found.add(f"{file.stem}.{name}")
    return found


def entry(function: str) -> str:
    """The key of BARS for `module.function`."""
    return function if function in BARS else function.partition(".")[2]


def row(result: Mapping[str, Any]) -> Row:
    """(test, what, bar, measured, what bounds it) of one of pytest-benchmark's results."""
    module, _, name = result["fullname"].rpartition("::")
    function = f"{Path(module).stem}.{name.partition('[')[0]}"
    what, unit, bounds = BARS[entry(function)]
    words = (result["param"] or "").replace("-", " ")
    if entry(function) in ("test_starts_quickly", "test_tables_of_thirty_million_values"):
        words = f"`{result['params']['words']}`"
    elif entry(function) == "test_ssim":
        words = f"{result['params']['id']}` at {result['params']['size']}"
        what = what.replace("ssim@", "`ssim@", 1)
    elif entry(function) == "test_lpips_against_the_package":
        words = f"{result['params']['name']}` of {result['params']['frames']}"
    elif entry(function) == "test_faster_than_pytorch_fid":
        words = f"{result['params']['n']}"
    info, params = result["extra_info"], result["params"] or {}
    bar, ratio = info.get("bar", params.get("factor")), info.get("ratio", info.get("times_faster_than_scikit_image"))
    told = bar if isinstance(bar, str) else f">= {bar:g}"
    return f"{Path(module).stem}::{name}", what.format(words=words), told, f"{ratio}{unit}", bounds


def page(data: Mapping[str, Any]) -> str:
    """The page for what pytest-benchmark has written."""
    rows = sorted((row(result) for result in data["benchmarks"]), key=lambda r: (list(BARS).index(_key(r[0])), r[0]))
    machine = data["machine_info"]
    cpu = machine["cpu"]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES if _installed(name))
    facts = {_key(f"{Path(r['fullname'].rpartition('::')[0]).stem}::{r['name']}"): r["extra_info"] for r in data["benchmarks"]}
    table = "\n".join(
        "| " + " | ".join(cells) + " |"
        for cells in [("what", "bar", "measured", "what bounds it"), ("---",) * 4, *((r[1], r[2], r[3], r[4]) for r in rows)]
    )
    tests = "\n".join(f"- `{name}`" for name, *_ in rows)
    bare = facts.get("test_pass_against_bare_work", {})
    more = (
        f"On the wall clock the pass took {bare['wall_one_thread']} times the bare work with one scoring thread and {bare['wall_two_threads']} times "
        "with two: decoding runs beside scoring in any case, and a second thread helps only where a core is free.\n\n"
        if bare
        else ""
    )
    return f"""# Performance: what is timed, and what it must hold

Made by `python docs/make_performance.py` from the timed tests (`python -m pytest -m speed tests/benchmarks`); do not edit. Every figure is
a ratio of two sides measured in turn in one run, or a median of whole processes started anew; a test fails where its bar is missed.

Machine: {cpu.get("brand_raw", "unknown processor")}, {cpu.get("count", "?")} cores, {machine.get("system", "")} {machine.get("machine", "")}, \
Python {machine.get("python_version", platform.python_version())}; {versions}. Other programs may have run beside.

{table}

{more}The usual chain is `tests/benchmarks/chain.py`: every mp4 to PNG files by OpenCV, then `structural_similarity` (Gaussian on colour, 7x7 on
grey), PSNR and L1 over pairs of PNG files. It reads each pair once for all metrics, and OpenCV writes PNG files about eight times faster than
ffmpeg at its defaults; our side computes the same six values, and writes the record. The values agree within 1e-6 once the chain decodes
with the same pixels.

## The tests

{tests}
"""


def _key(test: str) -> str:
    return entry(test.partition("[")[0].replace("::", "."))


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def listed(text: str) -> set[str]:
    """`module.function` of every test the page names."""
    return {name.replace("::", ".") for name in re.findall(r"^- `(test_\w+::test_\w+)", text, re.MULTILINE)}


def measure() -> Mapping[str, Any]:
    """Run the timed tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.json"
        words: Sequence[str] = ("-m", "pytest", "-m", "speed", "tests/benchmarks", f"--benchmark-json={file}")
        if subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode:
            sys.exit("a bar is missed: the page is left as it is")
        loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return loaded


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write docs/performance.md.")
    parser.add_argument("--json", type=Path, nargs="+", metavar="FILE", help="what pytest-benchmark has written already")
    parser.add_argument("--check", action="store_true", help="only compare the page with the tests there are; exit 1 where they differ")
    options = parser.parse_args()
    if options.check:
        there, told = functions(), listed(PAGE.read_text(encoding="utf-8")) if PAGE.is_file() else set()
        for name in sorted(there ^ told):
            print(f"{name}: {'not on the page' if name in there else 'no such test'}; run python docs/make_performance.py")
        return int(there != told)
    files = [json.loads(file.read_text(encoding="utf-8")) for file in options.json or ()]
    data = {**files[0], "benchmarks": [b for file in files for b in file["benchmarks"]]} if files else measure()
    missing = functions() - {f"{Path(b['fullname'].partition('::')[0]).stem}.{b['name'].partition('[')[0]}" for b in data["benchmarks"]}
    if missing:
        print(f"not measured: {', '.join(sorted(missing))}", file=sys.stderr)
        return 1
    text = page(data)
    temporary = PAGE.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
