"""Writes src/formats/fixtures/parquet/: one table under several codecs and page versions, and its rows as pyarrow reads them.

`rows.json` holds the rows with what JSON lacks written as the reader in src/formats gives it: whole numbers past 2^53 as texts, dates and
times as ISO 8601, bytes that are no UTF-8 by their length. `files` names each file's codec and row groups. `datasets.parquet` is what
`datasets.Dataset.to_parquet` makes of chat rows with tools.
"""

import datetime
import decimal
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from fixture_files import REPOSITORY, versions, write_json

FIXTURES = REPOSITORY / "src/formats/fixtures/parquet"
DAY = datetime.date(2024, 5, 1)
NOON = datetime.datetime(2024, 5, 1, 12, 0, 0, 250000)
ROWS = 12

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("weight", pa.int64())])
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("small", pa.int32()),
        ("unsigned", pa.uint64()),
        ("text", pa.string()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
        ("score", pa.float32()),
        ("exact", pa.float64()),
        ("yes", pa.bool_()),
        ("day", pa.date32()),
        ("time", pa.timestamp("us")),
        ("price", pa.decimal128(9, 2)),
        ("blob", pa.binary()),
        ("numbers", pa.list_(pa.list_(pa.int64()))),
        ("messages", pa.list_(MESSAGE)),
        ("answers", pa.struct([("text", pa.list_(pa.string())), ("start", pa.int32())])),
        ("nothing", pa.null()),
    ]
)
FILES = [
    ("plain.parquet", {"compression": "none", "row_group_size": ROWS, "use_dictionary": False}),
    ("snappy.parquet", {"compression": "snappy", "row_group_size": 5}),
    ("zstd.parquet", {"compression": "zstd", "row_group_size": 4, "data_page_version": "2.0"}),
    ("gzip.parquet", {"compression": "gzip", "row_group_size": 5, "data_page_size": 64}),
    ("brotli.parquet", {"compression": "brotli", "row_group_size": ROWS}),
    ("lz4.parquet", {"compression": "lz4", "row_group_size": ROWS, "write_page_index": True}),
]
CHATS = [
    {
        "messages": [{"role": "user", "content": f"Weather in {town}?"}, {"role": "assistant", "content": f"Rain in {town}. ☔"}],
        "tools": '[{"type": "function", "function": {"name": "weather"}}]',
    }
    for town in ("Lisbon", "上海", "Rome")
]


def row(i: int) -> dict:
    """Row `i`; every third has nulls and empty lists."""
    empty = i % 3 == 2
    return {
        "id": i if i != 4 else 2**53 + 1,
        "small": -i,
        "unsigned": 2**64 - 1 if i == 1 else i,
        "text": None if empty else f"Row {i}: é 漢 😀\n\"quoted\", {'long ' * i}",
        "label": ["order", "return"][i % 2],
        "score": i / 4,
        "exact": None if empty else i * 1e-3,
        "yes": None if i == 7 else i % 2 == 0,
        "day": DAY + datetime.timedelta(days=i),
        "time": None if empty else NOON + datetime.timedelta(hours=i),
        "price": decimal.Decimal(i * 100 + 25) / 100,
        "blob": b"bytes" if i % 2 == 0 else b"\xff\xfe\x00",
        "numbers": [] if empty else [[i, i + 1], [], [i]],
        "messages": None if empty else [
            {"role": "user", "content": f"Question {i}", "weight": None},
            {"role": "assistant", "content": f"Answer {i}", "weight": i % 2},
        ],
        "answers": {"text": ["a", "b"][: i % 3], "start": None if empty else i},
        "nothing": None,
    }


def plain(value: object) -> object:
    """A value as JSON, as the reader gives it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"<{len(value)} bytes>"
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([row(i) for i in range(ROWS)], schema=SCHEMA)
    files = []
    for name, options in FILES:
        pq.write_table(table, FIXTURES / name, **options)
        read = pq.ParquetFile(FIXTURES / name)
        files.append({"name": name, "rowGroups": read.metadata.num_row_groups, "codec": read.metadata.row_group(0).column(0).compression})
    chats = FIXTURES / "datasets.parquet"
    datasets.Dataset.from_list(CHATS).to_parquet(str(chats))
    write_json(
        FIXTURES / "rows.json",
        {
            "versions": versions("pyarrow", "datasets"),
            "files": files,
            "columns": table.column_names,
            "rows": [plain(each) for each in pq.read_table(FIXTURES / FILES[0][0]).to_pylist()],
            "chats": pq.read_table(chats).to_pylist(),
        },
    )


if __name__ == "__main__":
    main()
