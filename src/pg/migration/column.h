// A column of ids that is to be changed by SQL of ours: found, locked and judged. Within SPI_connect().
//
// The caller may be a superuser and the table somebody else's, and so may be what is in the search path: in such SQL
// every name is qualified, every operator is OPERATOR(pg_catalog.…), and what they are used on is of a built-in type.
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

// Locks the table and returns its column. Raises 42809 for what is no table, 42703 where there is no such column, 42804
// for a type that can't hold ids, 0A000 for a generated column.
Column LockColumn(Oid table, const char* name, const char* lock_mode);

// The qualified and quoted name of the sequence that the column owns; nullptr where there is none.
const char* OwnedSequence(const Column& column);

// Makes queries fail rather than leave rows out by row-level security, until AtEOXact_GUC() of what it returns.
int SeeAllRows();

// Somebody who has the rights of the table's owner, as a superuser has, becomes the owner until BecomeCaller():
// triggers and constraints of the table get no rights that its owner does not have. Errors put the caller back.
struct Caller {
  Oid user;
  int security_context;
  bool changed;
};
Caller BecomeOwner(const Column& column);
void BecomeCaller(const Caller& caller);

// Runs a statement of ours; the number of rows.
uint64 Execute(const char* sql);

// The schema that the called function is in, quoted.
const char* ExtensionSchema(FunctionCallInfo fcinfo);

}  // namespace idgen::pg
