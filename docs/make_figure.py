"""README's figure: the same videos, three PSNRs.

python docs/make_figure.py RUN     take the numbers from a record (protocols strict-1, disco-2024, disco-2023) into docs/data, then draw
python docs/make_figure.py         draw from docs/data
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import benchmark

HERE = Path(__file__).parent
DATA = HERE / "data" / "tiktok-showcase.json"
FIGURE = HERE / "figures" / "three-psnrs.svg"
SERIES = (
    ("strict-1", "psnr@float", "PSNR", "#0072B2"),
    ("disco-2024", "psnr@cap100", "PSNR at 256x256, all frames", "#009E73"),
    ("disco-2023", "psnr@uint8-wrap", "PSNR with the uint8 overflow of most published tables", "#D55E00"),
)


def extract(run: str) -> None:
    record = benchmark.load(run)
    methods = [m["name"] for m in record.header["spec"]["methods"]]
    data = {
        "what": "four clips of four methods (Tencent/MimicMotion @d8af4a0, assets/comparisons), frame i of an output against frame i + 1 of the truth",
        "values": {
            protocol: {
                m: {
                    "value": next(
                        r["value"]
                        for r in record.scores
                        if (r["adapter"], r["protocol"], f"{r['metric']}@{r['variant']}") == (m, protocol, name)
                    ),
                    "clips": list(record.clip_values(m, protocol, name).values()),
                }
                for m in methods
            }
            for protocol, name, *_ in SERIES
        },
    }
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def draw() -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "three-psnrs", "svg.fonttype": "path", "font.size": 11})
    values = json.loads(DATA.read_text(encoding="utf-8"))["values"]
    methods = sorted(values["strict-1"], key=lambda m: values["strict-1"][m]["value"])
    figure, axis = plt.subplots(figsize=(8.2, 4.6))
    for s, (protocol, _, label, colour) in enumerate(SERIES):
        shift = (0.16, -0.12, 0.02)[s]
        for row, method in enumerate(methods):
            entry = values[protocol][method]
            axis.plot(entry["clips"], [row + shift] * len(entry["clips"]), ".", color=colour, alpha=0.45, markersize=6, markeredgewidth=0)
            axis.plot(entry["value"], row + shift, "o", color=colour, markersize=8, label=f"{label} ({protocol})" if row == 0 else None)
            side = {"textcoords": "offset points", "xytext": (0, 7 if s != 1 else -16), "ha": "center", "fontsize": 9, "color": colour}
            axis.annotate(f"{entry['value']:.1f}", (entry["value"], row + shift), **side)
    axis.set_yticks(range(len(methods)), methods)
    axis.set_ylim(-0.5, len(methods) - 0.4)
    axis.set_xlabel("dB (large dot: the set's value, small dots: its four clips)")
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("The same videos, three PSNRs", x=0.02, ha="left", fontweight="bold")
    figure.legend(loc="lower left", bbox_to_anchor=(0.01, -0.02), ncols=1, frameon=False, fontsize=9)
    figure.subplots_adjust(left=0.14, right=0.98, top=0.92, bottom=0.32)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        extract(sys.argv[1])
    draw()
