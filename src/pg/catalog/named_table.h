// A table of definitions by name, idgen_generator or idgen_sequencer: each session's cache of it, and what the two have
// in common in their triggers and in creating and dropping rows.
//
// Changes of table rows send no invalidation; the table's trigger does. It increments a count in every session, and
// code that holds a definition looks it up again when the count has changed.
#pragma once

#include "pg/base/pg.h"

namespace idgen::pg {

struct NamedTable {
  const char* kind;  // "generator"
  const char* name;  // "idgen_generator"
  const char* view;  // "idgen_generators"
  int comment_column;
  int built_in_column;  // the last one; the first is the name
  const Oid* types;     // of the columns, built_in_column of them
  Size entry_size;      // of a cached row, which begins with the name, char[NAMEDATALEN]
  void (*read_row)(HeapTuple row, TupleDesc descriptor, void* entry);  // into zeroes

  uint64 count = 1;  // incremented whenever a definition may have changed
  // The session's cache, and the count that it is valid for; 0: there is none.
  HTAB* entries = nullptr;
  uint64 entries_count = 0;
  Oid watched = InvalidOid;

  bool MayBeStale() const noexcept { return entries_count != count; }
};

inline constexpr int kNameColumn = 1;
inline constexpr const char* kDefaultName = "default";  // of the built-in row

// The tables' schema, which belongs to the extension and is not meant for any search_path.
inline constexpr const char* kCatalogSchema = "idgen_catalog";

// The cached row with this name, read from the table if necessary. Raises 42704 if there is none, and what OpenNamed()
// raises. Valid until the next call.
void* FetchNamed(FunctionCallInfo fcinfo, NamedTable& table, const text* name);

// Copies the name in a row to a buffer of NAMEDATALEN.
void ReadNameOfRow(const NamedTable& table, HeapTuple row, TupleDesc descriptor, char* name);

// A copy of the row with this name, as of now; nullptr if there is none.
HeapTuple FindNamedRow(Relation relation, const char* name);

// Opens the table and checks it with CheckNamed().
Relation OpenNamed(FunctionCallInfo fcinfo, const NamedTable& table, LOCKMODE mode);

// Raises 55000 unless the relation is the table as the extension created it: a member of the same extension as the
// called function, with the same owner as that function, and with columns of the expected types. An extension's owner
// may add other tables to it, and no Datum of those may be read.
void CheckNamed(FunctionCallInfo fcinfo, const NamedTable& table, Relation relation);

// The owner of the called function.
Oid OwnerOfFunction(FunctionCallInfo fcinfo);

// Whether the relation is a member of the same extension as the called function.
bool BelongsToExtension(FunctionCallInfo fcinfo, Oid relation);

// What the tables' triggers differ in.
struct NamedTrigger {
  // Validates a new row and returns it in normalized form. Sets *is_default if it has the built-in default's
  // definition.
  HeapTuple (*validate_new)(HeapTuple row, TupleDesc descriptor, bool* is_default);
  const char* why_fixed;  // why only the comment may change: "" or a sentence after a space
  const char* instead;    // the hint: what to do instead
};
Datum RunNamedTrigger(FunctionCallInfo fcinfo, const NamedTable& table, const NamedTrigger& trigger);

// Argument 0, which must be a valid name.
const char* NameArgument(FunctionCallInfo fcinfo, const NamedTable& table);

// What the functions that create a row differ in. Their arguments are the table's columns without built_in, and
// if_not_exists after these.
struct NamedCreation {
  const char* insert;  // its parameters are the arguments that are columns
  // Raises if the caller may not create the row, or if a limit is reached.
  void (*check_new)(FunctionCallInfo fcinfo);
  // Whether the row's definition is that of the arguments.
  bool (*is_same)(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor);
  Datum (*make_result)(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor);
};

// Creates a row as the owner of the function and returns `make_result` of it. If the name exists: raises 42710, or with
// if_not_exists returns the existing row with a notice, or with a warning if its definition differs.
Datum CreateNamed(FunctionCallInfo fcinfo, const NamedTable& table, const NamedCreation& creation);

// Drops the row named by argument 0 and returns whether there was one. If not, raises 42704 unless argument 1 is true.
Datum DropNamed(FunctionCallInfo fcinfo, const NamedTable& table);

// Sets the comment of the row named by argument 0 to argument 1, or removes it if that is NULL. Raises 42704 if there
// is no such row.
Datum CommentOnNamed(FunctionCallInfo fcinfo, const NamedTable& table);

// Checks and locks the table, runs the statement on it and returns the number of rows. Call it within SPI_connect().
// Qualify every name in the statement, and write every operator as OPERATOR(pg_catalog.…).
int QueryNamed(FunctionCallInfo fcinfo, const NamedTable& table, const char* sql, int count, Oid* types, Datum* values,
               const char* nulls);

[[noreturn]] void RaiseUndefined(const NamedTable& table, const char* name, bool to_be_used);

}  // namespace idgen::pg
