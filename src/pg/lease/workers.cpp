// idgen_workers() lists worker ids and their holders; idgen_declare_new_prefix() declares that none was ever leased.
#include "pg/base/pg.h"

#include "pg/base/timestamp.h"
#include "pg/base/row.h"
#include "pg/base/shared_memory.h"
#include "pg/lease/store_call.h"
#include "core/decimal.h"

#include <cstring>

using namespace idgen;

namespace {

constexpr int kColumns = 9;

// Null for what cannot be a port.
void AddPort(pg::Row<kColumns>& row, const char* digits) {
  int64 port;
  const bool is_port = core::ReadDigits(digits, UINT16_MAX, &port) && port > 0;
  is_port ? row.Add(Int32GetDatum(static_cast<int32>(port))) : row.AddNull();
}

void AddHolder(pg::Row<kColumns>& row, const char* holder) {
  if (*holder == '\0') {  // a store need not keep the last holder of a free worker id
    for (int i = 0; i < 3; ++i) row.AddNull();
    return;
  }
  // host|port|directory: a host name holds no bar, and what follows the second is the directory's.
  char* host = pstrdup(holder);
  char* port = strchr(host, '|');
  char* directory = port == nullptr ? nullptr : strchr(port + 1, '|');
  if (directory == nullptr) {
    row.AddPrintable(host);
    row.AddNull();
    row.AddNull();
    return;
  }
  *port = *directory = '\0';
  row.AddPrintable(host);
  AddPort(row, port + 1);
  row.AddPrintable(directory + 1);
}

bool IsOwn(const pg::Shared& shared, const lease::StoreRecord& record) {
  if (record.is_static) return strncmp(record.token, shared.presence_token, lease::kTokenBytes) == 0;
  return !record.free && shared.source != 0 && strncmp(record.token, shared.lease_memo.token, lease::kTokenBytes) == 0;
}

int ByWorker(const void* a, const void* b) {
  const uint32 left = static_cast<const lease::StoreRecord*>(a)->worker;
  const uint32 right = static_cast<const lease::StoreRecord*>(b)->worker;
  return left < right ? -1 : left > right;
}

void StoreRecords(const lease::LeaseBackend& store, const lease::StoreReply& reply, void* context) {
  auto* fcinfo = static_cast<FunctionCallInfo>(context);
  const size_t count = store.record_count();
  auto* records = static_cast<lease::StoreRecord*>(palloc0(sizeof(lease::StoreRecord) * (count + 1)));
  size_t found = 0;
  for (size_t i = 0; i < count; ++i)
    if (store.Record(i, &records[found])) ++found;
  qsort(records, found, sizeof *records, ByWorker);

  const pg::Shared* shared = pg::SharedState();
  for (size_t i = 0; i < found; ++i) {
    const lease::StoreRecord& record = records[i];
    const bool live = !record.free && (record.expiry_ms == 0 || record.expiry_ms > reply.store_now_ms);
    if (record.is_static && !live) continue;
    pg::Row<kColumns> row;
    row.Add(Int32GetDatum(static_cast<int32>(record.worker)));
    row.AddText(record.is_static ? "static" : record.free ? "free" : live ? "held" : "expired");
    AddHolder(row, record.holder);
    row.AddTime(record.ceiling_ms != 0 ? pg::TimestampOfUnixMs(record.ceiling_ms) : 0);
    record.fence != 0 ? row.AddInt(record.fence) : row.AddNull();
    row.AddTime(record.free || record.expiry_ms == 0 ? 0 : pg::TimestampOfUnixMs(record.expiry_ms));
    row.Add(BoolGetDatum(shared != nullptr && IsOwn(*shared, record)));
    row.Store(fcinfo);
  }
}

void KeepReply(const lease::LeaseBackend&, const lease::StoreReply& reply, void* context) {
  *static_cast<lease::StoreReply*>(context) = reply;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_workers);
PGDLLEXPORT Datum idgen_sql_workers(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  pg::StoreCall::Run(lease::StoreRequest::Kind::kList, StoreRecords, fcinfo);
  return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(idgen_sql_declare_new_prefix);
PGDLLEXPORT Datum idgen_sql_declare_new_prefix(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  lease::StoreReply reply;
  pg::StoreCall::Run(lease::StoreRequest::Kind::kDeclareNew, KeepReply, &reply);
  if (reply.outcome == lease::StoreOutcome::kInUse)
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("the prefix is not new"),
             errdetail("Worker ids have already been leased under it."),
             errhint("See idgen_workers(). A server that waits for a worker id gets one without this function.")));
  PG_RETURN_TIMESTAMPTZ(pg::TimestampOfUnixMs(reply.until_ms));
}

}  // extern "C"
