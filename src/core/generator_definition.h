// A layout as people write it, and what follows from it: "time:41,worker:10,sequence:12", from the highest bit down,
// with an epoch and the length of a tick; and the layouts that are known by name.
//
// Every id that such a definition describes can be read. Ids can be issued where Issuable() says so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/decode.h"
#include "core/layout.h"
#include "core/time.h"

namespace idgen::core {

struct GeneratorDefinition {
  Layout layout = kDefaultLayout;
  int64_t unit_us = kUsPerMs;  // layout.unit_ms is this in whole milliseconds: 0 for ids that can only be read

  constexpr bool operator==(const GeneratorDefinition&) const noexcept = default;
};

struct LayoutError {
  enum class Kind : uint8_t {
    kNone,
    kEmpty,         // no field at all
    kSyntax,        // a word that is not `field:width`
    kUnknownField,  // not time, region, datacenter, app, worker, sequence
    kTwice,         // a field that was there before: an id could be read in two ways
    kWidth,         // `value` bits, while the field takes 1 to `most`
    kSum,           // `value` bits together, of `most`
    kNoTime,
  };
  Kind kind = Kind::kNone;
  std::string_view word;  // of the text
  int64_t value = 0;
  int64_t most = 0;
};

// Sets the fields of `layout`, and leaves its epoch and unit alone.
LayoutError ParseLayout(std::string_view text, Layout* layout) noexcept;

// The field list of a layout, from the highest bit down, and its length. Each field is named in one way.
inline constexpr size_t kLayoutTextBytes = 64;
size_t WriteLayout(const Layout& layout, char (&text)[kLayoutTextBytes]) noexcept;

struct Preset {
  const char* name;
  const char* fields;
  int64_t epoch_ms;
  int64_t unit_us;
};

// nullptr for a name that is none.
const Preset* FindPreset(std::string_view name) noexcept;
// All of them; the last one has no name.
extern const Preset kPresets[];

// Why no ids can be issued by a definition.
enum class Obstacle : uint8_t {
  kNone,
  kTimeNotFirst,  // ids would not grow with time
  kNoWorker,      // servers would repeat each other's ids
  kUnit,          // not a whole number of milliseconds from 1 on
  kEndsTooLate,   // the time field reaches beyond 2^63 Unix microseconds
};
Obstacle Issuable(const GeneratorDefinition& definition) noexcept;

constexpr unsigned TotalBits(const Layout& layout) noexcept {
  return layout.time.width + layout.region.width + layout.app.width + layout.worker.width + layout.sequence.width;
}

// The bits that an id of this layout may have set.
constexpr uint64_t IdMask(const Layout& layout) noexcept {
  const unsigned bits = TotalBits(layout);
  return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}

// The layout of the line that ids are issued on: what determines their bits, and no more. Layouts that differ in how
// long their time lasts, or in what they call their fixed bits, would give the same ids, so they share a line, whose
// time reaches to the highest bit of a positive number.
constexpr Layout LineLayout(Layout layout) noexcept {
  layout.time.width = static_cast<uint8_t>(63 - layout.time.shift);
  layout.region = layout.app = {};
  return layout;
}

// The last tick of which a positive id can be made: a time field that reaches the highest bit is used while that bit is
// zero.
constexpr uint64_t LastTick(const Layout& layout) noexcept {
  return (uint64_t{1} << std::min<unsigned>(layout.time.width, 63u - layout.time.shift)) - 1;
}
// One past the last position on that line of which an id of this layout can be made. The layout is one in which ids can
// be issued: where time is not first, positions have no meaning, and could need more than 64 bits.
constexpr uint64_t EndOfIds(const Layout& layout) noexcept { return (LastTick(layout) + 1) << layout.sequence.width; }

// Of one worker. At most 2^63 - 1.
int64_t IdsPerSecond(const GeneratorDefinition& definition) noexcept;

// When the last tick of which a positive id can be made ends, in Unix microseconds; nullopt past 2^63.
std::optional<int64_t> EndUs(const GeneratorDefinition& definition) noexcept;

// When the id's tick began, in Unix microseconds; nullopt past 2^63.
std::optional<int64_t> TimestampUs(const GeneratorDefinition& definition, uint64_t id) noexcept;

// Where a time cuts the ids of a definition whose time comes first, so that for every id of it
//   id >= MinId(t)  is  TimestampUs(id) >= t      and      id <= MaxId(t)  is  TimestampUs(id) <= t.
// MinId is nullopt where every id is earlier and no bigint is larger than all of them.
std::optional<int64_t> MinId(const GeneratorDefinition& definition, int64_t unix_us) noexcept;
// -1 where every id is later.
int64_t MaxId(const GeneratorDefinition& definition, int64_t unix_us) noexcept;

}  // namespace idgen::core
