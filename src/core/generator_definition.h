// The definition of a generator: its fields as people write them, from the highest bit down
// ("time:41,worker:10,sequence:12"), its epoch and the length of a tick, and what follows from these; and the presets.
//
// Ids of every definition can be read. Ids can be issued if Issuable() returns Obstacle::kNone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/check.h"
#include "core/decode.h"
#include "core/layout.h"
#include "core/time.h"

namespace idgen::core {

struct GeneratorDefinition {
  Layout layout = kDefaultLayout;
  int64_t unit_us = kUsPerMs;  // layout.unit_ms is this in whole milliseconds; 0 if ids can only be read

  constexpr bool operator==(const GeneratorDefinition&) const noexcept = default;
};

struct LayoutError {
  enum class Kind : uint8_t {
    kNone,
    kEmpty,         // no field at all
    kSyntax,        // a word is not `field:width`
    kUnknownField,  // not time, region, datacenter, app, worker, sequence
    kTwice,         // a field is named twice
    kWidth,         // `value` bits; the field takes 1 to `max`
    kSum,           // `value` bits in total; at most `max`
    kNoTime,
  };
  Kind kind = Kind::kNone;
  std::string_view word;  // part of the text that was parsed
  int64_t value = 0;
  int64_t max = 0;
};

// Sets the fields of `layout`, not its epoch and unit.
LayoutError ParseLayout(std::string_view text, Layout* layout) noexcept;

// Writes the field list of a layout, from the highest bit down, and a zero byte; returns the length. The name for
// region is "region", also if "datacenter" was parsed.
inline constexpr size_t kLayoutTextBytes = 64;
size_t WriteLayout(const Layout& layout, char (&text)[kLayoutTextBytes]) noexcept;

struct Preset {
  const char* name;
  const char* fields;
  int64_t epoch_ms;
  int64_t unit_us;
};

// nullptr if there is no preset of that name.
const Preset* FindPreset(std::string_view name) noexcept;
// The last one has no name.
extern const Preset kPresets[];

// Why a definition cannot issue ids.
enum class Obstacle : uint8_t {
  kNone,
  kTimeNotFirst,  // ids would not increase with time
  kNoWorker,      // two servers would issue the same ids
  kUnit,          // not a whole number of milliseconds, at least 1
  kEndsTooLate,   // the time field ends after 2^63 Unix microseconds
};
Obstacle Issuable(const GeneratorDefinition& definition) noexcept;

constexpr unsigned TotalBits(const Layout& layout) noexcept {
  return layout.time.width + layout.region.width + layout.app.width + layout.worker.width + layout.sequence.width;
}

constexpr bool IsTimeFirst(const Layout& layout) noexcept {
  return layout.time.Present() && layout.time.shift + layout.time.width == static_cast<int>(TotalBits(layout));
}

// The bits that can be set in an id of this layout.
constexpr uint64_t IdMask(const Layout& layout) noexcept {
  const unsigned bits = TotalBits(layout);
  return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}

// The layout of the line that ids are issued on, reduced to what determines their bits. Layouts that differ only in the
// width of their time or in the names of their fixed bits would issue the same ids, so they share a line, whose time
// extends to the highest bit of a positive number.
constexpr Layout LineLayout(Layout layout) noexcept {
  layout.time.width = static_cast<uint8_t>(63 - layout.time.shift);
  layout.region = layout.app = {};
  return layout;
}

// The last tick with positive ids: a time field that includes the highest bit is used while that bit is zero.
constexpr uint64_t LastTick(const Layout& layout) noexcept {
  return (uint64_t{1} << std::min<unsigned>(layout.time.width, 63u - layout.time.shift)) - 1;
}
// One past the last position on that line with an id of this layout. Time must be the layout's first field: positions
// have no meaning otherwise, and could need more than 64 bits.
constexpr uint64_t EndOfIds(const Layout& layout) noexcept {
  IDGEN_CHECK(IsTimeFirst(layout));
  return (LastTick(layout) + 1) << layout.sequence.width;
}

// The number of ids that one worker can issue per second, at most 2^63 - 1.
int64_t IdsPerSecond(const GeneratorDefinition& definition) noexcept;

// When the last tick with positive ids ends, in Unix microseconds; nullopt past 2^63.
std::optional<int64_t> EndUs(const GeneratorDefinition& definition) noexcept;

// When the id's tick began, in Unix microseconds; nullopt past 2^63.
std::optional<int64_t> TimestampUs(const GeneratorDefinition& definition, uint64_t id) noexcept;

// The bounds of a time range in ids. The definition's time comes first. For each of its ids
//   id >= MinId(t)  if and only if  TimestampUs(id) >= t
//   id <= MaxId(t)  if and only if  TimestampUs(id) <= t
// MinId is nullopt if every id is earlier and no bigint is larger than all of them.
std::optional<int64_t> MinId(const GeneratorDefinition& definition, int64_t unix_us) noexcept;
// -1 if every id is later.
int64_t MaxId(const GeneratorDefinition& definition, int64_t unix_us) noexcept;

}  // namespace idgen::core
