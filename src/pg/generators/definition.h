// Layout, epoch, unit, region and app as SQL gives them, made into a definition or refused with the reason.
#pragma once

#include "pg/base/pg.h"

#include "core/generator_definition.h"

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
core::GeneratorDefinition ParseDefinition(const DefinitionText& given);

// Raises 22023 where no ids can be issued by it.
void CheckIssuable(const core::GeneratorDefinition& definition);

// The arguments from `first` on: layout, epoch and unit, and region and app where there are that many. What is NULL is
// not given.
core::GeneratorDefinition DefinitionOfArguments(FunctionCallInfo fcinfo, int first);

}  // namespace idgen::pg
