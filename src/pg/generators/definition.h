// Layout, epoch, unit, region and app as SQL gives them, made into a definition or refused with the reason.
#pragma once

#include "pg/base/pg.h"

#include "core/definition.h"

namespace idgen::pg {

// nullptr: not given. What is not given is the preset's, or the default generator's.
struct DefinitionText {
  const text* layout;  // a preset's name or a list of fields
  const TimestampTz* epoch;
  const Interval* unit;
  const int32* region;
  const int32* app;
};

// Raises 22023 with what is wrong with it.
core::Definition ParseDefinition(const DefinitionText& given);

// Raises 22023 where no ids can be issued by it.
void CheckIssuable(const core::Definition& definition);

// The arguments from `first` on: layout, epoch and unit, and region and app where there are that many. What is NULL is
// not given.
core::Definition DefinitionOfArguments(FunctionCallInfo fcinfo, int first);

// What a definition is good for, for idgen_describe_layout() and the view idgen_generators.
struct Facts {
  int64 ids_per_second;  // of one worker
  int64 workers;
  TimestampTz runs_out_at;  // 0: later than a timestamp can say
  int64 example_id;         // of worker 1, as of now
  const char* note;         // constant; nullptr: none
};
Facts FactsOf(const core::Definition& definition);

}  // namespace idgen::pg
