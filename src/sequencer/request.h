// What is asked of the store about a key, as commands, and its replies as answers. The only place that knows both the
// script's words and Redis'.
#pragma once

#include "sequencer/definition.h"
#include "sequencer/key.h"
#include "sequencer/marks.h"
#include "wire/resp.h"

namespace idgen::sequencer {

struct Operation {
  enum class Kind : uint8_t {
    kNext,
    kSegment,
    kSet,
    kSetIfNone,
    kPeek,
    kDrop,
    kGeneration,
    kWriter,
    kRaise,
    kReturn,
  };
  Kind kind = Kind::kNext;
  Definition definition;
  int64_t count = 1;  // of kNext, kSegment and kRaise; kReturn: of values that nobody got
  int64_t value = 0;  // of kSet and kSetIfNone; of kRaise: the last of the values that were told, and are not taken; of
                      // kReturn: the last of those that nobody got
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
  bool had = false;  // kPeek, kDrop: there was a value; kFull: `last` is known; kSet…: it was set; kRaise: no later
                     // generation has come; kReturn: it was done
  int64_t last = 0;  // kPeek, kFull: the last value given
  int64_t generation =
      0;                // kSet…, kDrop: the new one; kGeneration; kRaise: the later one; kSegment: that of the values
  uint64_t writer = 0;  // kWriter: another number for a store that was restarted, failed over to or synchronized anew
  Grant grant;          // kNext, kSegment, kRaise
  char problem[128] = {};  // one line of printable characters
};

constexpr bool ChangesSomething(const Operation& operation) noexcept {
  using Kind = Operation::Kind;
  return operation.kind != Kind::kPeek && operation.kind != Kind::kGeneration && operation.kind != Kind::kWriter;
}

// How the script is named to the store.
enum class ScriptCall : uint8_t { kBySha, kWhole };

// Whether the operation is one plain command.
bool IsPlain(const Operation& operation, bool by_script) noexcept;

// Adds the one command that asks for it. `sha` is the script's, of 40 digits.
void AddRequest(const Operation& operation, const StoreKey& key, bool by_script, ScriptCall call, const char* sha,
                wire::Commands* commands) noexcept;

// Sets the answer. Leaves it kUnasked where the reply says that the command was not carried out for a reason that
// asking again, elsewhere or otherwise, may mend: MOVED and the like, NOSCRIPT, an INCRBY that would overflow
// (by_script is set).
void ReadReply(const Operation& operation, const redisReply* reply, Answer* answer) noexcept;

bool SaysNoScript(const redisReply* reply) noexcept;

}  // namespace idgen::sequencer
