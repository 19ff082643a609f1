"""Judges: a model that sees a clip, and hears it where it is asked about sound, and is asked one question. It runs in a Python of the user's choice."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data import load_toml
from benchmark.model import Frames
from benchmark.rows import thinned
from benchmark.workers import Option, Worker, WorkerExtractor
from suites.metrics._frames import levels
from suites.people._qalign import MEAN, STD

WORKERS = Path(__file__).resolve().parent.parent / "workers"
ASKED = load_toml(WORKERS / "judge.toml")
"""Questions as data: template, rate, answers, and a table for each thing asked about."""
ABOUT = ("motion", "sync", "quality")
RATE = float(ASKED["rate"])
SIDE, LEAST, MOST = 28, 128 * 28 * 28, 768 * 28 * 28
"""Both sides are multiples of 28 pixels (2 x 2 patches of 14); fewest and most pixels of a picture: Qwen2.5-Omni's own for videos."""


def fitting(height: int, width: int) -> tuple[int, int]:
    """(height, width) nearest to a picture's own, in multiples of `SIDE`, with `LEAST` to `MOST` pixels: smart_resize of transformers'
    video_processing_qwen2_vl.py."""
    tall, wide = round(height / SIDE) * SIDE, round(width / SIDE) * SIDE
    if tall * wide > MOST:
        beta = math.sqrt(height * width / MOST)
        return max(SIDE, math.floor(height / beta / SIDE) * SIDE), max(SIDE, math.floor(width / beta / SIDE) * SIDE)
    if tall * wide < LEAST:
        beta = math.sqrt(LEAST / (height * width))
        return math.ceil(height * beta / SIDE) * SIDE, math.ceil(width * beta / SIDE) * SIDE
    return tall, wide


def preprocess(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255 -> (n, h', w', 3) uint8 at the `fitting` size, by Pillow's bicubic on grey levels."""
    from PIL import Image

    height, width = fitting(*frames.shape[1:3])
    return np.stack([np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)) for frame in levels(frames)])


def as_they_are(frames: Frames) -> NDArray[Any]:
    """(n, h, w, 3) on 0..255 -> uint8, float frames rounded half to even."""
    return levels(frames)


_PYTHON = Option(flag="judge-python", key="python", kind="python", help="which Python runs the judge (default: this one)")
_MODEL = Option(
    flag="judge-model",
    key="model",
    kind="folder",
    help="folder of the judge's checkpoint, for instance of Qwen2.5-Omni; nothing is fetched",
)
_LORA = Option(
    flag="judge-lora", key="lora", kind="folder", help="folder of a LoRA for it (adapter_config.json, adapter_model.safetensors)"
)
QWEN = Worker(
    id="qwen-omni",
    title="Qwen2.5-Omni, with a LoRA or without, answers yes or no",
    program=WORKERS / "qwen_omni_worker.py",
    options=(_PYTHON, _MODEL, _LORA),
    needed=("model",),
    settings={"words": [ASKED["positive"], ASKED["negative"]], "mean": MEAN, "std": STD},
    packages=("numpy", "torch", "transformers", "tokenizers", "peft", "safetensors"),
    licence="Qwen2.5-Omni-7B: Apache-2.0; -3B: Qwen Research License (non-commercial); a LoRA's own",
    answer=3600.0,
    source="Qwen2.5-Omni (arXiv:2503.20215); the idea: FantasyTalking2's Talking-Critic (arXiv:2508.11255), whose weights are not released",
)
OWN = Worker(
    id="judge",
    title="a judge of your own: any program that keeps to docs/judges.md",
    program=None,
    options=(
        Option(flag="judge-worker", key="program", kind="program", help="the program of a judge of your own (docs/judges.md)"),
        _PYTHON,
        _MODEL,
        _LORA,
    ),
    needed=("program",),
    packages=("numpy", "torch", "transformers", "peft"),
    licence="that of the program and model named",
    source="docs/judges.md",
)


def _extractor(worker: Worker, about: str) -> WorkerExtractor:
    question, qwen = ASKED[about]["question"], worker is QWEN
    prompt = ASKED["template"].replace("{question}", question) if qwen else question
    return WorkerExtractor(
        id=f"{worker.id}-{about}",
        version=1,
        worker=worker.id,
        ask={"about": about, "prompt": prompt, "rate": RATE},
        summary=(f"logits of {ASKED['positive']} and {ASKED['negative']}" if qwen else "one number on 0..1")
        + f" for {RATE:g} pictures a second in one prompt"
        + (", with the sound" if about == "sync" else ", without sound"),
        source=worker.source,
        dimension=2 if qwen else 1,
        batch=1,
        window=0,
        sample=partial(thinned, rate=RATE),
        sound="clip" if about == "sync" else "",
        preprocess=preprocess if qwen else as_they_are,
    )


SPEC = (QWEN, OWN, *(_extractor(worker, about) for worker in (QWEN, OWN) for about in ABOUT))
