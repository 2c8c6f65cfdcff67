"""What stands around a coded tensor on the wire: header, length, checksum (docs/wire_format.md)."""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

MAGIC = b"iS"
VERSION = 1
MAX_DIMENSIONS = 6
LIMIT_BYTES = 1 << 28
"""Of a decoded float32 tensor, unless the caller sets another limit."""
_CHECKSUM_BYTES = 4
_FIXED_BYTES = 6


class PayloadError(ValueError):
    """The bytes are no payload that this codec can decode within its limit."""


@dataclass(frozen=True)
class Header:
    """What a decoder must know about a payload besides its profile.

    Attributes:
        codec: number of the codec.
        bits: of a level, 1..8; 0 where there are no levels.
        dtype: number of the type of the body's values; 0 is float32.
        shape: of the sample.
        delta: 0 none, 1 rows, 2 columns, 3 channels.
        per_channel: whether every channel has its own range.
        packed: whether the levels are packed plainly because that was smaller.
    """

    codec: int
    bits: int
    dtype: int
    shape: tuple[int, ...]
    delta: int = 0
    per_channel: bool = False
    packed: bool = False

    @property
    def rows(self) -> int:
        """How many ranges there are."""
        return self.shape[0] if self.per_channel and self.shape else 1

    def to_bytes(self, body_bytes: int) -> bytes:
        """The header of a self-contained payload whose body has so many bytes."""
        kind = self.bits | self.delta << 4 | self.per_channel << 6 | self.packed << 7
        fixed = [VERSION, self.codec, kind, self.dtype << 4 | len(self.shape)]
        return MAGIC + bytes(fixed) + varints([*self.shape, body_bytes])


def sealed(head: bytes, body: bytes, key: bytes = b"") -> bytes:
    """Header, body and the checksum over both; ``key`` is checked with them but not sent."""
    check = zlib.crc32(body, zlib.crc32(head, zlib.crc32(key)))
    return head + body + check.to_bytes(_CHECKSUM_BYTES, "little")


def unsealed(payload: bytes, key: bytes = b"") -> bytes:
    """The payload without its checksum.

    Raises:
        PayloadError: the checksum is wrong: damaged, cut off, or made with another profile.
    """
    content, check = payload[:-_CHECKSUM_BYTES], payload[-_CHECKSUM_BYTES:]
    if zlib.crc32(content, zlib.crc32(key)).to_bytes(_CHECKSUM_BYTES, "little") != check:
        raise PayloadError(f"wrong checksum in a payload of {len(payload)} bytes")
    return content


def parsed(content: bytes, limit_bytes: int) -> tuple[Header, bytes]:
    """Header and body of a self-contained payload without its checksum.

    Raises:
        PayloadError: another format or version, a header that contradicts itself, or a tensor
            above ``limit_bytes`` as float32.
    """
    if content[:2] != MAGIC or len(content) < _FIXED_BYTES:
        raise PayloadError("not a self-contained payload of isplit")
    version, codec, kind, types = content[2:_FIXED_BYTES]
    if version != VERSION:
        raise PayloadError(f"version {version} of the format; this decoder knows {VERSION}")
    dimensions = types & 15
    if dimensions > MAX_DIMENSIONS:
        raise PayloadError(f"{dimensions} dimensions; at most {MAX_DIMENSIONS} are allowed")
    numbers, start = read_varints(content, _FIXED_BYTES, dimensions + 1)
    shape, body = tuple(numbers[:-1]), content[start:]
    delta, per_channel, packed = kind >> 4 & 3, bool(kind & 64), bool(kind & 128)
    header = Header(codec, kind & 15, types >> 4, shape, delta, per_channel, packed)
    if header.to_bytes(len(body)) != content[:start]:
        raise PayloadError(f"the header promises {numbers[-1]} bytes, {len(body)} follow")
    refuse_large(shape, limit_bytes)
    refuse_large((8 * header.rows, 1 << header.bits), limit_bytes)  # what its levels become
    return header, body


def refuse_large(shape: tuple[int, ...], limit_bytes: int) -> None:
    """Raise :class:`PayloadError` where a float32 tensor of this shape is above the limit.

    A dimension of 0 counts as 1: numpy cannot hold every shape without elements.
    """
    if 4 * math.prod(max(1, size) for size in shape) > limit_bytes:
        raise PayloadError(f"a tensor of shape {shape} is above the limit of {limit_bytes} bytes")


def varints(numbers: Iterable[int]) -> bytes:
    """The numbers in groups of seven bits, lowest first; the eighth bit says that more follow.

    >>> varints([3, 300]).hex()
    '03ac02'
    """
    written = bytearray()
    for number in numbers:
        while number > 127:
            written.append(number & 127 | 128)
            number >>= 7
        written.append(number)
    return bytes(written)


def read_varints(content: bytes, start: int, count: int) -> tuple[list[int], int]:
    """So many numbers from ``start`` on, and where they end.

    Raises:
        PayloadError: the bytes end before, or a number has more than five bytes.
    """
    numbers = []
    for _ in range(count):
        number = 0
        for shift in range(0, 35, 7):
            if start >= len(content):
                raise PayloadError("the payload ends within its header")
            byte, start = content[start], start + 1
            number |= (byte & 127) << shift
            if byte < 128:
                break
        else:
            raise PayloadError("a number in the header has more than five bytes")
        numbers.append(number)
    return numbers, start
