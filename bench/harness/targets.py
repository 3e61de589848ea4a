"""The targets that measurements are compared with."""

from dataclasses import dataclass

from harness import calls, ceiling, etcd, inserts, latency, loads, sequence, sessions
from harness.results import REFERENCE


@dataclass
class Target:
    text: str
    limit: float
    at_most: bool
    value: float

    @property
    def met(self):
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def targets(results):
    """Those that were measured in this run."""
    def call(name, unit=calls.NS):
        return results.median("calls", unit, name)

    def rate(count, name="idgen_next()"):
        return results.median("sessions", sessions.RATE, name, sessions.case_of(count))

    def load(unit, name):
        return results.median("loads", unit, name, loads.INSERT)

    def insert(case, name="idgen_next()"):
        return results.median("inserts", inserts.RATE, name, case)

    def over(value, by):
        return value / by if value is not None and by else None

    nextval = call(REFERENCE)
    rows = [
        ("idgen_next(), ns over the empty function", 10, True, call("idgen_next()")),
        ("idgen_next(), × nextval", 0.07, True, over(call("idgen_next()"), nextval)),
        ("idgen_next() with block_size 1, × nextval", 0.2, True, over(call("idgen_next(), block_size 1"), nextval)),
        ("uuid_v7(), ns over the empty function", 40, True, call("uuid_v7()")),
        ("uuid_v7(), × nextval", 0.25, True, over(call("uuid_v7()"), nextval)),
        ("idgen_batch(n), ns per id over generate_series", 5, True, call("idgen_batch(n)", calls.BATCH)),
        ("idgen_timestamp(id), ns over the empty function", 15, True, call("idgen_timestamp(id)")),
        ("idgen_decode(id), ns over the empty function", 120, True, call("idgen_decode(id), whole row")),
        ("idgen_next('named'), ns over idgen_next()", 3, True, call("idgen_next('named')")),
        ("idgen_timestamp(id, 'named'), ns over idgen_timestamp(id)", 10, True, call("idgen_timestamp(id, 'named')")),
        ("idgen_decode(id, 'named'), ns over idgen_decode(id)", 10, True, call("idgen_decode(id, 'named')")),
        ("idgen_sequence_next() from a segment, ns over the empty function", 60, True, call(calls.SEGMENTS)),
        ("idgen_sequence() of 1,000 from a segment, ns per value over generate_series", 30, True,
         call(calls.SEGMENT_BATCH, calls.BATCH)),
        ("two sessions, a sequence with segments each, × one", 1.6, False,
         over(rate(2, sessions.SEGMENTS), rate(1, sessions.SEGMENTS))),
        ("two sessions, one sequence with segments, × one", 1.6, False,
         over(rate(2, sessions.SEGMENTS_OF_ONE), rate(1, sessions.SEGMENTS))),
        ("two sessions, one sequence with segments, × nextval", 4, False,
         over(rate(2, sessions.SEGMENTS_OF_ONE), rate(2, REFERENCE))),
        ("two sessions, × one", 1.9, False, over(rate(2), rate(1))),
        ("sixteen sessions, × two", 1, False, over(rate(16), rate(2))),
        ("two sessions, × nextval", 4, False, over(rate(2), rate(2, REFERENCE))),
        ("four sessions, × nextval", 4, False, over(rate(4), rate(4, REFERENCE))),
        ("INSERT … SELECT, × nextval's time", 0.87, True,
         over(load(loads.TIME, "idgen_next()"), load(loads.TIME, REFERENCE))),
        ("index of uuid_v7(), size relative to a rebuilt index", 1.01, True, load(loads.BLOAT, "uuid_v7()")),
    ]
    for form in calls.TEXT_FORMS:
        writes, reads = f"idgen_to_{form}(id)", f"idgen_from_{form}(text)"
        rows.append((f"{writes}, ns over the empty function", 60, True, call(writes)))
        rows.append((f"{reads}, ns over {writes}", 60, True, call(reads)))
    rows.append(("uuid_to_ulid(uuid), ns over uuid_v7()", 60, True, call("uuid_to_ulid(uuid)")))
    rows.append(("uuid_from_ulid(text), ns over uuid_to_ulid(uuid)", 60, True, call("uuid_from_ulid(text)")))
    for commit in inserts.COMMITS:
        for clients in inserts.CLIENTS:
            case = inserts.case_of(clients, commit)
            rows.append((f"single-row inserts, {case}, × nextval (5 % is noise)", 0.95, False,
                         over(insert(case), insert(case, REFERENCE))))
    for commit in inserts.COMMITS:
        for clients in inserts.CLIENTS:
            case = inserts.case_of(clients, commit)
            rows.append((f"single-row inserts by a named generator, {case}, × idgen_next() (5 % is noise)", 0.95, False,
                         over(insert(case, "idgen_next('named')"), insert(case))))
    for count in ceiling.COUNTS:
        case = sessions.case_of(count)
        rows.append((f"sustained, {case}, % of the layout's rate", 99, False,
                     results.median("ceiling", ceiling.RATE, ceiling.NAME, case)))
        rows.append((f"CPU meanwhile, {case}, % of one core", 60, True,
                     results.median("ceiling", ceiling.CPU, ceiling.NAME, case)))
    for case, limit in ((sequence.SINGLY, 0.8), (sequence.TOGETHER, 0.5)):
        def values(name, case=case):
            return results.median("sequence", sequence.RATE, name, case)
        rows.append((f"sequences, {case}, × redis-benchmark", limit, False,
                     over(values(sequence.OURS), values(sequence.PEER))))
    def in_etcd(name):
        return results.median("etcd", etcd.RATE, name, etcd.SINGLY)
    rows.append((f"sequences in etcd, {etcd.SINGLY}, × transactions over gRPC", 0.8, False,
                 over(in_etcd(etcd.OURS), in_etcd(etcd.PEER))))
    for clients in latency.CLIENTS:
        case = latency.case_of(clients)
        rows.append((f"a value from a segment, {case}, the store 5 ms away, 99.9 %, ms", 1, True,
                     results.median("latency", latency.SLOWEST, latency.SEGMENTS, case)))
    return [Target(*row) for row in rows if row[3] is not None]
