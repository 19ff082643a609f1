"""A repository that behaves like the worst of them: three panels, no first frame, a rate that is not its own, chatter; and on demand a crash, a hang,
files where they do not belong, too much memory. Frame i of its result is grey 5 (i + 1) on all three channels, so that every frame can be told.
"""

import argparse
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import helper  # lies beside: the checkout is on the path, as for any script


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--reference", "--driving", "--out", "--case", "--text", "--seed", "--frames"):
        parser.add_argument(name)
    given = parser.parse_args()
    mode = os.environ.get("MODE", "good")
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(f"{given.case} {given.seed}\n")
    print('{"this": "is chatter"}\n' * 50, flush=True)
    print(f"text: {given.text}")
    print("sees: " + " ".join(sorted(os.environ)), file=sys.stderr)
    print(f"home: {os.environ.get('HOME')}; cwd: {Path.cwd()}")
    if mode == "crash" and given.case == "three" and not Path(os.environ["CALLS"] + ".mended").exists():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if mode == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        Path(os.environ["CALLS"] + ".children").write_text(f"{child.pid} {os.getpid()}")
        time.sleep(600)
    if mode == "greedy":
        kept = bytearray(1 << 30)
        kept[:: 1 << 12] = b"x" * len(kept[:: 1 << 12])
    if mode == "greedy-together":
        hold = "b = bytearray(180 << 20); b[::4096] = b'x' * len(b[::4096]); import time; time.sleep(600)"
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", hold])
        time.sleep(600)
    if mode == "outside":
        (Path(__file__).parent / "cache").mkdir(exist_ok=True)
        (Path(__file__).parent / "cache" / f"{given.case}.pt").write_text("x")
        (Path(__file__).parent / "helper.py").write_text((Path(__file__).parent / "helper.py").read_text() + "\n")
        (Path.home() / ".cache").mkdir()  # not outside: its home is its own
    count = int(given.frames) - 1
    out = Path(given.out)
    if mode == "nothing":
        (out / "log.txt").write_text("done")
        return
    helper.panels(
        given.reference, out / "result.mkv", count - (mode == "short"), rate=Fraction(12 if mode == "rate" else 8), wide=mode == "wide"
    )
    if mode == "two":
        helper.panels(given.reference, out / "other.mkv", count, rate=Fraction(8))


if __name__ == "__main__":
    main()
