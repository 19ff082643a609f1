"""The peers' chain that the network table is timed against, on the same seeded weights.

`python -m tests.benchmarks.network_chain TRUTH GENERATED WORK OUT.json` does what people type today: every video to PNG files; pytorch-fid
over the two trees (its own network, its batch of 50, its matrix root); the lpips package, scikit-image's SSIM, PSNR and L1 over pairs of PNG
files; and FVD as DisCo's scripts do it, every stride-1 window of 16 read from its PNG files, resized and forwarded by itself. I3D is ours on
both sides. The chain decodes as this package does, so that values can be compared, and gets the faster choice where there is one: pairs go
through lpips four at a time, PNG files are written at level 1. The seconds inside network forwards are told apart.

`python -m tests.benchmarks.network_chain --bare TRUTH GENERATED OUT.json` only decodes, and runs this package's forwards on inputs made
beforehand: what no harness can avoid.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.chain import to_png

WINDOW, BATCH, PAIRS_AT_ONCE = 16, 50, 4
METRICS = ("fid@tf", "lpips@alex", "fvd@disco-frames", "ssim@gaussian", "psnr@float", "l1@unit")
EXTRACTORS = ("inception-tf", "lpips-alex", "i3d-disco-windows")
SPENT = {"forward": 0.0}


def timed(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, its seconds added to those of forwards."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **named)
        finally:
            SPENT["forward"] += time.perf_counter() - start

    return wrapped


def tensors(extractor: str) -> dict[str, Any]:
    """The extractor's tensors by formula."""
    from benchmark.registry import registry
    from benchmark.weights import state_for

    item = registry().extractors[extractor].item
    return dict(state_for(item.weights, item.shapes, "seeded")[0])


def inception() -> Any:
    """pytorch-fid's own module; in place of its download it is given those tensors."""
    import torch
    from pytorch_fid import inception as theirs

    from benchmark.weights import seeded_tensor

    state = {**tensors("inception-tf"), "fc.weight": seeded_tensor("fc.weight", (1008, 2048)), "fc.bias": seeded_tensor("fc.bias", (1008,))}
    theirs.load_state_dict_from_url = lambda *_, **__: {name: torch.from_numpy(value) for name, value in state.items()}
    return theirs.InceptionV3([3]).eval()


def lpips_module(name: str = "alex") -> Any:
    """lpips' own module, its trunk filled with the tensors by formula."""
    import lpips
    import torch

    state = tensors(f"lpips-{name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = lpips.LPIPS(net=name, pnet_rand=True, verbose=False).eval()
    for key, parameter in made.net.named_parameters():
        _, index, kind = key.split(".")
        parameter.data = torch.from_numpy(state[f"features.{index}.{kind}"])
    return made


def frechet(x: NDArray[Any], y: NDArray[Any]) -> float:
    """np.cov and pytorch-fid's distance, as its script does."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    moments = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in (x.astype(np.float64), y.astype(np.float64))]
    return float(calculate_frechet_distance(*moments[0], *moments[1]))


def fid(generated: Path, truth: Path) -> float:
    """pytorch-fid over all PNG files of both trees, with its own loader in this process."""
    from pytorch_fid.fid_score import get_activations

    network = inception()
    network.forward = timed(network.forward)
    sides = [get_activations(sorted(map(str, folder.glob("*/*.png"))), network, BATCH, 2048, "cpu", 0) for folder in (generated, truth)]
    return frechet(*sides)


def read(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3) RGB."""
    return cast("NDArray[np.uint8]", cv2.imread(str(path))[..., ::-1])


def lpips(generated: Path, truth: Path) -> float:
    """Mean over pairs."""
    import torch

    network = timed(lpips_module())
    files = sorted(truth.glob("*/*.png"))
    found = []
    for start in range(0, len(files), PAIRS_AT_ONCE):
        some = files[start : start + PAIRS_AT_ONCE]
        sides = [
            torch.from_numpy(np.stack([read(folder / file.relative_to(truth)) for file in some])).permute(0, 3, 1, 2).float() / 127.5 - 1
            for folder in (generated, truth)
        ]
        with torch.inference_mode():
            found.append(network(*(side.contiguous() for side in sides)).flatten().numpy())
    return float(np.concatenate(found).astype(np.float64).mean())


def fvd(generated: Path, truth: Path) -> float:
    """DisCo's: every window of 16 frames of every clip, from its files."""
    from benchmark.loading import forward
    from benchmark.registry import registry

    network = timed(forward("i3d-disco-windows", "seeded", None, "cpu"))
    preprocess = registry().extractors["i3d-disco-windows"].item.preprocess

    def rows(folder: Path) -> Iterator[NDArray[np.float32]]:
        for clip in sorted(folder.iterdir()):
            files = sorted(clip.glob("*.png"))
            for start in range(len(files) - WINDOW + 1):
                yield network(preprocess(np.stack([read(file) for file in files[start : start + WINDOW]]))[None])

    return frechet(*(np.concatenate(list(rows(folder))) for folder in (generated, truth)))


def frame_metrics(generated: Path, truth: Path) -> dict[str, float]:
    """Means over pairs of PNG files."""
    from skimage.metrics import structural_similarity

    rows = []
    for file in sorted(truth.glob("*/*.png")):
        x, y = read(generated / file.relative_to(truth)), read(file)
        difference = x.astype(np.float64) - y
        settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        rows.append(
            (
                structural_similarity(x, y, channel_axis=-1, **settings),
                20 * np.log10(255 / np.sqrt(np.mean(difference**2))),
                np.mean(np.abs(difference)) / 255,
            )
        )
    return dict(zip(("ssim@gaussian", "psnr@float", "l1@unit"), map(float, np.mean(rows, axis=0)), strict=True))


def bare(sides: tuple[Path, Path]) -> dict[str, float]:
    """Seconds of decoding every clip once, and of this package's forwards on all their inputs."""
    from benchmark.features import Node
    from benchmark.loading import forward
    from benchmark.media import decode, probe
    from benchmark.registry import registry

    start = time.perf_counter()
    clips = [np.concatenate(list(decode(probe(file)))) for folder in sides for file in sorted(folder.glob("*.mp4"))]
    spent = {"decode": time.perf_counter() - start}
    for name in EXTRACTORS:
        network = timed(forward(name, "seeded", None, "cpu"))
        for clip in clips:
            node = Node(registry().extractors[name].item, network, [])
            node.push(clip)
            node.finish()
    return {**spent, **SPENT}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="The peers' chain.")
    parser.add_argument("truth", type=Path)
    parser.add_argument("generated", type=Path)
    parser.add_argument("work", type=Path, nargs="?")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bare", action="store_true", help="decode and this package's forwards only")
    options = parser.parse_args()
    from benchmark import machine

    if options.bare:
        options.out.write_text(json.dumps(bare((options.truth, options.generated))))
        return
    truth, generated = options.work / "truth", options.work / "generated"
    to_png(options.truth, truth, same_pixels=True)
    to_png(options.generated, generated, same_pixels=True)
    import torch

    torch.set_num_threads(machine.THREADS)
    found = {"fid@tf": fid(generated, truth), "lpips@alex": lpips(generated, truth), "fvd@disco-frames": fvd(generated, truth)}
    found |= frame_metrics(generated, truth)
    options.out.write_text(json.dumps({"values": found, "seconds": SPENT}))


if __name__ == "__main__":
    main()
