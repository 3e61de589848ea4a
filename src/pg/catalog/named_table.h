// A table of definitions by name, idgen_generator or idgen_sequencer: what a session keeps of it, and what its trigger,
// creating and dropping have in common.
//
// Table rows send no invalidation by themselves; the table's trigger does. It moves a count in every session, and
// whoever holds a definition asks again when the count has moved.
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
  Size entry_size;      // of what a session keeps of a row: it begins with the name, char[NAMEDATALEN]
  void (*read_row)(HeapTuple row, TupleDesc descriptor, void* entry);  // into zeroes

  uint64 count = 1;  // moves whenever a definition may have changed
  // The session's copies, and the count that they are of; 0: there are none.
  HTAB* entries = nullptr;
  uint64 entries_count = 0;
  Oid watched = InvalidOid;

  bool MayBeStale() const noexcept { return entries_count != count; }
};

inline constexpr int kNameColumn = 1;
inline constexpr const char* kDefaultName = "default";  // of the built-in row

// Where the tables are: a schema of the extension's own, in nobody's search_path.
inline constexpr const char* kCatalogSchema = "idgen_catalog";

// What the session keeps of the row that is called so: from its copies, or the table. Raises 42704 where there is none,
// and what OpenNamed() raises. Valid until the next call.
void* FetchNamed(FunctionCallInfo fcinfo, NamedTable& table, const text* name);

// Reads the name in a row into a buffer of NAMEDATALEN.
void ReadNameOfRow(const NamedTable& table, HeapTuple row, TupleDesc descriptor, char* name);

// A copy of the row that is called so, as of now; nullptr if there is none.
HeapTuple FindNamedRow(Relation relation, const char* name);

// Opens the table. Raises 55000 unless it is what CheckNamed() wants.
Relation OpenNamed(FunctionCallInfo fcinfo, const NamedTable& table, LOCKMODE mode);

// Raises 55000 unless the relation is the table as the extension made it: a member of the extension that the called
// function is a member of, of the same owner as that function, and with columns of the expected types. The owner of an
// extension may add tables of his own to it, and no Datum of such a table may be read.
void CheckNamed(FunctionCallInfo fcinfo, const NamedTable& table, Relation relation);

// Of the function that is called.
Oid OwnerOfFunction(FunctionCallInfo fcinfo);

// Whether the relation is a member of the extension that the called function is a member of.
bool BelongsToExtension(FunctionCallInfo fcinfo, Oid relation);

// What the tables' triggers differ in.
struct NamedTrigger {
  // The row as it is kept; raises what is wrong with it. Says whether it defines what the built-in "default" does.
  HeapTuple (*judge_new)(HeapTuple row, TupleDesc descriptor, bool* is_default);
  const char* why_kept;  // why nothing but a comment changes: "" or a sentence after a space
  const char* instead;   // what to do instead
};
Datum RunNamedTrigger(FunctionCallInfo fcinfo, const NamedTable& table, const NamedTrigger& trigger);

// Argument 0, which is to be a name.
const char* NameArgument(FunctionCallInfo fcinfo, const NamedTable& table);

// What functions that make a row differ in.
struct NamedCreation {
  const char* insert;  // its parameters are the arguments
  Oid* types;
  int count;  // the argument after these is if_not_exists
  // Raises if the caller may not make the row, or there is no room for it.
  void (*check_new)(FunctionCallInfo fcinfo);
  // Whether the row has the definition in the arguments.
  bool (*is_same)(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor);
  Datum (*make_result)(FunctionCallInfo fcinfo, HeapTuple row, TupleDesc descriptor);
};

// Makes a row, as the owner of the function, and returns what `make_result` makes of it as it is kept. If there is one
// of the name: 42710, or with if_not_exists that row, and a notice, or a warning if its definition is another.
Datum CreateNamed(FunctionCallInfo fcinfo, const NamedTable& table, const NamedCreation& creation);

// Drops the row that argument 0 names, and says whether there was one; 42704 where there is none, unless argument 1.
Datum DropNamed(FunctionCallInfo fcinfo, const NamedTable& table);

// Sets the comment of the row that argument 0 names to argument 1, or removes it if that is NULL; 42704 if there is no
// row.
Datum CommentOnNamed(FunctionCallInfo fcinfo, const NamedTable& table);

// Runs a statement of ours on the table, which is checked and locked first; the number of rows. Within SPI_connect().
// Every name in it is qualified, and every operator is OPERATOR(pg_catalog.…).
int QueryNamed(FunctionCallInfo fcinfo, const NamedTable& table, const char* sql, int count, Oid* types, Datum* values,
               const char* nulls);

[[noreturn]] void RaiseNotNamed(const NamedTable& table, const char* name, bool to_be_used);

}  // namespace idgen::pg
