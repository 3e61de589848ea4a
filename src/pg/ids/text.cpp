// Text forms: idgen_to_base32() and idgen_from_base32(), the same for base58, base62, hex and unsigned; uuid_to_ulid()
// and uuid_from_ulid().
#include "pg/base/pg.h"

#include "core/text_form.h"

#include <cstring>
#include <string_view>

using namespace idgen;

namespace {

// A text form as errors describe it.
struct Form {
  const char* what;    // what the text should be
  const char* reader;  // the function that reads it
  const char* syntax;  // sentences: which texts it accepts
};

constexpr Form kIdForms[] = {
    {"a base32 id", "idgen_from_base32()",
     "A base32 id has 13 characters of 0-9 and A-Z without U, in either case, and no separators. I and L are read as "
     "1, "
     "O as 0."},
    {"a base58 id", "idgen_from_base58()",
     "A base58 id has 1 to 11 characters of 1-9, A-Z and a-z without I, O and l. Case matters, and only the id 0 "
     "begins "
     "with 1."},
    {"a base62 id", "idgen_from_base62()", "A base62 id has 11 characters of 0-9, A-Z and a-z. Case matters."},
    {"a hex id", "idgen_from_hex()", "A hex id has 16 characters of 0-9 and a-f, in either case, and no prefix."},
    {"an unsigned id", "idgen_from_unsigned()",
     "An unsigned id has 1 to 20 digits, no sign, no spaces and no leading zeros. A number with a sign can be cast to "
     "bigint."},
};
constexpr Form kUlid = {"a ULID", "uuid_from_ulid()",
                        "A ULID has 26 characters of 0-9 and A-Z without U, in either case, and no separators, and "
                        "begins with 0 to 7. The text of a UUID can be cast to uuid."};

constexpr core::TextForm kAllForms[] = {core::TextForm::kBase32, core::TextForm::kBase58, core::TextForm::kBase62,
                                        core::TextForm::kHex, core::TextForm::kUnsigned};
static_assert(lengthof(kIdForms) == lengthof(kAllForms));

const Form& NameOf(core::TextForm form) { return kIdForms[static_cast<size_t>(form)]; }

std::string_view TextArgument(FunctionCallInfo fcinfo) {
  const text* argument = PG_GETARG_TEXT_PP(0);
  return {VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)};
}

// As much of the text as a message should show, without splitting a character.
const char* Quoted(std::string_view text) {
  constexpr int kShown = 64;
  const int size = static_cast<int>(text.size());
  const int shown = pg_mbcliplen(text.data(), size, kShown);
  return psprintf("\"%.*s\"%s", shown, text.data(), shown < size ? "..." : "");
}

// The first character of `from`, or its first byte in hex if it is not printable or the encoding is unknown.
const char* Character(std::string_view from) {
  const auto byte = static_cast<uint8>(from[0]);
  const int encoding = GetDatabaseEncoding();
  const int size = pg_encoding_mblen(encoding, from.data());
  const bool shown =
      byte < 0x80 ? byte >= ' ' && byte != 0x7F : encoding != PG_SQL_ASCII && static_cast<size_t>(size) <= from.size();
  return shown ? psprintf("\"%.*s\"", size, from.data()) : psprintf("the byte 0x%02x", byte);
}

// What the form accepts, and which functions accept the text as it is.
const char* Hint(const Form& form, std::string_view text) {
  StringInfoData hint;
  initStringInfo(&hint);
  appendStringInfoString(&hint, form.syntax);
  const int alone = hint.len;
  const auto add = [&hint, alone](const Form& other) {
    appendStringInfo(&hint, "%s%s", hint.len == alone ? " This text can be read by " : " or ", other.reader);
  };
  for (const core::TextForm other : kAllForms)
    if (core::ReadText(other, text).fault == core::TextFault::kNone) add(NameOf(other));
  if (core::ReadUlid(text).fault == core::TextFault::kNone) add(kUlid);
  if (hint.len != alone) appendStringInfoChar(&hint, '.');
  return hint.data;
}

// `largest` is the text of the largest value.
[[noreturn, gnu::cold, gnu::noinline]] void Refuse(const Form& form, std::string_view text, core::TextFault fault,
                                                   size_t position, std::string_view largest) {
  const bool too_large = fault == core::TextFault::kTooLarge;
  const char* detail = nullptr;
  switch (fault) {
    case core::TextFault::kCharacter:
      detail = psprintf("Character %zu is %s.", position + 1, Character(text.substr(position)));
      break;
    case core::TextFault::kLeadingZero: detail = psprintf("It begins with \"%c\", the digit for zero.", text[0]); break;
    case core::TextFault::kTooLarge:
      detail = psprintf("The largest value is \"%.*s\".", static_cast<int>(largest.size()), largest.data());
      break;
    default: detail = psprintf("It has %zu characters.", text.size());
  }
  ereport(ERROR, (errcode(too_large ? ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE : ERRCODE_INVALID_TEXT_REPRESENTATION),
                  too_large ? errmsg("%s is too large for %s", Quoted(text), form.what)
                            : errmsg("%s is not %s", Quoted(text), form.what),
                  errdetail_internal("%s", detail), errhint("%s", Hint(form, text))));
}

template <size_t kMaxChars, class Write>
Datum NewText(Write write) {
  auto* result = static_cast<text*>(palloc(VARHDRSZ + kMaxChars));
  SET_VARSIZE(result, VARHDRSZ + write(VARDATA(result)));
  PG_RETURN_TEXT_P(result);
}

Datum ToText(core::TextForm form, FunctionCallInfo fcinfo) {
  const auto id = static_cast<uint64>(PG_GETARG_INT64(0));
  return NewText<core::kMaxTextChars>([form, id](char* out) { return core::WriteText(form, id, out); });
}

Datum FromText(core::TextForm form, FunctionCallInfo fcinfo) {
  const std::string_view text = TextArgument(fcinfo);
  const core::ReadId read = core::ReadText(form, text);
  if (unlikely(read.fault != core::TextFault::kNone)) {
    char largest[core::kMaxTextChars];
    const size_t size = core::WriteText(form, PG_UINT64_MAX, largest);
    Refuse(NameOf(form), text, read.fault, read.position, {largest, size});
  }
  PG_RETURN_INT64(static_cast<int64>(read.id));
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_to_base32);
PGDLLEXPORT Datum idgen_sql_to_base32(PG_FUNCTION_ARGS) { return ToText(core::TextForm::kBase32, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_from_base32);
PGDLLEXPORT Datum idgen_sql_from_base32(PG_FUNCTION_ARGS) { return FromText(core::TextForm::kBase32, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_to_base58);
PGDLLEXPORT Datum idgen_sql_to_base58(PG_FUNCTION_ARGS) { return ToText(core::TextForm::kBase58, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_from_base58);
PGDLLEXPORT Datum idgen_sql_from_base58(PG_FUNCTION_ARGS) { return FromText(core::TextForm::kBase58, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_to_base62);
PGDLLEXPORT Datum idgen_sql_to_base62(PG_FUNCTION_ARGS) { return ToText(core::TextForm::kBase62, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_from_base62);
PGDLLEXPORT Datum idgen_sql_from_base62(PG_FUNCTION_ARGS) { return FromText(core::TextForm::kBase62, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_to_hex);
PGDLLEXPORT Datum idgen_sql_to_hex(PG_FUNCTION_ARGS) { return ToText(core::TextForm::kHex, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_from_hex);
PGDLLEXPORT Datum idgen_sql_from_hex(PG_FUNCTION_ARGS) { return FromText(core::TextForm::kHex, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_to_unsigned);
PGDLLEXPORT Datum idgen_sql_to_unsigned(PG_FUNCTION_ARGS) { return ToText(core::TextForm::kUnsigned, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_from_unsigned);
PGDLLEXPORT Datum idgen_sql_from_unsigned(PG_FUNCTION_ARGS) { return FromText(core::TextForm::kUnsigned, fcinfo); }

PG_FUNCTION_INFO_V1(idgen_sql_uuid_to_ulid);
PGDLLEXPORT Datum idgen_sql_uuid_to_ulid(PG_FUNCTION_ARGS) {
  core::Uuid uuid;
  memcpy(uuid.bytes, PG_GETARG_UUID_P(0)->data, sizeof uuid.bytes);
  return NewText<core::kUlidChars>([&uuid](char* out) { return core::WriteUlid(uuid, out); });
}

PG_FUNCTION_INFO_V1(idgen_sql_uuid_from_ulid);
PGDLLEXPORT Datum idgen_sql_uuid_from_ulid(PG_FUNCTION_ARGS) {
  const std::string_view text = TextArgument(fcinfo);
  const core::ReadUuid read = core::ReadUlid(text);
  if (unlikely(read.fault != core::TextFault::kNone))
    Refuse(kUlid, text, read.fault, read.position, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  auto* result = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
  memcpy(result->data, read.uuid.bytes, sizeof read.uuid.bytes);
  PG_RETURN_UUID_P(result);
}

}  // extern "C"
