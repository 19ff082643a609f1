"""Q-Align: five logits a picture, or a clip, from a language model that is asked for a grade. It runs in a Python of the user's choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmark.model import Frames
from benchmark.workers import Option, Worker, WorkerExtractor
from suites.metrics._frames import levels
from suites.people import _qalign
from suites.people._qalign import Medium, Wording

_NAMED: tuple[tuple[str, Wording, str], ...] = (
    ("quality", "pyiqa", "quality"),
    ("quality-hub", "model", "quality"),
    ("aesthetics", "pyiqa", "aesthetics"),
    ("aesthetics-hub", "model", "aesthetics"),
    ("aesthetic", "pyiqa", "aesthetic"),
)
_MEDIA: tuple[tuple[str, Medium], ...] = (("", "image"), ("-video", "video"))
ASKED: dict[str, tuple[Wording, str, Medium]] = {
    f"qalign-{name}{suffix}": (wording, task, medium) for name, wording, task in _NAMED for suffix, medium in _MEDIA
}
"""{extractor: (wording, task, medium)}. pyiqa asks in the scorers' words wherever the scorers ask anything."""

TERMS = """Q-Align's repository (github.com/Q-Future/Q-Align) is under the S-Lab License 1.0: redistribution and use for non-commercial purposes only.
Its checkpoint q-future/one-align carries the tag mit on its hub page; which of the two governs the weights is not settled there.
IQA-PyTorch (pyiqa), whose copy of the model repeats the scorers' words, is under the PolyForm Noncommercial License 1.0.0.
This project ships neither code nor weights of them. Accepting means: you have read those licences and your use is within them."""


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255 -> (n, 3, 448, 448) float32: square, bicubic, CLIP's mean and std (suites/people/_qalign.py)."""
    return _qalign.preprocess(levels(frames))


def seconds(count: int, fps: float) -> Sequence[int]:
    """Numbers of the frames that a clip is judged by: the first of every whole second."""
    return _qalign.sampled(count, fps)


WORKER = Worker(
    id="q-align",
    title="Q-Align / OneAlign (mPLUG-Owl2 7B)",
    program=Path(__file__).resolve().parent.parent / "workers" / "qalign_worker.py",
    options=(
        Option(flag="qalign-python", key="python", kind="python", help="which Python runs Q-Align (default: this one)"),
        Option(
            flag="qalign-model",
            key="model",
            kind="folder",
            help="folder of a checkpoint, for instance of one-align; nothing is fetched",
        ),
        Option(flag="qalign-code", key="code", kind="code", help="a clone of Q-Future/Q-Align, whose code runs the checkpoint"),
        Option(flag="qalign-trust-model-code", key="trust", kind="yes", help="run the Python files that lie in the checkpoint's folder"),
    ),
    needed=("model",),
    settings={"words": _qalign.LEVELS, "side": _qalign.SIDE, "mean": _qalign.MEAN, "std": _qalign.STD},
    packages=("numpy", "torch", "transformers", "tokenizers", "sentencepiece", "accelerate", "safetensors"),
    licence="S-Lab License 1.0 (non-commercial); checkpoint tagged mit",
    terms=TERMS,
    answer=3600.0,  # 7B on a CPU, all pictures of a clip in one prompt
    source="Wu et al. 2023, arXiv:2312.17090; Q-Future/Q-Align@14dfdff",
)


def _extractor(id: str, wording: Wording, task: str, medium: Medium) -> WorkerExtractor:
    return WorkerExtractor(
        id=id,
        version=1,
        worker=WORKER.id,
        ask={"prompt": _qalign.prompt(wording, task, medium), "medium": medium},
        summary="logits of excellent, good, fair, poor, bad at the last position; "
        + ("one picture a second" if medium == "image" else "all pictures, one a second, in one prompt")
        + ", made square, bicubic to 448x448",
        source="Q-Future/Q-Align@14dfdff q_align/evaluate/scorer.py, q_align/model/modeling_mplug_owl2.py; chaofengc/IQA-PyTorch@01ae427",
        dimension=len(_qalign.LEVELS),
        batch=1,
        window=1 if medium == "image" else 0,
        sample=seconds,
        preprocess=preprocess,
    )


SPEC = (WORKER, *(_extractor(id, *asked) for id, asked in ASKED.items()))
