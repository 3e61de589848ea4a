// Parses layout, epoch, unit, region and app as given in SQL into a definition, or raises what is wrong with them.
#pragma once

#include "pg/base/pg.h"

#include "core/generator_definition.h"

namespace idgen::pg {

// nullptr: not given, and taken from the preset or the default generator.
struct DefinitionText {
  const text* layout;  // a preset's name or a list of fields
  const TimestampTz* epoch;
  const Interval* unit;
  const int32* region;
  const int32* app;
};

// Raises 22023 if it is invalid.
core::GeneratorDefinition ParseDefinition(const DefinitionText& given);

// Raises 22023 if no ids can be issued with it.
void CheckIssuable(const core::GeneratorDefinition& definition);

// Parses the arguments from `first` on: layout, epoch, unit and, if there are as many, region and app. NULL means not
// given.
core::GeneratorDefinition DefinitionOfArguments(FunctionCallInfo fcinfo, int first);

}  // namespace idgen::pg
