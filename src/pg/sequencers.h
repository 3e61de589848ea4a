// Sequencers by name: what a session knows of the table idgen_sequencer.
//
// As with generators, the table's trigger (sequencer_table.cpp) sends the invalidation that rows don't send.
#pragma once

#include "pg/pg.h"

#include "sequencer/definition.h"
#include "sequencer/key.h"

namespace idgen::pg {

inline constexpr const char* kSequencerTable = "idgen_sequencer";

struct Sequencer {
  char name[NAMEDATALEN];
  sequencer::Definition definition;
  char prefix[sequencer::kPrefixBuffer];  // that of this database, where none was chosen
};

// The sequencer that argument `argument`, not NULL, names; raises 42704 where there is none. Valid until the next call.
const Sequencer& FetchSequencer(FunctionCallInfo fcinfo, int argument);

// Columns of the table.
enum SequencerColumn {
  kSequencerName = 1,
  kSequencerPrefix,
  kSequencerStart,
  kSequencerStep,
  kSequencerMaxValue,
  kSequencerCycle,
  kSequencerTtl,
  kSequencerTtlMode,
  kSequencerCache,
  kSequencerComment,
  kSequencerBuiltIn,
  kSequencerColumns = kSequencerBuiltIn,
};

// A definition as SQL gives it; nullptr: not given.
struct SequencerText {
  const text* prefix;
  const int64* start;
  const int64* step;
  const int64* max_value;
  const bool* cycle;
  const Interval* ttl;
  const text* ttl_mode;
  const int32* cache;
};

inline constexpr const char* kFromFirstUse = "from first use";
inline constexpr const char* kSliding = "sliding";

// Raises 22023 with what is wrong with it; 0A000 for what there is not yet.
sequencer::Definition ParseSequencer(const SequencerText& given);

// The definition in a row, judged anew: a row may have come in past the trigger.
sequencer::Definition DefinitionOfSequencerRow(HeapTuple row, TupleDesc descriptor);

}  // namespace idgen::pg
