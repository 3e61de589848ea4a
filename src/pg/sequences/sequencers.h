// Sequencers by name: what a session knows of the table idgen_sequencer.
#pragma once

#include "pg/base/pg.h"

#include "pg/catalog/named_table.h"
#include "sequencer/definition.h"
#include "sequencer/key.h"

namespace idgen::pg {

struct Sequencer {
  char name[NAMEDATALEN];
  sequencer::Definition definition;
  char prefix[sequencer::kPrefixBuffer];  // that of this database, where none was chosen
};

// The sequencer that argument `argument`, not NULL, names; raises 42704 where there is none. Valid until the next call.
const Sequencer& FetchSequencer(FunctionCallInfo fcinfo, int argument);

extern NamedTable sequencers;

// Columns of the table.
enum SequencerColumn {
  kSequencerPrefix = kNameColumn + 1,
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

// What its keys begin with in the store: as it was chosen, or from the names of database and sequencer.
void PrefixOfRow(HeapTuple row, TupleDesc descriptor, char (&prefix)[sequencer::kPrefixBuffer]);

}  // namespace idgen::pg
