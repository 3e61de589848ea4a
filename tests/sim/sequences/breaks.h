// What a simulation of sequences may break on purpose in the store. What it breaks in the code that ships is a textual
// change of a copy of it: see mutate.
#pragma once

#include <cstring>

namespace idgen::sim::sequences {

struct Breaks {
  bool raise_undoes_set = false;          // a raise doesn't look at the generation
  bool raise_lowers = false;              // a raise sets the value, whatever it was
  bool raise_not_at_all = false;          // a raise takes the next values, and leaves the store where it was
  bool raise_forgets_generation = false;  // a raise doesn't bring the generation back
  bool generation_counts = false;         // a generation is the one before and one, not a time
  bool set_keeps_generation = false;
  bool drop_keeps_generation = false;
  bool drop_forgets_generation = false;  // no tombstone
  bool return_ignores_value = false;
  bool return_ignores_generation = false;
  bool return_ignores_number = false;
  bool writer_never_changes = false;
  bool set_if_none_sets = false;  // though there is a value

  struct Named {
    const char* name;
    bool Breaks::*flag;
    const char* where;
  };
  static constexpr Named kAll[] = {
      {"raise-undoes-set", &Breaks::raise_undoes_set, "the store"},
      {"raise-lowers", &Breaks::raise_lowers, "the store"},
      {"raise-not-at-all", &Breaks::raise_not_at_all, "the store"},
      {"raise-forgets-generation", &Breaks::raise_forgets_generation, "the store"},
      {"generation-counts", &Breaks::generation_counts, "the store"},
      {"set-keeps-generation", &Breaks::set_keeps_generation, "the store"},
      {"drop-keeps-generation", &Breaks::drop_keeps_generation, "the store"},
      {"drop-forgets-generation", &Breaks::drop_forgets_generation, "the store"},
      {"return-ignores-value", &Breaks::return_ignores_value, "the store"},
      {"return-ignores-generation", &Breaks::return_ignores_generation, "the store"},
      {"return-ignores-number", &Breaks::return_ignores_number, "the store"},
      {"writer-never-changes", &Breaks::writer_never_changes, "the store"},
      {"set-if-none-sets", &Breaks::set_if_none_sets, "the store"},
  };
  // False for a name that is none.
  bool Set(const char* name) noexcept {
    for (const Named& named : kAll)
      if (strcmp(named.name, name) == 0) return this->*named.flag = true;
    return false;
  }
};

}  // namespace idgen::sim::sequences
