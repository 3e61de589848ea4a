// What a sequence store is asked about a key, and what it answers, whichever store it is.
#pragma once

#include "sequencer/definition.h"
#include "sequencer/key.h"
#include "sequencer/marks.h"

namespace idgen::sequencer {

struct Operation {
  enum class Kind : uint8_t {
    kNext,
    kSegment,
    kSet,
    kSetIfNone,
    kPeek,
    kDrop,
    kWriter,
    kRaise,
    kReturn,
  };
  Kind kind = Kind::kNext;
  Definition definition;
  int64_t count = 1;  // of kNext, kSegment and kRaise; kReturn: of values that nobody got
  int64_t value = 0;  // of kSet and kSetIfNone; of kRaise: the last of the values that were told, and are not taken; of
                      // kReturn: the last of those that nobody got
  bool with_generation = false;  // of kNext: the answer says it, too, as that of kSegment does
  int64_t number = 0;            // of kReturn: of their segment
  Mark mark = {};  // of kRaise: raises the value to it, unless a later generation has come, and takes the next ones; of
                   // kReturn, the generation alone: when they were given
};

struct Answer {
  enum class Outcome : uint8_t {
    kUnasked,  // nobody has carried it out
    kOk,
    kFull,       // of kNext: they don't fit before the maximum; none was taken
    kNotAValue,  // what stands there is no value of this sequencer
    kWrongType,  // what stands there is no string
    kRefused,    // `problem`, in the store's words
    kMisread,    // not an answer to this
  };
  Outcome outcome = Outcome::kUnasked;
  bool by_script = false;  // a plain INCRBY would not do: next time the script is asked
  bool had = false;  // kPeek, kDrop: there was a value; kFull: `last` is known; kSet…: it was set; kRaise: it was
                     // raised, since no later generation has come; kReturn: it was done
  int64_t last = 0;  // kPeek, kFull: the last value given
  int64_t generation = 0;     // kSet…, kDrop: the new one; kSegment, kRaise: that of the values; kNext, where it
                              // was asked for: that of the values, or one of before
  int64_t number = 0;         // kSegment, and kRaise for one: no other segment has it
  int64_t number_before = 0;  // and the one that was taken before it, by whomever; 0: none
  uint64_t writer = 0;  // kWriter: another number for a store that was restarted, failed over to or synchronized anew
  Grant grant;          // kNext, kSegment, kRaise
  char problem[128] = {};  // one line of printable characters
};

constexpr bool ChangesSomething(const Operation& operation) noexcept {
  using Kind = Operation::Kind;
  return operation.kind != Kind::kPeek && operation.kind != Kind::kWriter;
}

}  // namespace idgen::sequencer
