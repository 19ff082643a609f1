"""The profiles of a body: (place along the bones, half width, half depth, shift ahead) in metres at 1.70 m, smooth between. Measured by eye."""

from __future__ import annotations

from suites.embedded._skeleton import Build

Profile = list[tuple[float, float, float, float]]


def trunk(b: Build) -> Profile:
    """From the crotch over pelvis (0), waist (1) and chest (2) to the neck (3)."""
    h, w, g, bust = b.hips, b.shoulders, b.girth, b.bust
    return [
        (-0.62, 0.020, 0.020, 0),
        (-0.55, 0.085 * h, 0.065, 0),
        (-0.20, 0.150 * h * g, 0.102 * g, -0.006),
        (0.15, 0.162 * h * g, 0.106 * g, -0.008),
        (0.60, 0.150 * h * g, 0.100 * g, -0.002),
        (1.00, 0.128 * g, 0.090 * g, 0),
        (1.50, 0.136 * g, 0.098 * g, 0.002),
        (2.00, 0.152 * w, 0.106 * g + 0.014 * bust, 0.004 + 0.016 * bust),
        (2.35, 0.164 * w, 0.104 * g + 0.010 * bust, 0.002 + 0.010 * bust),
        (2.60, 0.162 * w, 0.094, -0.006),
        (2.78, 0.138 * w, 0.080, -0.012),
        (2.92, 0.098 * w, 0.064, -0.012),
        (3.05, 0.066, 0.056, -0.004),
        (3.16, 0.054, 0.050, 0),
        (3.20, 0.010, 0.010, 0),
    ]


def neck(b: Build) -> Profile:
    """From inside the collar to inside the skull."""
    return [(0, 0.060, 0.054, 0), (1.0, 0.056 * b.girth, 0.056, 0), (1.6, 0.055, 0.058, 0), (2.0, 0.054, 0.050, 0)]


def arm(b: Build) -> Profile:
    """From the shoulder (0) over the elbow (1) to the wrist (2)."""
    u = 0.92 + 0.08 * b.girth
    return [
        (-0.20, 0.012, 0.012, 0),
        (-0.15, 0.034, 0.034, 0),
        (-0.05, 0.047 * u, 0.050 * u, 0),
        (0.20, 0.047 * u, 0.052 * u, 0.002),
        (0.50, 0.044 * u, 0.049 * u, 0.003),
        (0.85, 0.038, 0.040, 0),
        (1.05, 0.038, 0.039, -0.002),
        (1.30, 0.041 * u, 0.039, 0.002),
        (1.60, 0.034, 0.030, 0),
        (1.90, 0.027, 0.0215, 0),
        (2.03, 0.0265, 0.0205, 0),
    ]


def leg(b: Build) -> Profile:
    """From the hip (0) over the knee (1) to the ankle (2)."""
    h, g = b.hips, b.girth
    return [
        (-0.12, 0.050, 0.060, 0),
        (0.00, 0.083 * h * g, 0.094 * g, -0.004),
        (0.25, 0.082 * g, 0.090 * g, 0),
        (0.60, 0.068 * g, 0.074 * g, 0.002),
        (0.90, 0.054, 0.058, 0.004),
        (1.03, 0.050, 0.054, 0.004),
        (1.30, 0.054 * g, 0.058 * g, -0.012),
        (1.55, 0.047, 0.050, -0.012),
        (1.85, 0.034, 0.038, -0.006),
        (2.05, 0.032, 0.038, -0.004),
        (2.14, 0.030, 0.036, 0),
    ]


FOOT: Profile = [
    (-0.06, 0.012, 0.012, 0),
    (-0.02, 0.030, 0.030, 0.004),
    (0.12, 0.036, 0.042, 0.014),
    (0.35, 0.037, 0.046, 0.018),
    (0.60, 0.044, 0.030, 0.003),
    (0.85, 0.045, 0.024, -0.003),
    (0.98, 0.034, 0.018, -0.005),
    (1.03, 0.010, 0.008, -0.006),
]
"""A shoe, from heel (0) to toe (1)."""
PALM: Profile = [
    (-0.10, 0.0235, 0.0175, 0),
    (0.12, 0.0280, 0.0175, 0),
    (0.40, 0.0370, 0.0175, 0.001),
    (0.80, 0.0405, 0.0150, 0),
    (0.98, 0.0395, 0.0120, 0),
    (1.06, 0.0340, 0.0070, 0),
    (1.08, 0.0040, 0.0020, 0),
]
"""From the wrist (0) to the knuckles (1)."""
THICKNESS = {"thumb": 1.14, "index": 1.0, "middle": 1.03, "ring": 0.97, "pinky": 0.84}


def digit(finger: str) -> Profile:
    """From inside the palm over three joints to the tip (3)."""
    r = 0.0092 * THICKNESS[finger]
    root = 0.0130 if finger == "thumb" else 1.02 * r
    return [
        (-0.25, root, root, 0),
        (0.30, 1.02 * r, r, 0),
        (0.90, 1.02 * r, 1.02 * r, 0),
        (1.10, r, r, 0),
        (1.50, 0.93 * r, 0.92 * r, 0),
        (1.95, 0.94 * r, 0.90 * r, 0),
        (2.40, 0.86 * r, 0.80 * r, 0),
        (2.80, 0.72 * r, 0.62 * r, 0),
        (2.97, 0.40 * r, 0.34 * r, 0),
        (3.02, 0.05 * r, 0.05 * r, 0),
    ]
