"""Writes which rows the `datasets` library gives for splits of a local file, and which splits it refuses, for several numbers of rows."""

import json
import os
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

import datasets

from fixture_files import REPOSITORY, versions, write_json

# 25 and 50 rows have halves to round; from 100 on the other rounding is allowed.
ROW_COUNTS = (1, 7, 25, 50, 100, 137, 250)
SPLITS = (
    "train", "all", "train[:]", "train[:80%]", "train[80%:]", "train[:100]", "train[-20:]", "train[:-5]", "train[10%:20%]", "train[-10%:]",
    "train[:-30%]", "train[10%:]", "train[:10%]", "train[30%:50%]", "train[:1%]", "train[10:20%]", "train[20%:10]", "train[:1_0]",
    "train[5:3]", "train[:3]+train[2:4]", "train[:10%] + train[-10%:]", "train[90%:](closest)", "train[:50%](pct1_dropremainder)",
    "train[-7%:](pct1_dropremainder)", "train[:3]+train[:50%](pct1_dropremainder)", "train[100:]",
    # Refused.
    "", " train", "train ", "train[]", "train[5]", "train[: 3]", "train[::2]", "train [:3]", "train[:3", "train:3", "train[%:]", "train[:_1]",
    "train[:0.5]", "train[:5.5%]", "train[:101%]", "train[-101%:]", "train+", "+train", "train[:3](closest)", "train(closest)",
    "train[:3%](floor)", "train[:10%]+train[90%:](pct1_dropremainder)", "validation", "test[:10%]", "tra-in", "train++train",
)  # fmt: skip


def ranges(rows: list[int]) -> list[list[int]]:
    """`rows` as the ranges that they are made of, ends excluded."""
    found: list[list[int]] = []
    for row in rows:
        if found and found[-1][1] == row:
            found[-1][1] += 1
        else:
            found.append([row, row + 1])
    return found


def rows_of(path: Path, split: str, cache: str) -> list[list[int]] | None:
    """The rows of a split; None when it is refused. A split without any row is an error there and no rows here."""
    try:
        # load_dataset takes spaces around + for a part of the name; the parser that it calls does not.
        wanted = datasets.ReadInstruction.from_spec(split) if " + " in split else split
        return ranges(list(datasets.load_dataset("json", data_files=[str(path)], split=wanted, cache_dir=cache)["row"]))
    except ValueError as error:
        return [] if "corresponds to no data" in str(error) else None


def main() -> None:
    datasets.disable_progress_bars()
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for count in ROW_COUNTS:
            path = Path(folder) / f"{count}.jsonl"
            path.write_text("".join(json.dumps({"row": row}) + "\n" for row in range(count)))
            # "" asks `load_dataset` for no split at all: what is empty is refused by its parser.
            given = {split: rows_of(path, split, folder) for split in SPLITS if split}
            cases.append({"rowCount": count, "splits": given | {"": None}})
    write_json(REPOSITORY / "src/data/fixtures/splits.json", {"versions": versions("datasets"), "cases": cases})


if __name__ == "__main__":
    main()
