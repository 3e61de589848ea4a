// The planner support function of idgen_next(): rejects an INSERT or UPDATE that stores an id in an integer column.
//
// Such a column's default is int4(idgen_next()), and without this the cast would fail with "integer out of range",
// which names neither idgen nor the column. A support function cannot see the expression around its call, but it can
// see the statement, whose target list contains that expression.
#include "pg/base/pg.h"

extern "C" {
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "parser/parsetree.h"
}

namespace {

// The integer type that an implicit cast turns the function's result into; InvalidOid for any other expression.
Oid NarrowedTo(Node* expression, Oid function) {
  while (IsA(expression, CoerceToDomain))
    expression = reinterpret_cast<Node*>(reinterpret_cast<CoerceToDomain*>(expression)->arg);
  if (!IsA(expression, FuncExpr)) return InvalidOid;
  const auto* cast = reinterpret_cast<FuncExpr*>(expression);
  if (cast->funcformat != COERCE_IMPLICIT_CAST || list_length(cast->args) != 1) return InvalidOid;
  if (cast->funcresulttype != INT4OID && cast->funcresulttype != INT2OID) return InvalidOid;
  const auto* argument = static_cast<Node*>(linitial(cast->args));
  const bool is_ours = IsA(argument, FuncExpr) && reinterpret_cast<const FuncExpr*>(argument)->funcid == function;
  return is_ours ? cast->funcresulttype : InvalidOid;
}

[[noreturn]] void RaiseTooNarrow(Oid type, const Query& statement, AttrNumber column) {
  const RangeTblEntry* table = rt_fetch(statement.resultRelation, statement.rtable);
  const char* column_name = get_attname(table->relid, column, false);
  ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                  errmsg("column \"%s\" of relation \"%s\" cannot hold ids of idgen_next()", column_name,
                         get_rel_name(table->relid)),
                  errdetail("The column is of type %s; ids are of type bigint.", format_type_be(type)),
                  errhint("ALTER TABLE %s ALTER COLUMN %s TYPE bigint; idgen_check() finds all such columns.",
                          quote_qualified_identifier(get_namespace_name(get_rel_namespace(table->relid)),
                                                     get_rel_name(table->relid)),
                          quote_identifier(column_name))));
}

// The same for a column of a multi-row VALUES list, which may contain DEFAULT.
Oid NarrowedInValues(const Query& statement, Node* expression, Oid function) {
  if (!IsA(expression, Var)) return InvalidOid;
  const auto* column = reinterpret_cast<const Var*>(expression);
  if (column->varlevelsup != 0 || column->varattno <= 0 || column->varno > list_length(statement.rtable))
    return InvalidOid;
  const RangeTblEntry* rows = rt_fetch(column->varno, statement.rtable);
  if (rows->rtekind != RTE_VALUES) return InvalidOid;
  const ListCell* cell;
  foreach (cell, rows->values_lists) {
    auto* value = static_cast<Node*>(list_nth(static_cast<List*>(lfirst(cell)), column->varattno - 1));
    if (const Oid type = NarrowedTo(value, function); OidIsValid(type)) return type;
  }
  return InvalidOid;
}

void CheckTargets(const Query& statement, Oid function) {
  if (statement.commandType != CMD_INSERT && statement.commandType != CMD_UPDATE) return;
  const ListCell* cell;
  foreach (cell, statement.targetList) {
    const auto* target = static_cast<TargetEntry*>(lfirst(cell));
    if (target->resjunk) continue;
    auto* expression = reinterpret_cast<Node*>(target->expr);
    Oid type = NarrowedTo(expression, function);
    if (!OidIsValid(type)) type = NarrowedInValues(statement, expression, function);
    if (OidIsValid(type)) RaiseTooNarrow(type, statement, target->resno);
  }
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(idgen_sql_next_support);
PGDLLEXPORT Datum idgen_sql_next_support(PG_FUNCTION_ARGS) {
  const auto* request = reinterpret_cast<Node*>(PG_GETARG_POINTER(0));
  if (IsA(request, SupportRequestSimplify)) {
    const auto* simplify = reinterpret_cast<const SupportRequestSimplify*>(request);
    if (simplify->root != nullptr && simplify->root->parse != nullptr)
      CheckTargets(*simplify->root->parse, simplify->fcall->funcid);
  }
  void* nothing = nullptr;  // nothing is simplified
  PG_RETURN_POINTER(nothing);
}

}  // extern "C"
