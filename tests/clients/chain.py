"""The hash of a row of a wallet's chain, as README.md describes it."""

import hashlib
import json
from decimal import Decimal


def field(hash_, data):
    hash_.update(len(data).to_bytes(8, "big") + data)


def number(value):
    return value.to_bytes(8, "big", signed=True)


def uuid_of(text):
    """The UUIDv8 that the 24 characters of an id stand for."""
    bits = int(text, 16)
    millis, high, low = bits >> 48, bits >> 36 & 0xFFF, bits & (1 << 36) - 1
    value = millis << 80 | 8 << 76 | high << 64 | 2 << 62 | low << 26
    return value.to_bytes(16, "big")


def units(text):
    return int(Decimal(text).scaleb(8))


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def genesis(user_id):
    """What the first row of a chain carries as the hash before it."""
    return hashlib.sha256(uuid_of(user_id)).hexdigest()


def digest(row):
    """The hash of a row of /wallet/ledger."""
    hash_ = hashlib.sha256()
    field(hash_, bytes.fromhex(row["previous_hash"]))
    field(hash_, number(row["sequence"]))
    field(hash_, uuid_of(row["id"]))
    field(hash_, uuid_of(row["user_id"]))
    field(hash_, row["kind"].encode())
    field(hash_, number(units(row["amount"])))
    field(hash_, row["reason"].encode())
    field(hash_, (row["author_id"] or "").encode())
    period = f"{row['rental_id']} {row['period_start_us']}" if row["rental_id"] else ""
    field(hash_, period.encode())
    field(hash_, number(row["created_at_us"]))
    field(hash_, compact(row["metadata"]))
    if row["basis"] is not None:
        field(hash_, b"basis")
        field(hash_, compact(row["basis"]))
    if row["corrects"] is not None:
        field(hash_, b"corrects")
        field(hash_, row["corrects"].encode())
    for entry in row["entries"]:
        field(hash_, entry["account"].encode())
        field(hash_, (entry["owner_id"] or "").encode())
        field(hash_, number(units(entry["amount"])))
    return hash_.hexdigest()
