// What a simulation can break on purpose in the stores and the network. The code that ships is broken by textual
// changes of a copy: see mutate.
#pragma once

#include <cstring>

namespace idgen::sim {

struct Breaks {
  bool no_owner_check = false;  // renew and release do not compare the token
  bool stored_not_max = false;  // renew stores what is offered
  bool release_lowers = false;  // release lowers the ceiling
  bool no_quarantine = false;   // rule (a)
  bool quarantine_only_when_empty = false;
  bool no_time_bound = false;           // rule (b): a ceiling may be any time ahead
  bool floor_from_record = false;       // rule (b): a record's floor may be before TIME
  bool no_reclaim = false;              // rule (c) taken out: a holder whose record is gone has lost
  bool reclaim_without_expiry = false;  // rule (c): at any time
  bool reclaim_with_offered = false;    // rule (c): with the ceiling offered
  bool resurrected = false;             // a restored record from before its holder's expiry still belongs to the holder
  bool token_alone = false;             // renew does not compare the floor
  bool no_wait = false;                 // rule (d)
  bool wait_on_acquire_only = false;    // rule (d)
  bool any_number_of_records = false;   // rule (e)
  bool token_swap = false;              // rule (f): a holder's records go to its new token
  bool any_worker = false;              // acquire takes the lowest number, whatever its ceiling

  struct Named {
    const char* name;
    bool Breaks::*flag;
    bool repeats;  // without the rule ids can repeat; other rules only affect how long servers wait
  };
  static constexpr Named kAll[] = {
      {"no-owner-check", &Breaks::no_owner_check, true},
      {"stored-not-max", &Breaks::stored_not_max, true},
      {"release-lowers", &Breaks::release_lowers, true},
      {"no-quarantine", &Breaks::no_quarantine, true},
      {"quarantine-only-when-empty", &Breaks::quarantine_only_when_empty, true},
      {"no-time-bound", &Breaks::no_time_bound, true},
      {"floor-from-record", &Breaks::floor_from_record, true},
      {"no-reclaim", &Breaks::no_reclaim, false},
      {"reclaim-without-expiry", &Breaks::reclaim_without_expiry, true},
      {"reclaim-with-offered", &Breaks::reclaim_with_offered, false},
      {"resurrected", &Breaks::resurrected, true},
      {"token-alone", &Breaks::token_alone, true},
      {"no-wait", &Breaks::no_wait, true},
      {"wait-on-acquire-only", &Breaks::wait_on_acquire_only, true},
      {"any-number-of-records", &Breaks::any_number_of_records, false},
      {"token-swap-on-redis", &Breaks::token_swap, true},
      {"any-worker", &Breaks::any_worker, false},
  };
  // False if there is no break of that name.
  bool Set(const char* name) noexcept {
    for (const Named& named : kAll)
      if (strcmp(named.name, name) == 0) return this->*named.flag = true;
    return false;
  }
};

}  // namespace idgen::sim
