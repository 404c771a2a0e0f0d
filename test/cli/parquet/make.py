"""Makes the Parquet files of import-parquet.test.ts: pip install pyarrow duckdb; python make.py

Another program than the reader's own must write them, because a writer and a reader by the same hand may share a mistake.
"""

import base64
import datetime as dt
import decimal
import os
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

os.chdir(os.path.dirname(os.path.abspath(__file__)))
UTC = dt.timezone.utc
D = decimal.Decimal
OFTEN = dt.datetime(2026, 3, 1, 12, 0, 0, 123456)


def column(kind, values):
    return pa.array(values, kind)


# An ordinary value, an extreme one, and none.
TYPES = {
    "text": column(pa.string(), ["Bücher 🛒", "", None]),
    "large_text": column(pa.large_string(), ["a", "b\nc", None]),
    "category": pa.array(["x", "y", None]).dictionary_encode(),
    "int8": column(pa.int8(), [7, -128, None]),
    "uint8": column(pa.uint8(), [7, 255, None]),
    "int32": column(pa.int32(), [7, -(2**31), None]),
    "uint32": column(pa.uint32(), [7, 2**32 - 1, None]),
    "int64": column(pa.int64(), [17850, 2**63 - 1, None]),
    "uint64": column(pa.uint64(), [2**53 - 1, 2**64 - 1, None]),
    "float16": column(pa.float16(), [0.5, -2.0, None]),
    "float32": column(pa.float32(), [19.9, 3.4028235e38, None]),
    "float64": column(pa.float64(), [19.9, float("nan"), None]),
    "infinite": column(pa.float64(), [float("inf"), float("-inf"), None]),
    "bool": column(pa.bool_(), [True, False, None]),
    "decimal": column(pa.decimal128(9, 2), [D("19.90"), D("-0.05"), None]),
    "long_decimal": column(pa.decimal128(38, 10), [D("0.0000000001"), D("-1234567890123456789012345678.9"), None]),
    "whole_decimal": column(pa.decimal128(5, 0), [D("120"), D("-3"), None]),
    "date": column(pa.date32(), [dt.date(2026, 3, 1), dt.date(1969, 12, 31), None]),
    "time_ms": column(pa.time32("ms"), [dt.time(12, 0, 1, 5000), dt.time(23, 59, 59, 999000), None]),
    "time_us": column(pa.time64("us"), [dt.time(12, 0, 1, 5), dt.time(0), None]),
    "utc_ms": column(pa.timestamp("ms", "UTC"), [OFTEN.replace(microsecond=123000), dt.datetime(1969, 12, 31, 23, 59, 59, 999000), None]),
    "utc_us": column(pa.timestamp("us", "UTC"), [OFTEN, dt.datetime(1969, 12, 31, 23, 59, 59, 999999), None]),
    "utc_ns": column(pa.timestamp("ns", "UTC"), [1772366400123456789, -1, None]),
    "berlin_us": column(pa.timestamp("us", "Europe/Berlin"), [OFTEN, OFTEN, None]),
    "local_us": column(pa.timestamp("us"), [OFTEN, dt.datetime(2026, 3, 29, 2, 30), None]),
    "json": column(pa.string(), ['{"sku": "p"}', '{"sku": "q"}', None]),
    "binary": column(pa.binary(), [b"plain", b"\xff\x00", None]),
    "fixed": column(pa.binary(2), [b"\x01\x02", b"ab", None]),
    "uuid": column(pa.uuid(), [uuid.UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301").bytes, uuid.UUID(int=0).bytes, None]),
    "list": column(pa.list_(pa.string()), [["a", None, "b"], [], None]),
    "lists": column(pa.list_(pa.list_(pa.int64())), [[[1], [], [2, 2**60]], [None], None]),
    "object": column(
        pa.struct([("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("tags", pa.list_(pa.string()))]),
        [{"id": 1, "at": OFTEN, "tags": ["x"]}, {"id": None, "at": None, "tags": None}, None],
    ),
    "objects": column(
        pa.list_(pa.struct([("sku", pa.string()), ("price", pa.decimal128(9, 2))])),
        [[{"sku": "p", "price": D("1.50")}, {"sku": "q", "price": None}], [None], None],
    ),
    "map": column(pa.map_(pa.string(), pa.decimal128(9, 2)), [[("a", D("1.00")), ("b", None)], [], None]),
    "nothing": column(pa.null(), [None, None, None]),
}
TYPE_TABLE = pa.table(TYPES)
pq.write_table(TYPE_TABLE, "types.parquet")
pq.write_table(TYPE_TABLE.drop_columns(["float16"]), "types-v2.parquet", data_page_version="2.0", compression="zstd", use_dictionary=False)
pq.write_table(pa.table({"at": TYPES["utc_us"]}), "int96.parquet", use_deprecated_int96_timestamps=True)
pq.write_table(pa.table({"at": TYPES["utc_us"]}).slice(0, 0), "empty.parquet")

# Rows of a formula that the test repeats, in three row groups of many pages.
ROWS = 300
LONG = pa.table(
    {
        "id": column(pa.int64(), list(range(ROWS))),
        "user": column(pa.string(), [None if i % 5 == 0 else f"user {i * 7919 % 50}" for i in range(ROWS)]),
        "text": column(pa.string(), [f"{i} " * (i % 9) for i in range(ROWS)]),
        "items": column(
            pa.list_(pa.struct([("sku", pa.string()), ("count", pa.int32())])),
            [None if i % 11 == 0 else [{"sku": f"p{i + j}", "count": j or None} for j in range(i % 4 * (i % 7))] for i in range(ROWS)],
        ),
    }
)
SMALL_PAGES = {"row_group_size": 100, "data_page_size": 128, "write_batch_size": 8}
pq.write_table(LONG, "pages.parquet", **SMALL_PAGES)
pq.write_table(LONG, "pages-v2.parquet", data_page_version="2.0", write_page_index=True, **SMALL_PAGES)
pq.write_table(
    LONG,
    "pages-delta.parquet",
    use_dictionary=False,
    column_encoding={"id": "DELTA_BINARY_PACKED", "user": "DELTA_BYTE_ARRAY", "text": "DELTA_LENGTH_BYTE_ARRAY", "items.list.element.count": "DELTA_BINARY_PACKED"},
    **SMALL_PAGES,
)

EVENTS = pa.table(
    {
        "occurred_at": column(pa.timestamp("us", "UTC"), [OFTEN, OFTEN, OFTEN + dt.timedelta(days=1)]),
        "event_type": column(pa.string(), ["view", "view", "purchase"]),
        "account_id": column(pa.int64(), [17850, 17850, None]),
        "session_id": column(pa.string(), [None, None, "s"]),
        "ref_id": column(pa.string(), ["p", "p", "q"]),
        "metadata.price": column(pa.decimal128(9, 2), [D("19.90"), D("19.90"), None]),
    }
)
for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    pq.write_table(EVENTS, f"events-{codec}.parquet", compression=codec)

db = duckdb.connect()
db.sql(
    """copy (select * from (values
      (1::bigint, 'lamp', 12.50::decimal(9, 2), timestamp '2026-03-01 12:00:00.123456', timestamptz '2026-03-01 12:00:00+01', ['a', null], {sku: 'p', n: 2}, 'small'::enum('small', 'large'), '3f2504e0-4f89-41d3-9a0c-0305e82c3301'::uuid, map {'k': 1}),
      (null, null, null, null, null, null, null, null, null, null)
    ) t(id, name, price, local, "at", tags, item, size, uuid, "map")) to 'duckdb.parquet' (format parquet)"""
)


class Kms(pe.KmsClient):
    def __init__(self, _config):
        super().__init__()

    def wrap_key(self, key, _name):
        return base64.b64encode(key)

    def unwrap_key(self, key, _name):
        return base64.b64decode(key)


def write_encrypted(name, plaintext_footer):
    config = pe.EncryptionConfiguration(footer_key="footer", column_keys={"column": ["account_id"]}, plaintext_footer=plaintext_footer)
    properties = pe.CryptoFactory(Kms).file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(name, EVENTS.schema, encryption_properties=properties) as writer:
        writer.write_table(EVENTS)


write_encrypted("encrypted.parquet", False)
write_encrypted("encrypted-column.parquet", True)
