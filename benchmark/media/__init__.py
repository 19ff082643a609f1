"""Video files and folders of numbered images, in and out.

Importing this package loads numpy and the standard library only; FFmpeg, OpenCV and Pillow are loaded by the first call that needs them.
"""

from benchmark.media.ahead import decode_ahead
from benchmark.media.crop import crop_box, parse_rect
from benchmark.media.decode import decode
from benchmark.media.encode import REPEATABLE, encode
from benchmark.media.hashes import HashCache, sha256_clip, sha256_file
from benchmark.media.images import read as read_image
from benchmark.media.listing import list_clips, scan_clips
from benchmark.media.picture import write_png
from benchmark.media.probe import VideoInfo, probe
from benchmark.media.sound import RATE as SOUND_RATE
from benchmark.media.sound import Sound, from_second, read_sound

__all__ = [
    "REPEATABLE",
    "SOUND_RATE",
    "HashCache",
    "Sound",
    "VideoInfo",
    "crop_box",
    "decode",
    "decode_ahead",
    "encode",
    "from_second",
    "list_clips",
    "parse_rect",
    "probe",
    "read_image",
    "read_sound",
    "scan_clips",
    "sha256_clip",
    "sha256_file",
    "write_png",
]
