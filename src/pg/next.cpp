// idgen_next(), idgen_next_text(), idgen_batch().
#include "pg/pg.h"

#include "pg/take.h"

using namespace idgen;

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_next);
PGDLLEXPORT Datum idgen_sql_next(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT64(pg::TakeId(pg::OwnSlot()));
}

PG_FUNCTION_INFO_V1(idgen_sql_next_text);
PGDLLEXPORT Datum idgen_sql_next_text(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  char text[MAXINT8LEN + 1];
  const int length = pg_lltoa(pg::TakeId(pg::OwnSlot()), text);
  PG_RETURN_TEXT_P(cstring_to_text_with_len(text, length));
}

PG_FUNCTION_INFO_V1(idgen_sql_batch);
PGDLLEXPORT Datum idgen_sql_batch(PG_FUNCTION_ARGS) {
  FuncCallContext* call;
  if (SRF_IS_FIRSTCALL()) {
    const int64 count = PG_GETARG_INT64(0);
    if (count < 0)
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
               errmsg("a batch can't have %lld ids", static_cast<long long>(count)), errhint("Ask for 0 or more.")));
    call = SRF_FIRSTCALL_INIT();
    call->max_calls = static_cast<uint64>(count);
    call->user_fctx = &pg::OwnSlot();
  }
  call = SRF_PERCALL_SETUP();
  if (call->call_cntr >= call->max_calls) SRF_RETURN_DONE(call);
  CHECK_FOR_INTERRUPTS();
  auto& slot = *static_cast<core::BackendSlot*>(call->user_fctx);
  // The clock is half the price of an id. A table function runs to its end at once, so every fourth id looks whether
  // the block is still fresh; in a select list the next row may be wanted an hour later.
  const auto* rows = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  const bool at_once = (rows->allowedModes & SFRM_Materialize_Preferred) != 0;
  const int64 id = at_once && call->call_cntr % 4 != 0 ? pg::TakeIdUnaged(slot) : pg::TakeId(slot);
  SRF_RETURN_NEXT(call, Int64GetDatum(id));
}

}  // extern "C"
