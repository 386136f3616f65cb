"""Writes src/formats/fixtures/layout.safetensors: types, shapes and names whose order and escapes a writer can get wrong."""

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from fixture_files import REPOSITORY

FIXTURE = REPOSITORY / "src/formats/fixtures/layout.safetensors"


def main() -> None:
    generator = np.random.default_rng(3)
    tensors = {
        "b": generator.normal(size=(2, 3)).astype(np.float16),
        "a": generator.normal(size=(5,)).astype(np.float32),
        "10": generator.integers(-9, 9, (3,)).astype(np.int8),
        "9": generator.integers(0, 9, (2, 2)).astype(np.int64),
        "brain": generator.normal(size=(3, 1, 2)).astype(ml_dtypes.bfloat16),
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(1.5, np.float64),
        'quote " slash \\ tab \t bell \x07': np.ones(1, np.float32),
        "\u00e9 \u6f22 \uffff": np.ones(2, np.float32),
        "\U0001f600": np.ones(3, np.float32),
        "flag": np.array([True, False]),
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, FIXTURE, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
