// Derives an operation that a server may request of a sequence store from an input.
#pragma once

#include "fuzz.h"

#include "sequencer/redis/request.h"

namespace idgen::fuzz {

inline sequencer::Operation OperationOf(Input* input) {
  using sequencer::Definition;
  using Kind = sequencer::Operation::Kind;
  constexpr Kind kKinds[] = {Kind::kNext, Kind::kSegment, Kind::kSet,   Kind::kSetIfNone, Kind::kPeek,
                             Kind::kDrop, Kind::kWriter,  Kind::kRaise, Kind::kReturn};
  const auto positive = [input] { return input->Any() & INT64_MAX; };
  sequencer::Operation operation;
  const uint8_t flags = input->Byte();
  operation.kind = kKinds[input->Byte() % std::size(kKinds)];
  operation.with_generation = (flags & 1) != 0;
  Definition& definition = operation.definition;
  definition.cycle = (flags & 2) != 0;
  definition.sliding = (flags & 4) != 0;
  definition.start = positive();
  definition.step = positive();
  definition.max_value = (flags & 8) != 0 ? sequencer::kMaxValue : positive();
  definition.ttl_ms = (flags & 16) != 0 ? positive() : 0;
  definition.cache = static_cast<int32_t>(input->Number(2)) + 1;
  if (sequencer::Validate(definition) != sequencer::Fault::kNone) definition = Definition();
  operation.count = positive() % sequencer::kMaxCount + 1;
  if (definition.cycle) operation.count = std::min(operation.count, sequencer::CountOf(definition));
  operation.value = positive();
  operation.number = positive();
  operation.mark = {.generation = positive(), .value = positive()};
  // Cycles have neither marks nor segments, so nothing is raised or given back.
  const bool is_of_others = operation.kind == Kind::kRaise || operation.kind == Kind::kReturn;
  if (is_of_others && !sequencer::HasMarks(definition)) operation.definition = Definition();
  // A remainder is a part of a segment, so its size is a bigint.
  int64_t amount;
  if (operation.kind == Kind::kReturn && __builtin_mul_overflow(operation.count, definition.step, &amount))
    operation.count = 1;
  return operation;
}

}  // namespace idgen::fuzz
