// The row that a function with OUT parameters returns: its descriptor is looked up once per call site.
#pragma once

#include "pg/pg.h"

namespace idgen::pg {

inline TupleDesc RowDescriptor(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo->fn_extra == nullptr) {
    const MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
    TupleDesc descriptor;
    if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("function returning record called in context that cannot accept type record")));
    fcinfo->flinfo->fn_extra = BlessTupleDesc(descriptor);
    MemoryContextSwitchTo(caller);
  }
  return static_cast<TupleDesc>(fcinfo->flinfo->fn_extra);
}

inline Datum RowOf(TupleDesc descriptor, Datum* values, bool* nulls) {
  return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

}  // namespace idgen::pg
