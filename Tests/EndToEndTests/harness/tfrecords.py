"""Records of TFRecord files, also of one whose writer was killed."""

import struct


def whole_records(path):
    """The records that are whole; checksums are tested elsewhere."""
    content, offset = path.read_bytes(), 0
    while offset + 16 <= len(content):
        (length,) = struct.unpack_from("<Q", content, offset)
        if offset + 16 + length > len(content):
            return
        yield content[offset + 12 : offset + 12 + length]
        offset += length + 16
