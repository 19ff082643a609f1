"""Gates over experts: closed forms of the softmax, limits, and an independent softmax (torch)."""

from __future__ import annotations

import numpy as np
import pytest

from adapters._fusion import WHOLE, Gate, block_of, fuse, keys, softmax, table
from benchmark.errors import InputError

EXPERTS = ("motion", "lips", "quality")
MODULES = tuple(f"blocks.{b}.{name}" for b in (0, 1, 10) for name in ("attn1.to_q", "attn2.to_k", "ffn.net.0.proj"))
WIDTH, STEPS = 8, 5
RNG = np.random.default_rng(0)
T_EMB = RNG.standard_normal((STEPS, WIDTH))


def gates(level: str, seed: int = 1) -> dict[str, Gate]:
    rng = np.random.default_rng(seed)
    names = sorted(set(keys(MODULES, level)))  # type: ignore[arg-type]
    return {name: Gate(None if level == "none" else rng.standard_normal((3, WIDTH)), rng.standard_normal(3)) for name in names}


@pytest.mark.parametrize("level", ["module", "block", "expert"])
def test_weights_are_torchs_softmax_plus_bias(level: str) -> None:
    import torch

    made = gates(level)
    found = table(T_EMB, made, MODULES, EXPERTS, level)  # type: ignore[arg-type]
    assert found.shape == (STEPS, 9, 3)
    for m, name in enumerate(MODULES):
        gate = made[{"module": name, "block": name[: name.index(".", 7)], "expert": "all"}[level]]
        assert gate.weight is not None
        expected = torch.softmax(torch.tensor(T_EMB) @ torch.tensor(gate.weight).T, dim=-1).numpy() + gate.bias
        assert found[:, m] == pytest.approx(expected, rel=1e-14, abs=1e-15)
    # Outside the softmax: the sum over experts is 1 + sum b, at every step.
    biases = np.array([made[key].bias.sum() for key in keys(MODULES, level)])  # type: ignore[arg-type]
    assert found.sum(axis=2) == pytest.approx(np.broadcast_to(1 + biases, (STEPS, 9)), abs=1e-14)


def test_a_zero_gate_is_one_over_k_plus_bias() -> None:
    for k in (1, 2, 3, 7):
        bias = np.arange(k) / 10
        found = table(T_EMB, {WHOLE: Gate(np.zeros((k, WIDTH)), bias)}, MODULES, [f"e{i}" for i in range(k)], "expert")
        assert found == pytest.approx(np.broadcast_to(1 / k + bias, found.shape), abs=1e-15)


def test_two_experts_are_a_logistic() -> None:
    # softmax of (a, b) = 1 / (1 + exp(b - a)): t_emb of one number t, W = (1, 0): 1 / (1 + exp(-t)).
    t = np.linspace(-30, 30, 13)[:, None]
    found = table(t, {WHOLE: Gate(np.array([[1.0], [0.0]]), np.zeros(2))}, ["x"], ["a", "b"], "expert")
    assert found[:, 0, 0] == pytest.approx(1 / (1 + np.exp(-t[:, 0])), rel=1e-13)


def test_one_hot_limit_without_overflow() -> None:
    # Logits of +-1e4 differ by far more than 745, beyond which exp is 0 in float64: exactly one expert, no inf, no NaN.
    weight = np.zeros((3, WIDTH))
    weight[1, 0], weight[2, 0] = 1e4, -1e4
    bias = np.array([0.5, -0.25, 0.0])
    found = table(np.eye(2, WIDTH), {WHOLE: Gate(weight, bias)}, ["x"], EXPERTS, "expert")
    assert (found[0, 0] == np.array([0.0, 1.0, 0.0]) + bias).all()
    assert softmax(np.array([8e307, -8e307])).tolist() == [1, 0]


def test_levels_share_gates_as_they_say() -> None:
    block = table(T_EMB, gates("block"), MODULES, EXPERTS, "block")
    assert (block[:, 0] == block[:, 1]).all()
    assert (block[:, 0] == block[:, 2]).all()
    assert (block[:, 0] != block[:, 3]).all()
    assert (block[:, 3] != block[:, 6]).all()
    whole = table(T_EMB, gates("expert"), MODULES, EXPERTS, "expert")
    assert (whole == whole[:, :1]).all()
    assert (whole[0] != whole[1]).all()
    module = table(T_EMB, gates("module"), MODULES, EXPERTS, "module")
    assert len(np.unique(module[0, :, 0])) == 9


def test_no_gate_is_constant() -> None:
    bias = np.array([0.2, 0.3, -0.1])
    assert (table(T_EMB, {WHOLE: Gate(None, bias)}, MODULES, EXPERTS, "none") == bias).all()


def test_blocks_are_read_from_names() -> None:
    assert block_of("transformer_blocks.7.attn1.to_q") == "transformer_blocks.7"
    assert block_of("transformer.blocks.12.ffn.net.2") == "transformer.blocks.12"
    assert block_of("blocks.3") == "blocks.3"
    with pytest.raises(InputError, match=r"proj_out[\s\S]*blocks\.7"):
        block_of("proj_out")


def test_zero_experts_leave_h_to_the_bit() -> None:
    h = np.array([[1.5, -0.0], [1e-300, np.pi]])
    for deltas, weights in (
        (np.zeros((3, 2, 2)), np.ones(3)),
        (np.zeros((0, 2, 2)), np.zeros(0)),
        (-np.zeros((1, 2, 2)), np.array([-4.0])),
    ):
        assert fuse(h, deltas, weights).tobytes() == h.tobytes()


def test_fusion_is_the_weighted_sum() -> None:
    h, deltas, weights = RNG.standard_normal((4, 6)), RNG.standard_normal((3, 4, 6)), np.array([0.5, -1.25, 2.0])
    expected = h + 0.5 * deltas[0] - 1.25 * deltas[1] + 2.0 * deltas[2]
    assert fuse(h, deltas, weights) == pytest.approx(expected, rel=1e-14, abs=1e-14)
    for k in range(3):
        assert fuse(h, deltas, np.eye(3)[k]) == pytest.approx(h + deltas[k], rel=1e-15, abs=1e-15)


def test_on_lora_it_is_the_scaled_adapters() -> None:
    # dh_k = B_k A_k x: fusing what the experts add is a forward with W + sum_k w_k B_k A_k.
    x, w = RNG.standard_normal((7, 12)), RNG.standard_normal((10, 12))
    a, b = RNG.standard_normal((3, 2, 12)), RNG.standard_normal((3, 10, 2))
    weights = np.array([0.7, 0.2, 0.4])
    deltas = np.stack([x @ (b[k] @ a[k]).T for k in range(3)])
    merged = w + sum(weights[k] * b[k] @ a[k] for k in range(3))
    assert fuse(x @ w.T, deltas, weights) == pytest.approx(x @ merged.T, rel=1e-12, abs=1e-12)


def changed(**gate: Gate) -> dict[str, Gate]:
    return gates("block") | {key.replace("_", "."): value for key, value in gate.items()}


GOOD = np.zeros((3, WIDTH))


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ({k: v for k, v in gates("block").items() if k != "blocks.10"}, r"missing: blocks\.10[\s\S]*3 gates"),
        (changed(blocks_2=Gate(GOOD, np.zeros(3))), r"extra: blocks\.2"),
        ({}, r"missing: blocks\.0, blocks\.1, blocks\.10"),
        (
            changed(blocks_1=Gate(np.zeros((4, WIDTH)), np.zeros(3))),
            r"blocks\.1` has another number of experts[\s\S]*\(4, 8\)[\s\S]*\(3, width\)",
        ),
        (changed(blocks_1=Gate(GOOD, np.zeros(2))), r"bias of gate `blocks\.1`[\s\S]*\(2,\)[\s\S]*\(3,\)"),
        (changed(blocks_1=Gate(np.zeros((3, 9)), np.zeros(3))), r"blocks\.1` has another width[\s\S]*9[\s\S]*8"),
        (changed(blocks_1=Gate(np.zeros(3), np.zeros(3))), r"blocks\.1` has another number of experts"),
        (changed(blocks_1=Gate(None, np.zeros(3))), r"blocks\.1` is not of level `block`[\s\S]*no weight"),
        (changed(blocks_1=Gate(GOOD * np.nan, np.zeros(3))), r"blocks\.1` has values that are not finite[\s\S]*24 of 24"),
        (changed(blocks_1=Gate(GOOD, np.array([0, np.inf, 0]))), r"blocks\.1` has values that are not finite[\s\S]*1 of 3"),
    ],
)
def test_gates_that_do_not_fit_are_named(made: dict[str, Gate], names: str) -> None:
    with pytest.raises(InputError, match=rf"gates\.safetensors: [\s\S]*{names}") as error:
        table(T_EMB, made, MODULES, EXPERTS, "block", path="gates.safetensors")
    assert error.value.code == "bad-gate"


def test_other_arguments_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="is not of level `none`"):
        table(T_EMB, {WHOLE: Gate(GOOD, np.zeros(3))}, MODULES, EXPERTS, "none")
    for modules, experts in ((MODULES * 2, EXPERTS), ((), EXPERTS), (MODULES, ()), (MODULES, ("a", "a", "b"))):
        with pytest.raises(InputError, match="names of their own"):
            table(T_EMB, gates("block"), modules, experts, "block")
    for embedding in (T_EMB[0], T_EMB * np.inf):
        with pytest.raises(InputError, match="timestep embedding"):
            table(embedding, gates("block"), MODULES, EXPERTS, "block")
    for h, deltas, weights in (((2, 2), (3, 2, 1), 3), ((2, 2), (3, 2, 2), 2)):
        with pytest.raises(InputError, match="do not fit"):
            fuse(np.zeros(h), np.zeros(deltas), np.zeros(weights))
