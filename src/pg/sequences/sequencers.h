// Sequencers by name: the session's cache of the table idgen_sequencer.
#pragma once

#include "pg/base/pg.h"

#include "pg/catalog/named_table.h"
#include "sequencer/definition.h"
#include "sequencer/key.h"

namespace idgen::pg {

struct Sequencer {
  char name[NAMEDATALEN];
  sequencer::Definition definition;
  char prefix[sequencer::kPrefixBuffer];  // the default of this database if none was chosen
};

// The sequencer named by argument `argument`, which is not NULL. Raises 42704 if it does not exist. Valid until the next
// call.
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

// A definition as given in SQL; nullptr: not given.
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

// Raises 22023 if it is invalid, 0A000 if it is not supported.
sequencer::Definition ParseSequencer(const SequencerText& given);

// The definition in a row, validated again: the row may have bypassed the trigger.
sequencer::Definition DefinitionOfSequencerRow(HeapTuple row, TupleDesc descriptor);

// The prefix of its keys in the store: the chosen one, or one made from the names of database and sequencer.
void PrefixOfRow(HeapTuple row, TupleDesc descriptor, char (&prefix)[sequencer::kPrefixBuffer]);

}  // namespace idgen::pg
