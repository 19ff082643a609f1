"""FFV1's slice checksums, verified here because FFmpeg's decoder only logs a mismatch and shows the previous picture instead."""

from __future__ import annotations

import zlib

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_TRAILER = 8
"""Bytes behind each slice of a stream with checksums: 24-bit length, one status byte, CRC-32 (RFC 9043, section 4.9)."""


def damaged_slice(packet: bytes) -> bool:
    """Does a slice of this packet fail its checksum? False too for streams written without checksums (version 3 with ec = 0, or older).

    Slices lie back to back and each ends in its own length, so a packet is walked from the end. Whether the stream carries checksums is
    seen from whether that walk, with the longer trailer, ends exactly at the packet's first byte.
    """
    slices, end = [], len(packet)
    while end >= _TRAILER:
        start = end - _TRAILER - int.from_bytes(packet[end - _TRAILER : end - _TRAILER + 3], "big")
        if start < 0:
            return False
        slices.append((start, end))
        end = start
    return end == 0 and any(_crc(packet[start:end]) for start, end in slices)


def _crc(data: bytes) -> int:
    """CRC-32 of polynomial 0x04C11DB7, most significant bit first, start and final value 0; up to the order of bits, so 0 means 0.

    zlib's runs the other way round and inverts at both ends: bytes are mirrored and the inversions undone.
    """
    return zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
