"""FID: Frechet distance of Inception features of single frames."""

from __future__ import annotations

from benchmark.model import Metric
from benchmark.statistics import frechet_distance
from suites.metrics._pictures import ROUNDING, mobilenet, variants

_ROOT = "the original takes a matrix root by SciPy, which is off by 1e-6 relative for few pictures"

SPEC = Metric(
    name="fid",
    title="FID",
    higher_is_better=False,
    decimals=2,
    variants=(
        *variants(
            frechet_distance,
            "Frechet distance, covariances / (n - 1),",
            {
                "tf": "Heusel et al. 2017, arXiv:1706.08500; mseitzer/pytorch-fid@b9c1811 src/pytorch_fid/fid_score.py",
                "clean": "Parmar et al. 2022, arXiv:2104.11222; GaParmar/clean-fid@e88c4d6 cleanfid/fid.py (mode clean)",
                "torchmetrics": "torchmetrics 1.9.0 src/torchmetrics/image/fid.py FrechetInceptionDistance(antialias=True)",
                "tf1": "toshas/torch-fidelity@5e211a9 torch_fidelity/metric_fid.py",
            },
            {
                "tf": f"{ROUNDING}; {_ROOT}",
                "clean": f"{ROUNDING}; pytorch-fid's weights stand in for clean-fid's TorchScript file, which holds the same network; {_ROOT}",
                "torchmetrics": f"{ROUNDING}; the original adds moments over batches and takes roots of eigenvalues",
                "tf1": f"{ROUNDING}; {_ROOT}",
            },
        ),
        mobilenet(frechet_distance, "Frechet distance, covariances / (n - 1),"),
    ),
)
