"""CHECKSUM and DATASUM (FITS 4.0, 4.4.2.7 and appendix J)."""

from __future__ import annotations

import numpy as np

from vo.images.rawcards import Cards, card, header_bytes

_WORD = 0xFFFFFFFF
_UNSET = "0" * 16
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")
_COMMENTS = ("HDU checksum", "data unit checksum")


def ones_sum(data: bytes | memoryview) -> int:
    r"""The sum of 32-bit words, the last one filled up with zeros, with the carry brought back in.

    >>> hex(ones_sum(b"\xff\xff\xff\xff\x00\x00\x00\x02")), hex(ones_sum(b"\x01"))
    ('0x2', '0x1000000')
    """
    words = len(data) // 4
    rest = int.from_bytes(bytes(data[4 * words :]).ljust(4, b"\0"), "big")
    return _folded(int(np.frombuffer(data, ">u4", words).sum(dtype=np.uint64)) + rest)


def _folded(total: int) -> int:
    while total > _WORD:
        total = (total & _WORD) + (total >> 32)
    return total


def encoded(checksum: int) -> str:
    """The complement of a checksum as 16 letters and digits, so that the sum of the HDU becomes -0.

    >>> encoded(868229149)
    'hcHjjc9ghcEghc9g'
    """
    turned = [bytearray(4) for _ in range(4)]
    for i, byte in enumerate((_WORD - checksum).to_bytes(4, "big")):
        quarter, rest = divmod(byte, 4)
        letters = [48 + quarter + (rest if k == 0 else 0) for k in range(4)]
        while any(letter in _PUNCTUATION for letter in letters):
            for k in (0, 2):
                if letters[k] in _PUNCTUATION or letters[k + 1] in _PUNCTUATION:
                    letters[k] += 1
                    letters[k + 1] -= 1
        for k in range(4):
            turned[k][i] = letters[k]
    text = b"".join(turned)
    return (text[-1:] + text[:-1]).decode("ascii")


def summed_header(cards: Cards, data: bytes | memoryview) -> bytes:
    """A header as it is in the file, with the checksums of itself and of its data, padded or not."""
    datasum = ones_sum(data)
    unset, told = card("CHECKSUM", _UNSET, _COMMENTS[0]), card("DATASUM", str(datasum), _COMMENTS[1])
    total = _folded(ones_sum(header_bytes((*cards, unset, told))) + datasum)
    return header_bytes((*cards, card("CHECKSUM", encoded(total), _COMMENTS[0]), told))
