"""Timestep-aware fusion of preference experts: how much each LoRA expert counts, per step and module. numpy reference in float64.

Source: FantasyTalking2 (arXiv:2508.11255): w^l = softmax(W_gate^l t_emb) + b^l, the bias outside the softmax, so weights need not sum to 1 and may
be negative; h' = h + sum_k w_k^l dh_k. t_emb depends on t alone, so all weights are a table that is made before the first step. The paper's own
setting has one gate a block (`block`); its ablations one for every linear layer (`module`), one for the whole network (`expert`), and none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError

Floats = NDArray[np.float64]
Level = Literal["module", "block", "expert", "none"]
WHOLE = "all"
"""Key of the only gate at level `expert` and of the only constant at level `none`."""


@dataclass(frozen=True)
class Gate:
    """weight: (k, width), k experts, width of t_emb; None at level `none`. bias: (k,), outside the softmax."""

    weight: Floats | None
    bias: Floats


def softmax(x: Floats) -> Floats:
    """Along the last axis, shifted by its maximum."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    found: Floats = e / e.sum(axis=-1, keepdims=True)
    return found


def block_of(module: str) -> str:
    """`transformer_blocks.7.attn1.to_q` -> `transformer_blocks.7`. Raises InputError for a module of no numbered block."""
    found = re.match(r"((?:.*\.)?\w*blocks\.\d+)(?:\.|$)", module)
    if found is None:
        raise InputError("a module belongs to no block", code="bad-gate", found=module, expected="a name like blocks.7.attn1.to_q")
    return found.group(1)


def keys(modules: Iterable[str], level: Level) -> tuple[str, ...]:
    """The key of every module's gate, module by module."""
    names = tuple(modules)
    if level == "module":
        return names
    if level == "block":
        return tuple(block_of(name) for name in names)
    return (WHOLE,) * len(names)


def table(
    t_emb: Floats, gates: Mapping[str, Gate], modules: Sequence[str], experts: Sequence[str], level: Level, path: str | None = None
) -> Floats:
    """(steps, modules, experts) weights. t_emb: (steps, width). gates: one for each key of `keys(modules, level)`. path: named in errors.

    Level `none` has no softmax and no t: its weights are the bias, the same at every step (1 / k each for a plain mean).
    Raises InputError for missing or extra gates, another number of experts, another width, values that are not finite, repeated or no names.
    """
    embedding = np.asarray(t_emb, np.float64)
    for what, names in (("modules", modules), ("experts", experts)):
        if not names or len(set(names)) != len(names):
            raise _bad(f"{what} must have names of their own", ", ".join(names) or "none", "each name once", path)
    if embedding.ndim != 2 or not np.isfinite(embedding).all():
        raise _bad("the timestep embedding is no finite table", f"shape {embedding.shape}", "(steps, width), finite", path)
    wanted = keys(modules, level)
    missing, extra = sorted(set(wanted) - set(gates)), sorted(set(gates) - set(wanted))
    if missing or extra:
        parts = [f"{word}: {_few(names)}" for word, names in (("missing", missing), ("extra", extra)) if names]
        raise _bad(
            f"the gates are not those of level `{level}`", "; ".join(parts), f"{len(set(wanted))} gates: {_few(sorted(set(wanted)))}", path
        )
    made = {key: _weights(embedding, key, gates[key], len(experts), level, path) for key in gates}
    return np.stack([made[key] for key in wanted], axis=1)


def _weights(embedding: Floats, key: str, gate: Gate, experts: int, level: Level, path: str | None) -> Floats:
    bias = np.asarray(gate.bias, np.float64)
    if bias.shape != (experts,):
        raise _bad(f"the bias of gate `{key}` has another number of experts", f"shape {bias.shape}", f"({experts},)", path)
    if (gate.weight is None) != (level == "none"):
        found, expected = ("no weight", "a weight") if gate.weight is None else ("a weight", "a bias alone")
        raise _bad(f"gate `{key}` is not of level `{level}`", found, expected, path)
    if gate.weight is None:
        _finite(bias, key, path)
        return np.broadcast_to(bias, (len(embedding), experts))
    weight = np.asarray(gate.weight, np.float64)
    if weight.ndim != 2 or weight.shape[0] != experts:
        raise _bad(f"gate `{key}` has another number of experts", f"shape {weight.shape}", f"({experts}, width)", path)
    if weight.shape[1] != embedding.shape[1]:
        raise _bad(f"gate `{key}` has another width than the timestep embedding", str(weight.shape[1]), str(embedding.shape[1]), path)
    _finite(weight, key, path)
    _finite(bias, key, path)
    return softmax(embedding @ weight.T) + bias


def _finite(values: Floats, key: str, path: str | None) -> None:
    if not np.isfinite(values).all():
        raise _bad(
            f"gate `{key}` has values that are not finite", f"{np.count_nonzero(~np.isfinite(values))} of {values.size}", "finite", path
        )


def fuse(h: Floats, deltas: Floats, weights: Floats) -> Floats:
    """h' = h + sum_k w_k dh_k. h: (...). deltas: (k, ...), what each expert adds. weights: (k,), one row of the table.

    Where all deltas are zero h comes back unchanged. Raises InputError where the shapes do not fit.
    """
    if deltas.shape[1:] != h.shape or weights.shape != deltas.shape[:1]:
        raise _bad(
            "the experts' additions do not fit",
            f"h {h.shape}, deltas {deltas.shape}, weights {weights.shape}",
            "h (...), deltas (k, ...), weights (k,)",
        )
    if not deltas.any():
        return h.copy()  # a sum with 0.0 would turn -0.0 into 0.0
    return h + np.tensordot(weights, deltas, axes=1)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _bad(what: str, found: str, expected: str, path: str | None = None) -> InputError:
    return InputError(what, code="bad-gate", path=path, found=found, expected=expected)
