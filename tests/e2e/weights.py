"""The tensors of a safetensors file."""

import json
import struct


def tensors(path):
    """Bytes by name."""
    content = path.read_bytes()
    size, = struct.unpack("<Q", content[:8])
    return {name: content[8 + size + one["data_offsets"][0]:8 + size + one["data_offsets"][1]]
            for name, one in json.loads(content[8:8 + size]).items() if name != "__metadata__"}


def numbers(path):
    """The same of float32 as tuples of numbers."""
    return {name: struct.unpack(f"<{len(value) // 4}f", value) for name, value in tensors(path).items()}
