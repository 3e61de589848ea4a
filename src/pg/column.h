// A column of ids that is to be changed by SQL of ours: found, locked and judged. Within SPI_connect().
#pragma once

#include "pg/pg.h"

namespace idgen::pg {

struct Column {
  Oid table_oid;
  int16 number;
  const char* table;  // qualified and quoted
  const char* name;   // quoted
  bool identity;
};

// Locks the table and returns its column. Raises 42809 for what is no table, 42703 where there is no such column, 42804
// for a type that can't hold ids, 0A000 for a generated column.
Column LockColumn(Oid table, const char* name, const char* lock_mode);

// The qualified and quoted name of the sequence that the column owns; nullptr where there is none.
const char* OwnedSequence(const Column& column);

// Makes queries fail rather than leave rows out by row-level security, until AtEOXact_GUC() of what it returns.
int SeeAllRows();

// Runs a statement of ours; the number of rows.
uint64 Execute(const char* sql);

// The schema that the called function is in, quoted.
const char* ExtensionSchema(FunctionCallInfo fcinfo);

}  // namespace idgen::pg
