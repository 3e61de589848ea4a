"""What one call costs in one session, over the empty function.

Each value is the cost of `SELECT count(f()) FROM generate_series(1, n)` less that of the same statement with an empty
C function in place of f, run immediately before in the same session. The empty functions are PostgreSQL's own:
pg_backend_pid(), which returns a global variable (it is STABLE without arguments, and so called for every row), and
int8up(bigint), which returns its argument. A set-returning function is compared with generate_series in its place.
A function that reads a text is compared with the one that writes it, ULIDs with the new UUIDs that they are made of,
and a function that takes a generator's name with the one that takes none.

The cost is the backend's CPU time. These statements wait for nothing, except for one flush of the log at nextval's
commit, which does not count for nextval. So on an idle machine this is the elapsed time, and it stays right on a busy one.
"""

from dataclasses import dataclass

from harness import peers
from harness.results import REFERENCE
from harness.server import Session, set_block_size, wait_for_burst

TITLE = "One call in one session"
NS = "Nanoseconds per call over the empty function"
BATCH = "Nanoseconds per id over generate_series"

ID_ROWS = "generate_series(1::bigint, {calls})"
NO_ARGUMENT = "SELECT count(pg_backend_pid()) FROM " + ID_ROWS
ONE_ARGUMENT = "SELECT count(int8up(id)) FROM generate_series({first_id}, {first_id} + {calls} - 1) id"


@dataclass
class Candidate:
    name: str
    call: str
    slow: bool = False       # a fifth of the calls is enough
    burst: bool = False      # takes ids of the default layout, of which a burst holds four million
    block_size: int = 256
    unit: str = NS
    over: str = ""           # what the call is compared with instead of an empty function

    def statement(self):
        if self.unit == BATCH:
            return f"SELECT count(*) FROM {self.call}"
        if self._reads_an_id():
            return ONE_ARGUMENT.replace("int8up(id)", self.call)
        return NO_ARGUMENT.replace("pg_backend_pid()", self.call)

    def empty(self):
        if self.unit == BATCH:
            return f"SELECT count(*) FROM {ID_ROWS}"
        if self.over:
            return Candidate(self.over, self.over).statement()
        return ONE_ARGUMENT if self._reads_an_id() else NO_ARGUMENT

    def _reads_an_id(self):
        return "(id)" in self.call or "(id," in self.call


SEGMENTS = "idgen_sequence_next(), cache 1000000"
SEGMENT_BATCH = "idgen_sequence() of 1,000, cache 1000000"
TEXT_FORMS = ("base32", "base58", "base62", "hex", "unsigned")


def text_forms():
    for form in TEXT_FORMS:
        writes = f"idgen_to_{form}(id)"
        yield Candidate(writes, writes)
        yield Candidate(f"idgen_from_{form}(text)", f"idgen_from_{form}({writes})", over=writes)
    yield Candidate("uuid_to_ulid(uuid)", "uuid_to_ulid(uuid_v7())", over="uuid_v7()")
    yield Candidate("uuid_from_ulid(text)", "uuid_from_ulid(uuid_to_ulid(uuid_v7()))", over="uuid_to_ulid(uuid_v7())")


def candidates(session):
    in_postgres_18 = session.value("SELECT to_regprocedure('uuidv7()') IS NOT NULL") == "t"
    return [
        Candidate("idgen_next()", "idgen_next()", burst=True),
        Candidate(REFERENCE, "nextval('cache_1')"),
        Candidate("nextval, CACHE 1000", "nextval('cache_1000')"),
        Candidate("uuid_v7()", "uuid_v7()"),
        *([Candidate("uuidv7() of PostgreSQL 18", "uuidv7()", slow=True)] if in_postgres_18 else []),
        Candidate("gen_random_uuid()", "gen_random_uuid()", slow=True),
        Candidate("uuid-ossp, uuid_generate_v4()", "uuid_generate_v4()", slow=True),
        Candidate("uuid-ossp, uuid_generate_v1mc()", "uuid_generate_v1mc()", slow=True),
        Candidate("Instagram's function (plpgsql)", "instagram_id()", slow=True),
        *(Candidate(peer.name, peer.call, slow=True) for peer in peers.built()),
        Candidate("idgen_timestamp(id)", "idgen_timestamp(id)"),
        Candidate("idgen_decode(id), whole row", "idgen_decode(id)"),
        # A generator that differs from the default one by its epoch only, over the cost of the default one.
        Candidate("idgen_next('named')", "idgen_next('named')", burst=True, over="idgen_next()"),
        Candidate("idgen_timestamp(id, 'named')", "idgen_timestamp(id, 'named')", over="idgen_timestamp(id)"),
        Candidate("idgen_decode(id, 'named')", "idgen_decode(id, 'named')", over="idgen_decode(id)"),
        *text_forms(),
        Candidate(SEGMENTS, "idgen_sequence_next('k', 'segments')"),
        # The key looks different for every row, so that the function is called for every row.
        Candidate(SEGMENT_BATCH, "generate_series(1, {calls} / 1000) g, idgen_sequence(left('k' || g, 1), 1000, 'segments')",
                  unit=BATCH),
        Candidate("idgen_batch(n)", "idgen_batch({calls})", burst=True, unit=BATCH),
        # Last: changing the setting takes a second.
        Candidate("idgen_next(), block_size 1", "idgen_next()", burst=True, block_size=1),
    ]


def run(plan, results):
    with Session() as session:
        first_id = session.value("SELECT idgen_next()")
        chosen = candidates(session)
        # Warms up, in full size: the first statement of a size pays for the session's memory, which would be taken off
        # the first candidate.
        for empty in (NO_ARGUMENT, ONE_ARGUMENT):
            session.query(empty.format(calls=plan.calls, first_id=first_id))
        for candidate in chosen:
            _measure(session, candidate, plan.calls // 100, first_id)
        for _ in plan.each_round(TITLE):
            block_size = 256
            for candidate in chosen:
                if candidate.block_size != block_size:
                    block_size = candidate.block_size
                    set_block_size(session, block_size)
                calls = plan.calls // 5 if candidate.slow else plan.calls
                results.add("calls", candidate.unit, candidate.name,
                            _measure(session, candidate, calls, first_id))
            set_block_size(session, 256)


def _measure(session, candidate, calls, first_id):
    if candidate.burst:
        wait_for_burst(session)
    begin = session.cpu_ns()
    session.query(candidate.empty().format(calls=calls, first_id=first_id))
    between = session.cpu_ns()
    session.query(candidate.statement().format(calls=calls, first_id=first_id))
    return ((session.cpu_ns() - between) - (between - begin)) / calls
