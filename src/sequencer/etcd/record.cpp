// Reading and writing texts, and counting.
#include "sequencer/etcd/record.h"

#include "core/decimal.h"

namespace idgen::sequencer {
namespace {

using Form = EtcdRecord::Form;

// Modulo 2^64, so that every last value can be expressed at every version.
int64_t Offset(int64_t last, int64_t step, int64_t version) noexcept {
  return static_cast<int64_t>(static_cast<uint64_t>(last) -
                              static_cast<uint64_t>(step) * static_cast<uint64_t>(version));
}
int64_t LastAt(const EtcdRecord& record, int64_t version) noexcept {
  return static_cast<int64_t>(static_cast<uint64_t>(record.number) +
                              static_cast<uint64_t>(record.step) * static_cast<uint64_t>(version));
}

bool ReadSigned(std::string_view text, int64_t* number) noexcept {
  if (!text.starts_with('-')) return core::ReadDecimal(text, number);
  if (text == "-9223372036854775808") {
    *number = INT64_MIN;
    return true;
  }
  if (!core::ReadDecimal(text.substr(1), number)) return false;
  *number = -*number;
  return true;
}

// offset+step
bool ReadCounted(std::string_view text, EtcdRecord* record) noexcept {
  const size_t plus = text.find('+');
  return plus != std::string_view::npos && ReadSigned(text.substr(0, plus), &record->number) &&
         core::ReadDecimal(text.substr(plus + 1), &record->step) && record->step > 0;
}

}  // namespace

EtcdRecord EtcdRecord::Read(std::string_view text) noexcept {
  EtcdRecord record;
  const size_t blank = text.find(' ');
  const std::string_view first = text.substr(0, blank);
  bool is_whole = blank == std::string_view::npos || core::ReadDecimal(text.substr(blank + 1), &record.generation);
  if (first == "-") {
    record.form = Form::kDropped;
  } else if (first.ends_with('v')) {
    record.form = Form::kCounted;
    is_whole = is_whole && ReadCounted(first.substr(0, first.size() - 1), &record);
  } else {
    record.form = Form::kValue;
    is_whole = is_whole && core::ReadDecimal(first, &record.number);
  }
  // Another spelling of the same record would never equal what a transaction compares it with.
  char same[kMaxBytes];
  return is_whole && record.Write(same) == text ? record : EtcdRecord{.form = Form::kForeign};
}

std::string_view EtcdRecord::Write(char (&out)[kMaxBytes]) const noexcept {
  char* at = out;
  if (form == Form::kDropped)
    *at++ = '-';
  else
    at = core::WriteDecimal(at, number);
  if (form == Form::kCounted) {
    *at++ = '+';
    at = core::WriteDecimal(at, step);
    *at++ = 'v';
  }
  if (generation != 0) {
    *at++ = ' ';
    at = core::WriteDecimal(at, generation);
  }
  return {out, static_cast<size_t>(at - out)};
}

bool EtcdRecord::StateAt(int64_t version, SequenceState* state) const noexcept {
  *state = {.has_value = false, .last = 0, .generation = generation};
  if (form == Form::kForeign) return false;
  if (form == Form::kMissing || form == Form::kDropped) return true;
  state->has_value = true;
  state->last = form == Form::kCounted ? LastAt(*this, version) : number;
  return state->last >= 0;
}

EtcdRecord EtcdRecord::Of(const SequenceState& state) noexcept {
  return {.form = state.has_value ? Form::kValue : Form::kDropped,
          .number = state.has_value ? state.last : 0,
          .generation = state.generation};
}

EtcdRecord EtcdRecord::Counted(const SequenceState& state, int64_t step, int64_t version) noexcept {
  if (!state.has_value) return Of(state);
  return {.form = Form::kCounted,
          .number = Offset(state.last, step, version),
          .step = step,
          .generation = state.generation};
}

int64_t CountedUpTo(const Definition& definition) noexcept {
  const bool may_be_far = definition.max_value / definition.step >= kFarFromMaximum;
  return may_be_far ? definition.max_value - kMostLateTouches * definition.step : definition.max_value;
}

bool CanCount(const Definition& definition, int64_t count, const EtcdRecord& record, int64_t version,
              Counting* counting) noexcept {
  const int64_t step = definition.step;
  if (record.form != Form::kCounted || record.step != step) return false;
  SequenceState state;
  if (!record.StateAt(version, &state) || (definition.Before() >= 0 && state.last < definition.Before())) return false;
  const int64_t limit = CountedUpTo(definition);
  int64_t amount;
  if (__builtin_mul_overflow(count, step, &amount) || amount > limit || state.last > limit - amount) return false;
  counting->put = record;
  counting->put.number = LastAt(record, count - 1);
  const int64_t more = (limit - amount - state.last) / step;
  if (__builtin_add_overflow(version, more, &counting->max_version) || counting->max_version > Counting::kAnyVersion)
    counting->max_version = Counting::kAnyVersion;
  return true;
}

}  // namespace idgen::sequencer
