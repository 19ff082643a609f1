"""Ten people and more, drawn from numbers: bodies, faces, skins, hair and clothes in a fixed variety."""

from __future__ import annotations

from suites.embedded._figure import Looks
from suites.embedded._head import Face
from suites.embedded._moves import draws
from suites.embedded._skeleton import Build

SKINS = (
    (0.87, 0.68, 0.57), (0.78, 0.57, 0.44), (0.66, 0.45, 0.32), (0.47, 0.30, 0.20), (0.34, 0.21, 0.15), (0.92, 0.74, 0.64), (0.56, 0.37, 0.26),
    (0.83, 0.63, 0.49), (0.72, 0.51, 0.38), (0.40, 0.26, 0.18),
)  # fmt: skip
HAIRS = ((0.10, 0.07, 0.05), (0.24, 0.14, 0.08), (0.05, 0.04, 0.04), (0.55, 0.38, 0.20), (0.32, 0.13, 0.07), (0.14, 0.10, 0.09))
STYLES = ("short", "long", "bob", "short", "cropped", "long")


def person(index: int, *, skirt: float | None = None, loose: float | None = None) -> Looks:
    """The person of that number. skirt, loose: instead of what the number gives."""
    d = draws(1000 + index, 24)
    woman = index % 2 == 1
    style = STYLES[int(d[0] * 6)] if woman else "short"
    wears_skirt = woman and d[1] < 0.45
    return Looks(
        build=Build(
            stature=(1.60 + 0.12 * float(d[2])) if woman else (1.70 + 0.14 * float(d[2])),
            shoulders=(0.90 if woman else 1.03) + 0.06 * float(d[3]),
            hips=(1.02 if woman else 0.92) + 0.06 * float(d[4]),
            girth=0.92 + 0.20 * float(d[5]),
            bust=0.9 if woman else 0.0,
        ),
        face=Face(
            width=0.94 + 0.12 * float(d[6]),
            length=0.94 + 0.12 * float(d[7]),
            nose=0.9 + 0.25 * float(d[8]),
            jaw=(0.93 if woman else 1.05) + 0.1 * float(d[9]),
            lips=0.9 + 0.3 * float(d[10]),
            eyes=0.95 + 0.12 * float(d[11]),
        ),
        skin=SKINS[index % len(SKINS)],
        hair_colour=HAIRS[int(d[12] * 6)],
        hair=style,
        sleeve=(0.5, 1.95, 0.35, 1.2)[int(d[13] * 4)],
        trousers=(2.0, 2.0, 0.75, 2.0)[int(d[14] * 4)],
        skirt=(0.42 + 0.25 * float(d[15]) if wears_skirt else 0.0) if skirt is None else skirt,
        loose=(0.8 if d[16] < 0.3 else 0.1) if loose is None else loose,
        beard=0.75 if not woman and d[17] < 0.4 else 0.0,
        top=1 + int(d[18] * 6),
        bottom=(0, 0, 2, 6, 5)[int(d[19] * 5)],
        seed=index * 7 + int(d[20] * 50),
    )  # fmt: skip
