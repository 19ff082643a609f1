"""A stand-in for Q-Align's own package: the same call loads a tiny model with the same interface. Written for the tests, after the interface alone."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import torch

WIDTH, PATCH = 16, 112


class Tokenizer:
    """Words and marks, a beginning-of-text in front: what a LLaMA tokenizer gives for words it knows whole."""

    bos_token_id, unk_token_id = 1, 0

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self.vocabulary = vocabulary

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {
            "input_ids": [self.bos_token_id, *(self.vocabulary.get(word, self.unk_token_id) for word in re.findall(r"\w+|[^\w\s]", text))]
        }


class Model(torch.nn.Module):
    """Tokens and pictures in one row of vectors; a causal mean, a layer, logits."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(words, WIDTH)
        self.look = torch.nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.mix = torch.nn.Linear(2 * WIDTH, WIDTH)
        self.out = torch.nn.Linear(WIDTH, words)

    def forward(self, input_ids: torch.Tensor, images: Any = None) -> dict[str, torch.Tensor]:
        """(b, t) tokens with one -200 where pictures go: (b, 3, s, s), or a list of (n, 3, s, s), all of which go there."""
        _maybe_die()
        rows = []
        for ids, given in zip(input_ids, images, strict=True):
            pictures = given if given.ndim == 4 else given[None]
            seen = self.look(pictures).flatten(2).transpose(1, 2).reshape(-1, WIDTH)
            at = int((ids == -200).nonzero())
            row = torch.cat([self.embedding(ids[:at]), seen, self.embedding(ids[at + 1 :])])
            row = row * (1 + torch.arange(len(row))[:, None] / 8)  # the order of words counts
            mean = row.cumsum(0) / torch.arange(1, len(row) + 1)[:, None]
            rows.append(self.out(torch.tanh(self.mix(torch.cat([row, mean], 1)))))
        return {"logits": torch.stack(rows)}


def _maybe_die() -> None:
    """Killed at the forward that the file named by STANDIN_KILL counts down to, once."""
    path = Path(os.environ.get("STANDIN_KILL", "/nowhere"))
    if path.exists():
        left = int(path.read_text()) - 1
        path.write_text(str(left))
        if left == 0:
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def load_pretrained_model(path: str, base: str | None, name: str, device: str = "cpu") -> tuple[Tokenizer, Model, None, int]:
    """(tokenizer, model, image processor, context) of a folder with vocab.json and weights.pt."""
    assert (base, name) == (None, "mplug_owl2")
    print("a library that talks")  # as the original does: it must not come between two answers
    vocabulary = json.loads((Path(path) / "vocab.json").read_text())
    model = Model(len(vocabulary))
    model.load_state_dict(torch.load(Path(path) / "weights.pt", map_location=device))
    return Tokenizer(vocabulary), model, None, 2048


def draw(path: Path, words: list[str], seed: int = 0) -> None:
    """Write a checkpoint folder: the vocabulary, weights at random, how pictures are prepared."""
    path.mkdir(parents=True)
    torch.manual_seed(seed)
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", *dict.fromkeys(words)])}
    model = Model(len(vocabulary))
    with torch.no_grad():
        model.look.weight *= 8  # so that pictures move the grade
        model.out.weight *= 8
    (path / "vocab.json").write_text(json.dumps(vocabulary))
    torch.save(model.state_dict(), path / "weights.pt")
    stated = {"crop_size": 448, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    (path / "preprocessor_config.json").write_text(json.dumps(stated))
