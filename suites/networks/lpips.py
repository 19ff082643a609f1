"""The four networks of LPIPS. Their rows are as long as the picture asks, serve one comparison and are never stored."""

from __future__ import annotations

from functools import partial

from benchmark.model import Extractor
from suites.networks import _lpips
from suites.networks._lpips import ALEX, VGG, Trunk


def _extractor(id: str, trunk: Trunk, *, signed: bool = True, spatial: bool = False) -> Extractor:
    network = {"alex": "AlexNet", "vgg": "VGG16"}[trunk.name]
    mean = "bilinearly upsampled to the picture's size" if spatial else "as large as each tap"
    return Extractor(
        id=id,
        version=1,
        summary=f"{network} on {'[-1, 1]' if signed else '[0, 1]'}: five taps, of unit length over channels, times the square root of the linear "
        f"head's weight and of the place's share in the mean of maps {mean}; {sum(trunk.channels)} channels, a row of each place",
        source="lpips 0.1.4 (version 0.1), torchvision's network",
        dimension=sum(trunk.channels),
        batch=4 if trunk is ALEX else 1,
        preprocess=partial(_lpips.large_enough, trunk=trunk),
        build=partial(_lpips.build, trunk=trunk, signed=signed, spatial=spatial),
        weights={"alex": "alexnet-imagenet", "vgg": "vgg16-imagenet"}[trunk.name],
        shapes=partial(_lpips.shapes, trunk),
        rename=_lpips.without_classifier,
        store=False,
    )


SPEC = (
    _extractor("lpips-alex", ALEX),
    _extractor("lpips-alex-spatial", ALEX, spatial=True),
    _extractor("lpips-vgg", VGG),
    _extractor("lpips-vgg-01", VGG, signed=False),
)
