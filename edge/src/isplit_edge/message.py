"""The two messages of the Open Inference Protocol that a device needs, as protobuf writes them.

Written here since the usual stubs bring 30 MB that a device has no use for.
"""


def infer_request(model: str, export: str, payload: bytes) -> bytes:
    """ModelInferRequest: one input of UINT8, one output; ``export`` is a digest of the device's."""
    given = _field(1, b"export") + _field(2, _field(3, export.encode()))
    shape = _field(3, _number(len(payload)))
    about = _field(1, model.encode()) + _field(4, given)
    about += _field(5, _field(1, b"payload") + _field(2, b"UINT8") + shape)
    return about + _field(6, _field(1, b"logits")) + _field(7, payload)


def raw_output(response: bytes) -> bytes:
    """The content of the first output of a ModelInferResponse.

    Raises:
        ValueError: there is none.
    """
    place = 0
    while place < len(response):
        field, place = _read(response, place)
        size, place = _read(response, place)
        if field >> 3 == 6:  # raw_output_contents; all fields of a response have a length
            return response[place : place + size]
        place += size
    raise ValueError("the answer has no raw_output_contents")


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    return bytes([value & 127 | 128]) + _number(value >> 7) if value > 127 else bytes([value])


def _read(content: bytes, place: int) -> tuple[int, int]:
    byte = content[place]
    if byte < 128:
        return byte, place + 1
    more, place = _read(content, place + 1)
    return byte & 127 | more << 7, place
