// idgen_fill_past(): assigns ids to existing rows, ordered by and made from the rows' own times.
//
// The ids have a worker id that no server uses, so they never equal an id that a server issues. Ids with that worker id
// that the column already contains are skipped.
#include "pg/base/pg.h"

#include "core/position.h"
#include "pg/base/settings.h"
#include "pg/base/timestamp.h"
#include "pg/generators/definition.h"
#include "pg/generators/generators.h"
#include "pg/lease/settings.h"
#include "pg/migration/column.h"
#include "pg/worker/worker_id.h"

using namespace idgen;

namespace {

constexpr int kBatch = 1000;

// The rows of a query, fetched in batches.
class Rows {
 public:
  explicit Rows(const char* sql) {
    const SPIPlanPtr plan = SPI_prepare(sql, 0, nullptr);
    if (plan == nullptr) elog(ERROR, "idgen: \"%s\" failed: %s", sql, SPI_result_code_string(SPI_result));
    portal_ = SPI_cursor_open(nullptr, plan, nullptr, nullptr, false);
  }

  // False if there are no more rows.
  bool Next() {
    if (batch_ != nullptr && ++at_ < batch_->numvals) return true;
    if (batch_ != nullptr) SPI_freetuptable(batch_);
    SPI_cursor_fetch(portal_, true, kBatch);
    batch_ = SPI_tuptable;
    at_ = 0;
    return batch_->numvals > 0;
  }
  Datum Column(int number) const {
    bool is_null;
    return SPI_getbinval(batch_->vals[at_], batch_->tupdesc, number, &is_null);
  }
  // An open portal would block ALTER TABLE on the table until the end of the transaction.
  void Close() { SPI_cursor_close(portal_); }

 private:
  Portal portal_;
  SPITupleTable* batch_ = nullptr;
  uint64 at_ = 0;
};

uint32 PastWorker(FunctionCallInfo fcinfo, const core::Layout& layout, int argument) {
  const int64 asked = PG_ARGISNULL(argument) ? -1 : PG_GETARG_INT32(argument);
  const uint64 max_worker = Min(layout.worker.MaxValue(), uint64{core::kMaxWorker});
  if (!PG_ARGISNULL(argument) && (asked < 0 || static_cast<uint64>(asked) > max_worker))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("worker_id %lld is out of range", static_cast<long long>(asked)),
             errdetail("The layout's worker ids range from 0 to %llu.", static_cast<unsigned long long>(max_worker))));
  const auto worker = static_cast<uint32>(asked < 0 ? max_worker : static_cast<uint64>(asked));
  if (pg::WorkerNumberSource() == lease::NumberSource::kLease) {
    if (worker < pg::MaxWorkers())
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("worker id %u may be leased to a server", worker),
                      errdetail("\"idgen.max_workers\" is %u, and past ids need a worker id that no server uses.",
                                pg::MaxWorkers()),
                      errhint("Lower \"idgen.max_workers\" on all servers to %u or less.", worker)));
  } else if (const pg::WorkerId own = pg::ResolveWorkerId(); own.had && own.number == worker) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("worker id %u is used by this server", worker),
             errdetail("Past ids need a worker id that no server uses."),
             errhint("Pass a worker_id that no server uses now or in the future.")));
  }
  return worker;
}

// A cast from a user-defined type could run a function of its owner.
void CheckTimeColumn(const pg::Column& column, const char* name, const char* quoted) {
  const AttrNumber number = get_attnum(column.table_oid, name);
  if (number <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("table %s has no column %s", column.table, quoted)));
  const Oid type = get_atttype(column.table_oid, number);
  if (getBaseType(type) < FirstNormalObjectId) return;
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("column %s of table %s is of type %s, which is not a built-in type", quoted, column.table,
                         format_type_be(type)),
                  errhint("Copy the times to a column of type timestamp with time zone.")));
}

// Raises if a row has no time, one before the epoch or one in the future.
void CheckTimes(const pg::Column& column, const char* time, const core::GeneratorDefinition& definition) {
  const char* epoch = timestamptz_to_str(pg::TimestampOfUnixUs(definition.layout.epoch_ms * core::kUsPerMs));
  pg::Execute(
      psprintf("SELECT pg_catalog.count(*) FILTER (WHERE %s IS NULL), "
               "pg_catalog.count(*) FILTER (WHERE %s::pg_catalog.timestamptz OPERATOR(pg_catalog.<) "
               "%s::pg_catalog.timestamptz), pg_catalog.count(*) FILTER (WHERE %s::pg_catalog.timestamptz "
               "OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp()) "
               "FROM %s WHERE %s IS NULL",
               time, time, quote_literal_cstr(epoch), time, column.table, column.name));
  const auto count = [](int number) {
    bool is_null;
    return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &is_null));
  };
  if (count(1) + count(2) + count(3) == 0) return;
  ereport(
      ERROR,
      (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW), errmsg("some rows have a time that no past id can have"),
       errdetail("Of the rows of table %s without an id, %lld have no time, %lld have a time before the epoch (%s), "
                 "and %lld have a time in the future.",
                 column.table, static_cast<long long>(count(1)), static_cast<long long>(count(2)), epoch,
                 static_cast<long long>(count(3))),
       errhint("Correct their times, or use a generator with an earlier epoch.")));
}

// The position of an id of this worker; false if the id is of another worker.
bool PositionOf(const core::Layout& layout, int64 id, uint32 worker, core::Position* position) {
  const auto bits = static_cast<uint64>(id);
  *position = layout.time.Get(bits) << layout.sequence.width | layout.sequence.Get(bits);
  return core::Compose(layout, *position, worker) == id;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_fill_past);
PGDLLEXPORT Datum idgen_sql_fill_past(PG_FUNCTION_ARGS) {
  for (int i = 0; i < 3; ++i)
    if (PG_ARGISNULL(i))
      ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table and columns must not be null")));
  if (PG_ARGISNULL(4))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("generator must not be null")));
  const core::GeneratorDefinition definition = pg::FetchGenerator(fcinfo, 4, false).definition;
  const core::Layout layout = core::LineLayout(definition.layout);
  const uint32 worker = PastWorker(fcinfo, layout, 3);
  // Ids must be unique across all partitions.
  if (get_rel_relispartition(PG_GETARG_OID(0)))
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot fill ids of a single partition"),
                    errdetail("\"%s\" is a partition.", get_rel_name(PG_GETARG_OID(0))),
                    errhint("Use the partitioned table.")));
  SPI_connect();
  const int settings = pg::SeeAllRows();
  const pg::Column column = pg::LockColumn(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), "SHARE ROW EXCLUSIVE");
  const char* time_name = NameStr(*PG_GETARG_NAME(2));
  const char* time = quote_identifier(time_name);
  CheckTimeColumn(column, time_name, time);
  const pg::Caller caller = pg::BecomeOwner(column);
  CheckTimes(column, time, definition);

  Rows used(
      psprintf("SELECT %s::bigint FROM %s WHERE ((%s::bigint OPERATOR(pg_catalog.>>) %d) OPERATOR(pg_catalog.&) "
               "%llu::bigint) OPERATOR(pg_catalog.=) %u::bigint ORDER BY 1",
               column.name, column.table, column.name, layout.worker.shift,
               static_cast<unsigned long long>(layout.worker.MaxValue()), worker));
  Rows rows(psprintf("SELECT tableoid, ctid, %s::pg_catalog.timestamptz FROM %s WHERE %s IS NULL ORDER BY 3, 1, 2",
                     time, column.table, column.name));
  Oid types[] = {INT8OID, OIDOID, TIDOID};
  const SPIPlanPtr update = SPI_prepare(psprintf("UPDATE %s SET %s = $1 WHERE tableoid OPERATOR(pg_catalog.=) $2 "
                                                 "AND ctid OPERATOR(pg_catalog.=) $3 RETURNING %s",
                                                 column.table, column.name, column.name),
                                        lengthof(types), types);
  if (update == nullptr) elog(ERROR, "idgen: update failed: %s", SPI_result_code_string(SPI_result));

  bool any_used = used.Next();
  core::Position next = 0;
  int64 filled = 0;
  while (rows.Next()) {
    CHECK_FOR_INTERRUPTS();
    const int64 unix_ms = core::MsOf(pg::UnixUs(DatumGetTimestampTz(rows.Column(3))));
    next = Max(next, core::PositionAt(layout, unix_ms));
    for (core::Position position; any_used; any_used = used.Next()) {
      if (!PositionOf(layout, DatumGetInt64(used.Column(1)), worker, &position) || position < next) continue;
      if (position > next) break;
      ++next;
    }
    if (next >= core::EndOfIds(definition.layout))
      ereport(ERROR,
              (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED), errmsg("the layout's time field has run out")));
    const int64 id = core::Compose(layout, next++, worker);
    Datum values[] = {Int64GetDatum(id), rows.Column(1), rows.Column(2)};
    bool is_null = true;
    if (SPI_execute_plan(update, values, nullptr, false, 0) != SPI_OK_UPDATE_RETURNING || SPI_processed != 1 ||
        DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null)) != id)
      ereport(ERROR, (errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
                      errmsg("could not store the id of a row of table %s", column.table),
                      errdetail("A trigger or rule skipped or changed the row.")));
    SPI_freetuptable(SPI_tuptable);
    ++filled;
  }
  used.Close();
  rows.Close();
  AtEOXact_GUC(!caller.changed, settings);
  pg::BecomeCaller(caller);
  SPI_finish();
  PG_RETURN_INT64(filled);
}

}  // extern "C"
