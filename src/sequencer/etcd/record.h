// A sequence as etcd stores it: one key, whose value is a short text.
//
//   17        the last value is 17
//   0+1v      the last value is 0 + 1 x version
//   -         the key was dropped
//
// A generation other than 0 follows after a blank: "0+1v 3".
//
// etcd counts in `version` how often a key was put. So whoever puts "0+1v" over "0+1v" has taken the next value, and
// the version that the same transaction reads says which. Nobody can lose against others who do the same: a
// compare-and-swap is needed only by those who change the text.
#pragma once

#include <string_view>

#include "sequencer/etcd/state.h"

namespace idgen::sequencer {

struct EtcdRecord {
  enum class Form : uint8_t { kMissing, kDropped, kValue, kCounted, kForeign };

  Form form = Form::kMissing;  // kForeign: the text is not a sequence's
  int64_t number = 0;          // kValue: the last value. kCounted: the last value at version 0, modulo 2^64
  int64_t step = 0;            // kCounted: what each put adds
  int64_t generation = 0;

  static constexpr size_t kMaxBytes = 64;

  static EtcdRecord Read(std::string_view text) noexcept;
  // Of a record that is neither missing nor foreign. Writes to `out`, which the result borrows.
  std::string_view Write(char (&out)[kMaxBytes]) const noexcept;

  // The state at a version of the key. False if the record is not a sequence's.
  bool StateAt(int64_t version, SequenceState* state) const noexcept;

  // The record that has this state; `version` is that of the put that writes it. With a step others can count on.
  static EtcdRecord Of(const SequenceState& state) noexcept;
  static EtcdRecord Counted(const SequenceState& state, int64_t step, int64_t version) noexcept;
};

// A key that counts, so many values before the maximum, is put over itself without a look at the maximum (store.h).
// Whoever does so goes by an earlier sight of the key, so a text may count only as long as all those who are late
// cannot count it past the maximum: nobody does it more than once after the key has come closer.
inline constexpr int64_t kFarFromMaximum = int64_t{1} << 40;
inline constexpr int64_t kMostLateTouches = int64_t{1} << 20;

// The last value that a text which counts may have when it is written.
int64_t CountedUpTo(const Definition& definition) noexcept;

// How to take `count` values by counting, which changes the text only if count is not 1.
struct Counting {
  static constexpr int64_t kAnyVersion = int64_t{1} << 62;  // no key is put so often

  EtcdRecord put;           // over the record
  int64_t max_version = 0;  // the record's last version at which the values may be counted
};

// The record was seen at `version`. False if counting does not do: the step differs, the values come too close to the
// maximum, or they have to start again.
bool CanCount(const Definition& definition, int64_t count, const EtcdRecord& record, int64_t version,
              Counting* counting) noexcept;

}  // namespace idgen::sequencer
