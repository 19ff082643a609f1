"""What the judges' metrics share: a probability that the answer is the positive one."""

from __future__ import annotations

import numpy as np

from benchmark.errors import Unscored
from benchmark.model import Metric
from benchmark.rows import ClipVariant, Found

_OURS = (
    "the questions, two pictures a second and the score (softmax over two answers) are this project's: FantasyTalking2 publishes neither weights nor "
    "words nor scale of its Talking-Critic"
)


def probability(found: Found) -> float:
    """Row (positive logit, negative logit) -> probability of the positive answer among the two, in float64."""
    positive, negative = found.generated[0].astype(np.float64)
    return float(1 / (1 + np.exp(negative - positive)))


def stated(found: Found) -> float:
    """A judge's own number, which must lie on 0..1."""
    value = float(found.generated[0, 0])
    if not 0 <= value <= 1:
        raise Unscored("out-of-range", f"the judge says {value:g}, expected 0..1")
    return value


def metric(about: str, title: str, what: str) -> Metric:
    """The metric of one question. about: motion, sync or quality."""
    heard = "with the sound" if about == "sync" else "without sound"
    return Metric(
        name=f"judge-{about}",
        title=title,
        higher_is_better=True,
        decimals=3,
        variants=(
            ClipVariant(
                id="qwen-omni",
                extractor=f"qwen-omni-{about}",
                score=probability,
                summary=f"probability of yes against no, {what}, by a Qwen2.5-Omni checkpoint with a LoRA or without; two pictures a second in one prompt, "
                f"{heard}; mean over clips",
                source="the idea: FantasyTalking2 (arXiv:2508.11255), a Qwen2.5-Omni with a LoRA as judge; Qwen2.5-Omni (arXiv:2503.20215)",
                deviation=f"{_OURS}; no real checkpoint was run by this project",
            ),
            ClipVariant(
                id="own",
                extractor=f"judge-{about}",
                score=stated,
                summary=f"what a judge of your own says on 0..1, {what}; two pictures a second, {heard}; mean over clips; "
                "the program and its files are in the record",
                source="docs/judges.md",
                deviation="means what the judge's program means; compare only where the weights label is the same",
            ),
        ),
    )
