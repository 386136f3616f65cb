"""Writes src/formats/fixtures/ggml-blocks.json: blocks of each weight type and the f32 values that the gguf package reads in them."""

import base64

import gguf
import numpy as np

from fixture_files import REPOSITORY, versions, write_json

FIXTURE = REPOSITORY / "src/formats/fixtures/ggml-blocks.json"
# f16 scales whose products are easy to get wrong: both zeros, both ends of the subnormals and normals, a negative one, one with all bits.
SCALES = np.array([0.0, -0.0, 5.960464477539063e-08, 6.097555160522461e-05, 6.103515625e-05, 65504.0, -65504.0, -0.123, 1.9990234375], np.float16)
TYPES = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0")


def blocks_of(kind: gguf.GGMLQuantizationType, generator: np.random.Generator) -> np.ndarray:
    """Random bytes with the scales above in place of the block's own; plain floats are all finite."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if elements == 1:
        values = generator.normal(size=61).astype(np.float32) * 10.0 ** generator.integers(-6, 4, 61)
        if kind == gguf.GGMLQuantizationType.F16:
            return np.concatenate([SCALES, values.astype(np.float16)]).view(np.uint8)
        if kind == gguf.GGMLQuantizationType.BF16:
            return (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        return values.view(np.uint8)
    blocks = generator.integers(0, 256, (2 * len(SCALES), size), dtype=np.uint8)
    blocks[:, 0:2] = np.concatenate([SCALES, generator.normal(size=len(SCALES)).astype(np.float16)]).view(np.uint8).reshape(-1, 2)
    if kind == gguf.GGMLQuantizationType.Q4_1:
        blocks[:, 2:4] = generator.permutation(blocks[:, 0:2].copy())
    return blocks.reshape(-1)


def main() -> None:
    generator = np.random.default_rng(7)
    types = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        data = blocks_of(kind, generator)
        values = gguf.dequantize(data.reshape(1, -1), kind).astype(np.float32)
        assert np.isfinite(values).all(), name
        types[name.lower()] = {"bytes": base64.b64encode(data.tobytes()).decode(), "values": base64.b64encode(values.tobytes()).decode()}
    write_json(FIXTURE, {"program": "reference/ggml_blocks.py", "versions": versions("gguf", "numpy"), "types": types})


if __name__ == "__main__":
    main()
