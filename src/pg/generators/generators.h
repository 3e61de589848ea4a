// Generators by name: what a session knows of the table idgen_generator, and of the server's lines.
#pragma once

#include "pg/base/pg.h"

#include "core/generator_definition.h"
#include "core/position.h"
#include "pg/catalog/named_table.h"

namespace idgen::pg {

inline constexpr uint32 kNoLine = PG_UINT32_MAX;

struct Generator {
  char name[NAMEDATALEN];
  core::GeneratorDefinition definition;
  core::Position end;  // of the line, for ids of this definition
  uint32 line;         // kNoLine until an id is asked for
};

extern NamedTable generators;

// What a call site keeps in fn_extra.
struct GeneratorSite {
  uint64 count;
  bool constant;  // the name can't change at this site
  TupleDesc row;  // for functions that return one; nullptr until it is known
  Generator generator;
};

// The generator that argument `argument`, not NULL, names. Raises 42704 where there is none. For one that is to issue
// ids (`line` is known then) raises where the server can't: 55000, 53400.
GeneratorSite& FindGenerator(FunctionCallInfo fcinfo, int argument, bool issues);

inline GeneratorSite& GeneratorOf(FunctionCallInfo fcinfo, int argument, bool issues) {
  auto* site = static_cast<GeneratorSite*>(fcinfo->flinfo->fn_extra);
  if (likely(site != nullptr && site->constant && site->count == generators.count)) return *site;
  return FindGenerator(fcinfo, argument, issues);
}

// The same for a function that has other use for fn_extra. Valid until the next call of anything in here.
const Generator& FetchGenerator(FunctionCallInfo fcinfo, int argument, bool issues);

// All rows of the table, palloc'ed; *count of them. Raises what OpenNamed() raises.
Generator* AllGenerators(FunctionCallInfo fcinfo, int* count);

// Whether the argument is a constant of the call itself. A parameter is none: an expression of PL/pgSQL keeps its call
// sites while its parameters change.
bool IsConstant(FunctionCallInfo fcinfo, int argument);

// Columns of the table.
enum GeneratorColumn {
  kLayoutColumn = kNameColumn + 1,
  kEpochColumn,
  kUnitColumn,
  kRegionColumn,
  kAppColumn,
  kCommentColumn,
  kBuiltInColumn,
  kGeneratorColumns = kBuiltInColumn,
};

// The definition in a row, judged anew: a row may have come in past the trigger.
core::GeneratorDefinition DefinitionOfRow(HeapTuple row, TupleDesc descriptor);

// Raises where this server, as it is set, can't issue ids by it: the unit, the lease's range, the worker id.
void CheckServerCanIssue(const core::GeneratorDefinition& definition);

}  // namespace idgen::pg
