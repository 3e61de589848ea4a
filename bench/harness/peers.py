"""Other extensions that issue ids, measured beside ours if `bench/run --peers DIR` has built them."""

import os
from dataclasses import dataclass


@dataclass
class Peer:
    extension: str
    name: str         # in the tables
    column_type: str
    call: str
    setup: str = ""


_PEERS = [
    Peer("snowflake", "pgEdge snowflake.nextval()", "bigint", "snowflake.nextval('peer_snowflake')",
         "CREATE SEQUENCE peer_snowflake"),
    Peer("pg_uuidv7", "pg_uuidv7, uuid_generate_v7()", "uuid", "uuid_generate_v7()"),
]


def built():
    """Those that bench/run has built for this run."""
    names = os.environ.get("IDGEN_BENCH_PEERS", "").split()
    return [peer for peer in _PEERS if peer.extension in names]
