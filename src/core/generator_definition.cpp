// Layouts as text, presets, and the arithmetic of ticks that may be shorter than a millisecond.
#include "core/generator_definition.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/decimal.h"

namespace idgen::core {
namespace {

using Kind = LayoutError::Kind;
using Wide = __int128;

constexpr int64_t kIdgenEpochMs = kDefaultLayout.epoch_ms;

struct NamedField {
  std::string_view name;
  Field Layout::*field;
  unsigned max_width;  // so that its values fit the SQL types in which they are passed
};
// The first name of a field is the one that is written; "datacenter" is only read.
constexpr NamedField kFields[] = {
    {"time", &Layout::time, 63},     {"region", &Layout::region, 31},     {"app", &Layout::app, 31},
    {"worker", &Layout::worker, 31}, {"sequence", &Layout::sequence, 63}, {"datacenter", &Layout::region, 31},
};

std::string_view Trim(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// -1 if the text is not a number of at most three digits.
int64_t ParseWidth(std::string_view text) noexcept {
  int64_t value;
  return text.size() <= 3 && ReadDigits(text, INT64_MAX, &value) ? value : -1;
}

LayoutError ParseField(std::string_view word, Layout* layout, NamedField const** parsed) noexcept {
  const size_t colon = word.find(':');
  if (colon == std::string_view::npos) return {.kind = Kind::kSyntax, .word = word};
  const std::string_view name = Trim(word.substr(0, colon));
  const int64_t width = ParseWidth(Trim(word.substr(colon + 1)));
  const NamedField* named =
      std::find_if(std::begin(kFields), std::end(kFields), [name](const NamedField& f) { return f.name == name; });
  if (named == std::end(kFields)) return {.kind = Kind::kUnknownField, .word = name};
  if (width < 0) return {.kind = Kind::kSyntax, .word = word};
  if (width < 1 || width > named->max_width)
    return {.kind = Kind::kWidth, .word = name, .value = width, .max = named->max_width};
  Field& field = layout->*named->field;
  if (field.Present()) return {.kind = Kind::kTwice, .word = name};
  field.width = static_cast<uint8_t>(width);
  *parsed = named;
  return {};
}

std::optional<int64_t> Narrow(Wide value) noexcept {
  if (value > std::numeric_limits<int64_t>::max() || value < std::numeric_limits<int64_t>::min()) return std::nullopt;
  return static_cast<int64_t>(value);
}

// Unix microseconds at which a tick begins.
Wide TickUs(const GeneratorDefinition& definition, uint64_t tick) noexcept {
  return Wide{definition.layout.epoch_ms} * kUsPerMs + Wide(tick) * definition.unit_us;
}

Wide FloorDivWide(Wide value, Wide by) noexcept { return value / by - (value % by < 0 ? 1 : 0); }

}  // namespace

const Preset kPresets[] = {
    {"snowflake", "time:41,worker:10,sequence:12", kIdgenEpochMs, 1000},
    {"genesis", "time:41,region:5,worker:5,sequence:12", 0, 1000},
    {"sonyflake", "time:39,sequence:8,worker:16", 1409529600000, 10000},                // 2014-09-01
    {"goflakeid", "time:42,region:4,app:3,worker:5,sequence:10", 1577836800000, 1000},  // 2020-01-01
    {"discord", "time:42,worker:5,app:5,sequence:12", 1420070400000, 1000},             // 2015-01-01
    {"twitter", "time:41,region:5,worker:5,sequence:12", 1288834974657, 1000},          // 2010-11-04 01:42:54.657
    {"instagram", "time:41,worker:13,sequence:10", 1314220021721, 1000},                // 2011-08-24 21:07:01.721
    {"js53", "time:41,worker:6,sequence:6", kIdgenEpochMs, 1000},
    {"wide", "time:41,worker:6,sequence:16", kIdgenEpochMs, 1000},
    {nullptr, nullptr, 0, 0},
};

const Preset* FindPreset(std::string_view name) noexcept {
  for (const Preset* preset = kPresets; preset->name != nullptr; ++preset)
    if (name == preset->name) return preset;
  return nullptr;
}

LayoutError ParseLayout(std::string_view text, Layout* layout) noexcept {
  for (const NamedField& named : kFields) layout->*named.field = {};
  layout->fixed = 0;
  const NamedField* order[std::size(kFields)];
  size_t count = 0;
  if (Trim(text).empty()) return {.kind = Kind::kEmpty, .word = {}};
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string_view word = Trim(text.substr(0, comma));
    IDGEN_CHECK(count < std::size(order));  // no field comes twice
    if (more) text.remove_prefix(comma + 1);
    if (const LayoutError error = ParseField(word, layout, &order[count]); error.kind != Kind::kNone) return error;
    ++count;
  }
  const unsigned bits = TotalBits(*layout);
  if (bits > 64) return {.kind = Kind::kSum, .word = {}, .value = bits, .max = 64};
  if (!layout->time.Present()) return {.kind = Kind::kNoTime, .word = {}};
  uint8_t shift = 0;
  for (size_t i = count; i-- > 0;) {
    Field& field = layout->*order[i]->field;
    field.shift = shift;
    shift = static_cast<uint8_t>(shift + field.width);
  }
  return {};
}

size_t WriteLayout(const Layout& layout, char (&text)[kLayoutTextBytes]) noexcept {
  size_t length = 0;
  const auto put = [&](std::string_view part) {
    IDGEN_CHECK(length + part.size() < sizeof text);
    memcpy(text + length, part.data(), part.size());
    length += part.size();
  };
  for (int top = 64; top > 0;) {
    const NamedField* next = nullptr;
    for (const NamedField& named : kFields) {
      const Field& field = layout.*named.field;
      const bool below = field.Present() && field.shift + field.width <= top;
      if (below && (next == nullptr || field.shift > (layout.*next->field).shift)) next = &named;
    }
    if (next == nullptr) break;
    const Field& field = layout.*next->field;
    if (length > 0) put(",");
    put(next->name);
    put(":");
    if (field.width >= 10) text[length++] = static_cast<char>('0' + field.width / 10);
    text[length++] = static_cast<char>('0' + field.width % 10);
    top = field.shift;
  }
  IDGEN_CHECK(length < sizeof text);
  text[length] = '\0';
  return length;
}

Obstacle Issuable(const GeneratorDefinition& definition) noexcept {
  const Layout& layout = definition.layout;
  if (!IsTimeFirst(layout)) return Obstacle::kTimeNotFirst;
  if (!layout.worker.Present()) return Obstacle::kNoWorker;
  if (definition.unit_us < kUsPerMs || definition.unit_us % kUsPerMs != 0) return Obstacle::kUnit;
  if (!EndUs(definition)) return Obstacle::kEndsTooLate;
  return Obstacle::kNone;
}

int64_t IdsPerSecond(const GeneratorDefinition& definition) noexcept {
  const Wide ids = (Wide{1} << definition.layout.sequence.width) * kUsPerSecond / definition.unit_us;
  return Narrow(ids).value_or(std::numeric_limits<int64_t>::max());
}

std::optional<int64_t> EndUs(const GeneratorDefinition& definition) noexcept {
  return Narrow(TickUs(definition, LastTick(definition.layout) + 1));
}

std::optional<int64_t> TimestampUs(const GeneratorDefinition& definition, uint64_t id) noexcept {
  int64_t since_epoch_us;
  int64_t unix_us;
  const uint64_t tick = definition.layout.time.Get(id);
  if (__builtin_mul_overflow(tick, definition.unit_us, &since_epoch_us) ||
      __builtin_add_overflow(since_epoch_us, definition.layout.epoch_ms * kUsPerMs, &unix_us))
    return std::nullopt;
  return unix_us;
}

std::optional<int64_t> MinId(const GeneratorDefinition& definition, int64_t unix_us) noexcept {
  const Layout& layout = definition.layout;
  const Wide since_epoch_us = Wide{unix_us} - Wide{layout.epoch_ms} * kUsPerMs;
  const Wide tick = -FloorDivWide(-since_epoch_us, definition.unit_us);  // rounded up
  if (tick <= 0) return 0;
  if (tick <= Wide(LastTick(layout))) return static_cast<int64_t>(layout.time.Put(static_cast<uint64_t>(tick)));
  const uint64_t past_all = (LastTick(layout) + 1) << layout.time.shift;
  if (past_all > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return static_cast<int64_t>(past_all);
}

int64_t MaxId(const GeneratorDefinition& definition, int64_t unix_us) noexcept {
  const Layout& layout = definition.layout;
  const Wide since_epoch_us = Wide{unix_us} - Wide{layout.epoch_ms} * kUsPerMs;
  const Wide tick = FloorDivWide(since_epoch_us, definition.unit_us);
  if (tick < 0) return -1;
  const uint64_t last = std::min<Wide>(tick, LastTick(layout));
  return static_cast<int64_t>(layout.time.Put(last) | ((uint64_t{1} << layout.time.shift) - 1));
}

}  // namespace idgen::core
