// What a sequence store is asked about a key, and what it answers, whichever store it is.
#pragma once

#include "sequencer/definition.h"
#include "sequencer/key.h"
#include "sequencer/marks.h"

namespace idgen::sequencer {

struct Operation {
  enum class Kind : uint8_t {
    kNext,       // gives `count` values
    kSegment,    // gives a segment of `count` values, with a number
    kSet,        // the last value is `value` from now on, under a new generation
    kSetIfNone,  // the same, if the key has no value
    kPeek,       // returns the last value
    kDrop,       // deletes the key, under a new generation
    kWriter,     // returns the writer: the store's process
    kRaise,      // unless a later generation has come: raises the value to `mark`; then gives as kNext or kSegment does
    kReturn,     // takes back `count` values that end with `value`, if the store has given none after them
  };
  Kind kind = Kind::kNext;
  Definition definition;
  int64_t count = 1;
  int64_t value = 0;  // of kRaise: the store gives rejected values again if this one is its latest; kNoValue: none
  bool with_generation = false;  // of kNext: the answer has the generation, too, as that of kSegment does
  int64_t number = 0;            // of kReturn: of the segment that the values belong to
  // Of kRaise. Of kReturn the generation alone: of the values. Of kSet, kSetIfNone and kDrop the generation alone: the
  // new one is later, in a store that has no clock.
  Mark mark = {};
  uint64_t only_over = 0;  // of kRaise: is carried out over this connection, or not at all; 0: over any
};

struct Answer {
  enum class Outcome : uint8_t {
    kUnasked,  // not carried out
    kOk,
    kFull,       // fewer than `count` values are left before the maximum; none was given
    kNotAValue,  // the key holds something that is no value of a sequence
    kWrongType,  // the key holds something that is no string
    kRefused,    // `problem` says why, in the store's words
    kMisread,    // the reply does not fit the request
  };
  Outcome outcome = Outcome::kUnasked;
  bool by_script = false;  // a plain INCRBY is not enough: the next attempt uses the script
  // kPeek, kDrop: there was a value. kFull: `last` is known. kSet, kSetIfNone: it was set. kRaise: it was raised, as no
  // later generation has come. kReturn: the values were taken back.
  bool had = false;
  int64_t last = 0;           // kPeek, kFull: the last value given
  int64_t generation = 0;     // kSet, kSetIfNone, kDrop: the new one; kSegment, kRaise: of the values; kNext, if it was
                              // asked for: of the values, or an earlier one
  int64_t number = 0;         // kSegment, and kRaise for one: no other segment of the key has it
  int64_t number_before = 0;  // of the segment that the store gave before it, to any server; 0: none
  uint64_t writer = 0;        // kWriter: changes when the store is restarted, fails over or resynchronizes; 0: unknown
  Grant grant;                // kNext, kSegment, kRaise
  char problem[128] = {};     // one line of printable characters
  const char* advice = nullptr;  // kRefused: what to do about it, as a full sentence, if the store's kind knows
};

constexpr bool ChangesSomething(const Operation& operation) noexcept {
  using Kind = Operation::Kind;
  return operation.kind != Kind::kPeek && operation.kind != Kind::kWriter;
}

}  // namespace idgen::sequencer
