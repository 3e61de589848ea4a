// What a layout offers: rates, worker ids and how long it lasts.
#pragma once

#include "pg/base/pg.h"

#include "core/generator_definition.h"

namespace idgen::pg {

// A row of idgen_describe_layout() and of the view idgen_generators.
struct LayoutFacts {
  int64 ids_per_second;  // per worker
  int64 workers;
  TimestampTz runs_out_at;  // 0: later than timestamptz can hold
  int64 example_id;         // of worker 1, with the current time
  const char* note;         // constant; nullptr: none
};
LayoutFacts FactsOf(const core::GeneratorDefinition& definition);

}  // namespace idgen::pg
