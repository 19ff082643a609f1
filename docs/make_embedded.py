"""Draw the made suites, write the hashes of their frames to `suites/embedded/hashes.toml`, and a contact sheet for the docs.

`python docs/make_embedded.py` takes some minutes. Only a change that is meant to change the pictures may change the hashes, and it raises the
maker's version. `--check` draws nothing that is there and exits 1 where this machine's frames differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from benchmark import made, paths
from benchmark.media import decode, probe
from benchmark.registry import registry
from suites.embedded._hashes import FILE

MAKERS = ("tiktok", "hand-bench", "talking", "ubc-fashion")
SHEET = Path(__file__).with_name("figures") / "people.jpg"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw the made suites.")
    parser.add_argument("--check", action="store_true", help="only compare with the published hashes")
    options = parser.parse_args()
    lines = ["# sha256 of the frames of every made clip (benchmark.made.frames_sha256), written by docs/make_embedded.py.", ""]
    rows, wrong = [], 0
    for name in MAKERS:
        maker = registry().makers[name].item
        folder = paths.cache_dir() / "suites" / f"{maker.id}-{maker.version}"
        start = time.perf_counter()
        cases = maker.build(folder)
        hashes = made.found(folder, cases)
        print(f"{name}: {len(cases)} clips in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        published = maker.expected() if maker.expected else {}
        for case, digest in hashes.items():
            if published.get(case) != digest:
                wrong += 1
                print(f"{name} {case}: {digest[:12]}, published {published.get(case, 'nothing')[:12]}")
        lines += [f"[{maker.id}-{maker.version}]", *(f'"{case}" = "{digest}"' for case, digest in hashes.items()), ""]
        pictures = []
        for case in cases[:8]:
            assert case.truth is not None
            frames = np.concatenate(list(decode(probe(case.truth.path))))
            pictures.append(cv2.resize(frames[len(frames) // 3], (160, 160), interpolation=cv2.INTER_AREA))
        rows.append(np.concatenate(pictures, axis=1))
    if options.check:
        return int(wrong > 0)
    FILE.write_text("\n".join(lines), encoding="utf-8")
    SHEET.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(SHEET), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
