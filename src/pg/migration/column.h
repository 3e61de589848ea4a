// Finds, locks and validates a column of ids that the extension's SQL will change. Use within SPI_connect().
//
// The caller may be a superuser, and the table and the objects in the search path may belong to others. So qualify
// every name in such SQL, write every operator as OPERATOR(pg_catalog.…), and use them on built-in types only.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct Column {
  Oid table_oid;
  int16 number;
  const char* table;  // qualified and quoted
  const char* name;   // quoted
  bool identity;
};

// Locks the table and returns its column. Raises 42809 if it is not a table, 42703 if there is no such column, 42804 if
// its type cannot hold ids, and 0A000 if it is generated.
Column LockColumn(Oid table, const char* name, const char* lock_mode);

// The qualified and quoted name of the sequence that the column owns; nullptr if there is none.
const char* OwnedSequence(const Column& column);

// Makes queries fail instead of hiding rows by row-level security, until AtEOXact_GUC() with the returned level.
int SeeAllRows();

// Switches a caller with the rights of the table's owner, such as a superuser, to the owner until BecomeCaller(), so
// that triggers and constraints of the table get no more rights than its owner has. An error restores the caller.
struct Caller {
  Oid user;
  int security_context;
  bool changed;
};
Caller BecomeOwner(const Column& column);
void BecomeCaller(const Caller& caller);

// Runs a statement and returns the number of rows.
uint64 Execute(const char* sql);

// The schema of the called function, quoted.
const char* ExtensionSchema(FunctionCallInfo fcinfo);

}  // namespace idgen::pg
