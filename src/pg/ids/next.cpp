// idgen_next(), idgen_next_text(), idgen_batch().
#include "pg/base/pg.h"

#include "core/text_form.h"
#include "pg/generators/generators.h"
#include "pg/ids/take_id.h"

using namespace idgen;

namespace {

struct NamedForm {
  const char* name;
  core::TextForm form;
};
constexpr NamedForm kForms[] = {{"decimal", core::TextForm::kUnsigned},
                                {"base32", core::TextForm::kBase32},
                                {"base58", core::TextForm::kBase58},
                                {"base62", core::TextForm::kBase62},
                                {"hex", core::TextForm::kHex}};

core::TextForm FormNamed(const text* given) {
  const std::string_view name(VARDATA_ANY(given), static_cast<size_t>(VARSIZE_ANY_EXHDR(given)));
  for (const NamedForm& form : kForms)
    if (name == form.name) return form.form;
  ereport(
      ERROR,
      (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized text form: \"%s\"", text_to_cstring(given)),
       errhint("Text forms are decimal, base32, base58, base62 and hex. The generator is the second argument, as in "
               "idgen_next_text('decimal', 'orders').")));
}

Datum TextOf(core::TextForm form, int64 id) {
  char characters[core::kMaxTextChars];
  const size_t length = core::WriteText(form, static_cast<uint64>(id), characters);
  PG_RETURN_TEXT_P(cstring_to_text_with_len(characters, static_cast<int>(length)));
}

struct IdBatch {
  core::BackendSlot* slot;
  bool by_default;
  pg::Generator generator;
};

// `argument` names the generator; 0 is the default one.
FuncCallContext* StartBatch(FunctionCallInfo fcinfo, int argument) {
  const int64 count = PG_GETARG_INT64(0);
  if (count < 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of ids must not be negative"),
                    errdetail("The number is %lld.", static_cast<long long>(count))));
  core::BackendSlot& slot = pg::OwnSlot();
  const pg::Generator generator = argument != 0 ? pg::FetchGenerator(fcinfo, argument, true) : pg::Generator{};
  FuncCallContext* call = SRF_FIRSTCALL_INIT();
  call->max_calls = static_cast<uint64>(count);
  auto* batch = static_cast<IdBatch*>(MemoryContextAlloc(call->multi_call_memory_ctx, sizeof(IdBatch)));
  *batch = {.slot = &slot, .by_default = argument == 0, .generator = generator};
  call->user_fctx = batch;
  return call;
}

Datum NextOfBatch(FunctionCallInfo fcinfo, int argument) {
  if (SRF_IS_FIRSTCALL()) StartBatch(fcinfo, argument);
  FuncCallContext* call = SRF_PERCALL_SETUP();
  if (call->call_cntr >= call->max_calls) SRF_RETURN_DONE(call);
  CHECK_FOR_INTERRUPTS();
  const auto& batch = *static_cast<const IdBatch*>(call->user_fctx);
  // Reading the clock is half the cost of an id. A table function runs to its end without pause, so only every fourth
  // id checks the block's age; in a select list the next row may be requested an hour later.
  const auto* rows = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  const bool at_once = (rows->allowedModes & SFRM_Materialize_Preferred) != 0;
  const bool unaged = at_once && call->call_cntr % 4 != 0;
  int64 id;
  if (batch.by_default)
    id = unaged ? pg::TakeIdUnaged(*batch.slot) : pg::TakeId(*batch.slot);
  else
    id = unaged ? pg::TakeIdUnaged(*batch.slot, batch.generator) : pg::TakeId(*batch.slot, batch.generator);
  SRF_RETURN_NEXT(call, Int64GetDatum(id));
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_next);
PGDLLEXPORT Datum idgen_sql_next(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT64(pg::TakeId(pg::OwnSlot()));
}

PG_FUNCTION_INFO_V1(idgen_sql_next_generator);
PGDLLEXPORT Datum idgen_sql_next_generator(PG_FUNCTION_ARGS) {
  const pg::Generator& generator = pg::GeneratorOf(fcinfo, 0, true).generator;
  PG_RETURN_INT64(pg::TakeId(pg::OwnSlot(), generator));
}

PG_FUNCTION_INFO_V1(idgen_sql_next_text);
PGDLLEXPORT Datum idgen_sql_next_text(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  char text[MAXINT8LEN + 1];
  const int length = pg_lltoa(pg::TakeId(pg::OwnSlot()), text);
  PG_RETURN_TEXT_P(cstring_to_text_with_len(text, length));
}

PG_FUNCTION_INFO_V1(idgen_sql_next_text_format);
PGDLLEXPORT Datum idgen_sql_next_text_format(PG_FUNCTION_ARGS) {
  const core::TextForm form = FormNamed(PG_GETARG_TEXT_PP(0));
  if (PG_NARGS() == 1) return TextOf(form, pg::TakeId(pg::OwnSlot()));
  const pg::Generator& generator = pg::GeneratorOf(fcinfo, 1, true).generator;
  return TextOf(form, pg::TakeId(pg::OwnSlot(), generator));
}

PG_FUNCTION_INFO_V1(idgen_sql_batch);
PGDLLEXPORT Datum idgen_sql_batch(PG_FUNCTION_ARGS) { return NextOfBatch(fcinfo, 0); }

PG_FUNCTION_INFO_V1(idgen_sql_batch_generator);
PGDLLEXPORT Datum idgen_sql_batch_generator(PG_FUNCTION_ARGS) { return NextOfBatch(fcinfo, 1); }

}  // extern "C"
