// Generators by name: the session's cache of the table idgen_generator, and the generators' lines in shared memory.
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
  uint32 line;         // kNoLine until an id is requested
};

extern NamedTable generators;

// The state of a call site, kept in fn_extra.
struct GeneratorSite {
  uint64 count;
  bool constant;  // the name cannot change at this site
  TupleDesc row;  // for functions that return one; nullptr until it is known
  Generator generator;
};

// The generator named by argument `argument`, which is not NULL. Raises 42704 if it does not exist. If `issues`, sets
// its line, and raises 55000 or 53400 if this server cannot issue ids with it.
GeneratorSite& FindGenerator(FunctionCallInfo fcinfo, int argument, bool issues);

inline GeneratorSite& GeneratorOf(FunctionCallInfo fcinfo, int argument, bool issues) {
  auto* site = static_cast<GeneratorSite*>(fcinfo->flinfo->fn_extra);
  if (likely(site != nullptr && site->constant && site->count == generators.count)) return *site;
  return FindGenerator(fcinfo, argument, issues);
}

// The same for functions that use fn_extra otherwise. Valid until the next call of any of these functions.
const Generator& FetchGenerator(FunctionCallInfo fcinfo, int argument, bool issues);

// All *count rows of the table, palloc'ed. Raises what OpenNamed() raises.
Generator* AllGenerators(FunctionCallInfo fcinfo, int* count);

// Whether the argument is a constant in the call. A parameter does not count: an expression of PL/pgSQL keeps its call
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

// The definition in a row, validated again: the row may have bypassed the trigger.
core::GeneratorDefinition DefinitionOfRow(HeapTuple row, TupleDesc descriptor);

// Raises if this server's settings rule out the definition: its unit, the range of worker ids or the worker id.
void CheckServerCanIssue(const core::GeneratorDefinition& definition);

}  // namespace idgen::pg
