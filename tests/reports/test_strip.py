"""Paths cut to names: what is a path goes, what only looks like one stays. Expected by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports._strip import Strip, of_record


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/a b/clips/x.mp4", "x.mp4"),
        ("/x", "x"),
        ("/data/tiktok/", "tiktok"),
        ("~/runs/one", "one"),
        ("C:\\Users\\me\\x.mp4", "x.mp4"),
        ("\\\\server\\share\\x.mp4", "x.mp4"),
        ("file:///home/me/x.mp4", "x.mp4"),
        ("cannot read /home/me/x.mp4: no such file", "cannot read x.mp4: no such file"),
        ("--truth=/home/me/truth --offset 1", "--truth=truth --offset 1"),
        ("('/a/b/c.png', 3)", "('c.png', 3)"),
        ("[Errno 2] No such file or directory: '/home/me/My Videos/0 1.mp4'", "[Errno 2] No such file or directory: '0 1.mp4'"),
        ('cannot read "C:\\Users\\Jo Do\\x.mp4"', 'cannot read "x.mp4"'),
        ("wrote:/home/me/x.mp4", "wrote:x.mp4"),
        ("PATH=/opt/me/bin:/home/you/bin", "PATH=bin:bin"),
    ],
)
def test_paths_are_cut(text: str, left: str) -> None:
    strip = Strip()
    assert strip({"notes": [text]}) == {"notes": [left]}
    assert strip.cut == 1


@pytest.mark.parametrize(
    "text",
    [
        "30000/1001",
        "mean of |generated - truth| / 255 over all",
        "sum / (n - 1)/2",
        "https://example.org/a/b",
        "https://example.org:8080/a/b",
        "it's / 2 and that's 3/4",
        "'a/b', '/'",
        "GaParmar/clean-fid@e88c4d6 cleanfid/fid.py",
        "clips/still/dance-00-0.mkv",
        "and/or",
        "[0, 1]/a/b",
        "/",
        "a \\ b",
        "hvbench weights pull alexnet-imagenet",
    ],
)
def test_what_is_no_path_stays(text: str) -> None:
    strip = Strip()
    assert strip({"source": text}) == {"source": text}
    assert strip.cut == 0


def test_names_stay_whatever_they_look_like() -> None:
    entry = {"adapter": "/a/b", "case": "/c/d", "id": "/e/f", "name": "/g/h", "seed": 0}
    assert Strip()(entry) == entry


def test_inputs_of_one_name_stay_apart() -> None:
    """truth/0.mp4 of two roots: the second is numbered; sha256 stay with their file. Paths with spaces are found inside sentences too."""
    header = {
        "inputs": {"/a/my truth/0.mp4": "1", "/a/moore/0.mp4": "2", "/b/my truth/0.mp4": "3"},
        "request": {"truth": "/a/my truth", "outputs": {"moore": "/a/moore"}, "seeds": [0], "suite": "tiktok"},
    }
    strip = of_record(header, "/a/my runs/one")
    assert strip(header)["inputs"] == {"my truth/0.mp4": "1", "moore/0.mp4": "2", "my truth/0.mp4#2": "3"}
    assert strip(header)["request"] == {"truth": "my truth", "outputs": {"moore": "moore"}, "seeds": [0], "suite": "tiktok"}
    assert strip({"error": "/a/my truth/0.mp4: truncated, see /a/my runs/one/run.json"}) == {
        "error": "my truth/0.mp4: truncated, see one/run.json"
    }


@given(
    st.recursive(
        st.none() | st.integers() | st.text(alphabet="ab /\\:~.CD\n'\"(", max_size=24),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    )
)
def test_twice_is_once(value: object) -> None:
    """What is left holds no path: a folder that was packed is never refused for one."""
    once = Strip()(value)
    again = Strip()
    assert again(once) == once
    assert again.cut == 0
