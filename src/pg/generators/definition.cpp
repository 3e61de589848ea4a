// Parsing of definitions, and the errors about invalid ones.
#include "pg/generators/definition.h"

#include "pg/base/timestamp.h"

namespace idgen::pg {
namespace {

using core::LayoutError;
using core::Obstacle;

constexpr int64 kLongestUnitUs = int64{24} * 3600 * core::kUsPerSecond;
constexpr const char* kLayoutHint =
    "A layout is a list of fields and their bits, highest first, as in \"time:41,worker:10,sequence:12\", or one of "
    "snowflake, genesis, sonyflake, goflakeid, discord, twitter, instagram, js53, wide.";

[[noreturn]] void RaiseLayoutError(const LayoutError& error) {
  using Kind = LayoutError::Kind;
  // The word is part of the caller's text, which may be long and contain multibyte characters.
  const int length = pg_mbcliplen(error.word.data(), static_cast<int>(error.word.size()), 60);
  const char* word = pnstrdup(error.word.data(), static_cast<Size>(length));
  const char* detail = nullptr;
  switch (error.kind) {
    case Kind::kEmpty: detail = "The layout is empty."; break;
    case Kind::kSyntax: detail = psprintf("\"%s\" is not a field name and a number of bits.", word); break;
    case Kind::kUnknownField:
      detail = psprintf("Unknown field \"%s\"; the fields are time, region (or datacenter), app, worker and sequence.",
                        word);
      break;
    case Kind::kTwice: detail = psprintf("Field \"%s\" appears twice.", word); break;
    case Kind::kWidth:
      detail = psprintf("Field \"%s\" has %lld bits; it must have 1 to %lld.", word,
                        static_cast<long long>(error.value), static_cast<long long>(error.max));
      break;
    case Kind::kSum:
      detail = psprintf("The fields have %lld bits in total; an id has 63 bits, or %lld if the highest is zero.",
                        static_cast<long long>(error.value), static_cast<long long>(error.max));
      break;
    case Kind::kNoTime: detail = "The layout has no time field."; break;
    case Kind::kNone: break;
  }
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid layout"),
                  detail != nullptr ? errdetail("%s", detail) : 0, errhint("%s", kLayoutHint)));
}

int64 UnitUs(const Interval& unit) {
  int64 us;
  const bool fits = unit.month == 0 && !__builtin_mul_overflow(int64{unit.day}, USECS_PER_DAY, &us) &&
                    !__builtin_add_overflow(us, unit.time, &us) && us >= 1 && us <= kLongestUnitUs;
  if (!fits)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid unit"),
                    errdetail("The unit is %s; it must be from 1 us to 1 day.",
                              DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&unit))))));
  return us;
}

int64 EpochMs(TimestampTz epoch) {
  const bool finite = !TIMESTAMP_NOT_FINITE(epoch);
  const int64 us = finite ? UnixUs(epoch) : 0;
  if (!finite || us < 0 || us % core::kUsPerMs != 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid epoch"),
                    errdetail("%s is not a whole number of milliseconds since 1970-01-01 00:00 UTC.",
                              timestamptz_to_str(epoch))));
  return us / core::kUsPerMs;
}

uint64 Fixed(const char* name, const core::Field& field, const int32* value) {
  if (value == nullptr) return 0;
  if (!field.Present())
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the layout has no %s field", name),
                    errdetail("%s_id is %d.", name, *value),
                    errhint("Omit %s_id, or add the field to the layout, as in \"%s:5\".", name, name)));
  if (*value < 0 || !field.Fits(static_cast<uint64>(*value)))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s_id %d does not fit the layout", name, *value),
                    errdetail("The layout's %s field has %d bits and holds 0 to %llu.", name, field.width,
                              static_cast<unsigned long long>(field.MaxValue()))));
  return static_cast<uint64>(*value);
}

}  // namespace

core::GeneratorDefinition ParseDefinition(const DefinitionText& given) {
  core::GeneratorDefinition definition;
  if (given.layout != nullptr) {
    std::string_view fields(VARDATA_ANY(given.layout), static_cast<size_t>(VARSIZE_ANY_EXHDR(given.layout)));
    if (const core::Preset* preset = core::FindPreset(fields)) {
      definition.layout.epoch_ms = preset->epoch_ms;
      definition.unit_us = preset->unit_us;
      fields = preset->fields;
    }
    const LayoutError error = core::ParseLayout(fields, &definition.layout);
    if (error.kind != LayoutError::Kind::kNone) RaiseLayoutError(error);
  }
  if (given.epoch != nullptr) definition.layout.epoch_ms = EpochMs(*given.epoch);
  if (given.unit != nullptr) definition.unit_us = UnitUs(*given.unit);
  definition.layout.unit_ms = definition.unit_us / core::kUsPerMs;
  core::Layout& layout = definition.layout;
  layout.fixed = layout.region.Put(Fixed("region", layout.region, given.region)) |
                 layout.app.Put(Fixed("app", layout.app, given.app));
  return definition;
}

void CheckIssuable(const core::GeneratorDefinition& definition) {
  const auto refuse = [](const char* detail, const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot issue ids in this layout"),
                    errdetail("%s", detail), errhint("%s", hint)));
  };
  switch (core::Issuable(definition)) {
    case Obstacle::kTimeNotFirst:
      return refuse("Its first field is not time, so ids would not increase.",
                    "Put the time field first. To read ids of any layout, use idgen_decode_layout().");
    case Obstacle::kNoWorker:
      return refuse("It has no worker field, so two servers would issue the same ids.",
                    "Add one, as in \"worker:10\". To read ids of any layout, use idgen_decode_layout().");
    case Obstacle::kUnit:
      return refuse(psprintf("A tick of %lld us is not a whole number of milliseconds.",
                             static_cast<long long>(definition.unit_us)),
                    "Use a unit of 1 ms or a multiple. To read ids of any unit, use idgen_decode_layout().");
    case Obstacle::kEndsTooLate:
      return refuse(
          psprintf("Its time field of %d bits would end after the year 294246.", definition.layout.time.width),
          "Move bits to the sequence or the worker field.");
    case Obstacle::kNone: break;
  }
}

core::GeneratorDefinition DefinitionOfArguments(FunctionCallInfo fcinfo, int first) {
  const auto given = [fcinfo, first](int n) { return first + n < PG_NARGS() && !PG_ARGISNULL(first + n); };
  const TimestampTz epoch = given(1) ? PG_GETARG_TIMESTAMPTZ(first + 1) : 0;
  const int32 region = given(3) ? PG_GETARG_INT32(first + 3) : 0;
  const int32 app = given(4) ? PG_GETARG_INT32(first + 4) : 0;
  return ParseDefinition({.layout = given(0) ? PG_GETARG_TEXT_PP(first) : nullptr,
                          .epoch = given(1) ? &epoch : nullptr,
                          .unit = given(2) ? PG_GETARG_INTERVAL_P(first + 2) : nullptr,
                          .region = given(3) ? &region : nullptr,
                          .app = given(4) ? &app : nullptr});
}

}  // namespace idgen::pg
