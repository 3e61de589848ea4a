// Rows that functions with OUT parameters return.
#pragma once

#include "pg/base/pg.h"

#include "wire/printable.h"

#include <cstring>

namespace idgen::pg {

// The descriptor of the row that the function returns, valid as long as its call site.
inline TupleDesc MakeRowDescriptor(FunctionCallInfo fcinfo) {
  const MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
  TupleDesc descriptor;
  if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("function returning record called in context that cannot accept type record")));
  descriptor = BlessTupleDesc(descriptor);
  MemoryContextSwitchTo(caller);
  return descriptor;
}

// The same, looked up once per call site, for a function that has no other use for fn_extra.
inline TupleDesc RowDescriptor(FunctionCallInfo fcinfo) {
  if (fcinfo->flinfo->fn_extra == nullptr) fcinfo->flinfo->fn_extra = MakeRowDescriptor(fcinfo);
  return static_cast<TupleDesc>(fcinfo->flinfo->fn_extra);
}

inline Datum RowOf(TupleDesc descriptor, Datum* values, bool* nulls) {
  return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

inline Datum IntervalOfUs(int64 us) {
  auto* interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
  interval->time = us;
  return IntervalPGetDatum(interval);
}

// A row of at most N columns, filled from the left.
template <int N>
class Row {
 public:
  void Add(Datum value) {
    values_[count_] = value;
    nulls_[count_++] = false;
  }
  void AddNull() { nulls_[count_++] = true; }
  // Copies a column of an existing row.
  void AddColumn(HeapTuple row, int column, TupleDesc descriptor) {
    values_[count_] = heap_getattr(row, column, descriptor, &nulls_[count_]);
    ++count_;
  }
  void AddText(const char* text) { text == nullptr ? AddNull() : Add(CStringGetTextDatum(text)); }
  // For text from outside the database, in any encoding.
  void AddPrintable(const char* text) {
    const Size capacity = wire::PrintableBytes(strlen(text));
    auto* printable = static_cast<char*>(palloc(capacity));
    wire::WritePrintable(text, printable, capacity);
    AddText(printable);
  }
  void AddInt(int64 number) { Add(Int64GetDatum(number)); }
  void AddTime(TimestampTz time) { time == 0 ? AddNull() : Add(TimestampTzGetDatum(time)); }

  Datum Make(FunctionCallInfo fcinfo) {
    const TupleDesc descriptor = RowDescriptor(fcinfo);
    if (descriptor->natts != count_) elog(ERROR, "idgen: row has %d columns instead of %d", count_, descriptor->natts);
    return RowOf(descriptor, values_, nulls_);
  }
  void Store(FunctionCallInfo fcinfo) {
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    tuplestore_putvalues(result->setResult, result->setDesc, values_, nulls_);
  }

 private:
  Datum values_[N] = {};
  bool nulls_[N] = {};
  int count_ = 0;
};

}  // namespace idgen::pg
