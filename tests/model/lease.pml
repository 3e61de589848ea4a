// The lease protocol as a spin model: two servers, one worker id, one store. The assertion: no position is issued
// twice.
//
// How to read it: `server` models src/lease/keeper.h and src/core; `acquire_`, `renew_` and `release_` model
// src/lease/redis/script.h; `store` runs these three and also models the network. Each `::` of a `do` is one step, and
// the next step may be any process's. So every process may pause anywhere, for any length of time. Servers may crash
// and lose all their state.
//
// One position is watched. Ceilings, floors and `next` are only compared, copied, and combined by maximum and minimum,
// so what the protocol does about one position depends only on which of them lie beyond it. So each is a bit, "beyond
// the watched position", and what holds here holds for every position, every rate of ids, and whatever the servers'
// clocks say: a server offers and reserves whatever the rules allow, not what a clock says. (A floor is also compared
// with itself: equal bits may stand for different floors, so the model allows more than the code does.)
//
// Two stores:
//   default      keeps what it acknowledged. Nothing is assumed about its clock either: a lease may be called live or
//                expired at any time, and a worker id may start from any time at or past its ceiling.
//   -DFORGETFUL  may lose its record, or get an older one back, at any time. Its `time` never goes back. The quarantine
//                is as long as the TTL, and a ceiling is granted up to time + TTL.
//
// Left out: other worker ids, and which one is chosen; how many one server may hold; how soon ids are available (floors
// far ahead, backoff, jitter); WAIT; `declare new`; different TTLs; the order of loads within a reservation, which
// tests/unit/interleaving_test.cpp explores. A worker process that exits, and whose successor continues, is a pause
// here.
//
// -DBREAK=rule removes one rule; `check` lists the expected results. token_alone: renew does not compare the floor.
// born_after: a restored record is accepted if the store was created again at the very moment of the record's expiry.

#ifndef BREAK
#define BREAK nothing
#endif
#ifndef TOKENS
#define TOKENS 3  // acquisitions in a run
#endif
#ifndef LATE
#define LATE 2  // how many requests may be late at once: each arrives at any time, any number of times
#endif
#ifndef TTL
#define TTL 2
#endif
#ifndef WATCHED
#define WATCHED (2 * TTL)  // the time of the watched position; the first acquisition is at TTL or later
#endif
#ifndef LAST
#define LAST (2 * TTL + 1)  // the time at which a run ends
#endif

mtype = { acquire, renew, release, ok, lost };  // a request is replaced by its reply
mtype = { idle, claiming, holding, withdrawn };
mtype = { nothing, no_owner_check, token_alone, stored_not_max, publish_before_ack, floor_from_clock, no_fold,
          release_lowers, release_deletes, release_before_seal, release_unchecked, reclaim_late,
          no_quarantine, no_time_bound, floor_from_record, believe_record, born_after, reclaim_offered };

typedef Message { mtype verb; byte token; bit floor, ceiling; byte expiry };
typedef Record { byte token; bit floor, ceiling; byte expiry };  // token 0: free, or no record

Message net[2 + LATE];  // the request or reply of each server; then the late requests
Record record, older;
byte time = TTL, born;
bit known = 1;  // the Redis that answers now was the last one to write
byte tokens;
bit issued;  // the watched position

#ifdef FORGETFUL
#define LIVE (record.expiry > time)
#define OVER (record.expiry <= time)
#define TIME_BEYOND (time > WATCHED)
#define TIME_BEFORE (time <= WATCHED)
#define EXPIRY (time + TTL)
#define HIGHEST (time + TTL > WATCHED)
#define QUARANTINE (born + TTL > time)
#define IN_TIME(m) (m.expiry > time)
#else
#define LIVE true
#define OVER true
#define TIME_BEYOND true
#define TIME_BEFORE true
#define EXPIRY 0
#define HIGHEST 1
#define QUARANTINE false
#define IN_TIME(m) false  // with such a store nothing is ever reclaimed
#endif
// The floor distinguishes this acquisition from a later one under the same token, made by a late request.
#define IS_MINE(m) (BREAK == no_owner_check || \
                    (record.token == m.token && (record.floor == m.floor || BREAK == token_alone)))

inline copy(to, from) {
  to.token = from.token; to.floor = from.floor; to.ceiling = from.ceiling; to.expiry = from.expiry
}
inline clear(it) { it.token = 0; it.floor = 0; it.ceiling = 0; it.expiry = 0 }
inline perhaps_late(i) {
  select(slot : 1 .. 1 + LATE);
  if
  :: slot > 1 -> net[slot].verb = net[i].verb; copy(net[slot], net[i])
  :: else
  fi;
  slot = 0
}
inline hang_up(i) {  // a missing reply will never arrive, but the request still may
  if
  :: net[i].verb == acquire || net[i].verb == renew || net[i].verb == release -> perhaps_late(i)
  :: else
  fi;
  net[i].verb = 0; clear(net[i])
}
inline send(what) {
  hang_up(_pid);
  net[_pid].verb = what; net[_pid].token = token; net[_pid].floor = floor; net[_pid].ceiling = offer;
  net[_pid].expiry = expiry;
  offer = 0
}
inline forget() { token = 0; floor = 0; expiry = 0; identity = 0; beyond = 0 }

active [2] proctype server() {
  mtype phase = idle;
  byte token, expiry;  // of the lease; expiry: according to the last reply
  bit floor;
  bit identity;   // the published ceiling
  bit beyond;     // `next`
  bit reserving;  // a backend has read a `next` and an identity that allow it the watched position
  bit offer;
  byte slot;

  do
  :: atomic { phase == idle && tokens < TOKENS ->
       tokens++; token = tokens;
       send(acquire);
       phase = claiming }
  :: atomic { phase == claiming && net[_pid].verb == ok ->
       floor = net[_pid].ceiling; expiry = net[_pid].expiry;
       hang_up(_pid);
       beyond = floor && BREAK != no_fold;
       phase = holding }
  :: atomic { phase == holding ->  // renew, for the first time or again, whatever is in progress
       if
       :: offer = floor | identity
       :: offer = 1
       fi;
       identity = identity | (offer && BREAK == publish_before_ack);
       send(renew) }
  :: atomic { phase == holding && net[_pid].verb == ok ->  // publish
       identity = identity | net[_pid].ceiling; expiry = net[_pid].expiry;
       hang_up(_pid) }
  :: atomic { phase == holding && net[_pid].verb == lost ->  // withdraw
       identity = 0;
       hang_up(_pid);
       token = 0;
       phase = withdrawn }
  :: atomic { phase == claiming || phase == holding ->  // give up: withdraw
       identity = 0;
       hang_up(_pid);
       phase = withdrawn }
  :: atomic { phase == withdrawn ->  // seal, then release. `next` is forgotten: knowing it would only allow less
       reserving = reserving && BREAK == release_before_seal;
       offer = floor | beyond;  // the last position reserved, for release_lowers
       if
       :: token > 0 -> floor = 0; expiry = 0; send(release)
       :: else -> offer = 0
       fi;
       forget();
       phase = idle }

  // Backends. The swap fails if `next` has moved: by another reservation, a fold or a seal.
#ifdef FORGETFUL
  :: atomic { identity && !beyond -> beyond = 1; assert(!issued); issued = 1 }  // in one step
#else
  :: atomic { identity && !beyond && !reserving -> reserving = 1 }
  :: atomic { reserving && !beyond -> reserving = 0; beyond = 1; assert(!issued); issued = 1 }
#endif

  :: atomic { phase != idle -> hang_up(_pid); forget(); reserving = 0; phase = idle }  // crash
  od
}

inline open() {
  if
  :: !known -> born = time; known = 1
  :: else
  fi
}
inline write(m) {
  record.token = m.token; record.floor = m.floor; record.ceiling = stored; record.expiry = EXPIRY;
  answer = ok
}

inline acquire_(m) {
  open();
  if
  :: record.token == m.token && LIVE -> told = record.ceiling; record.expiry = EXPIRY; answer = ok
  :: (record.token == 0 || OVER) && (!QUARANTINE || BREAK == no_quarantine) ->
     if  // the higher of ceiling and time
     :: TIME_BEFORE || BREAK == floor_from_record -> told = record.ceiling
     :: TIME_BEYOND && BREAK != floor_from_record -> told = 1
     :: BREAK == floor_from_clock -> told = 0
     fi;
     stored = record.ceiling | told;
     write(m);
     record.floor = told
  :: else  // busy: the server retries
  fi
}

inline renew_(m) {
  if  // the first one over a connection checks who wrote last
  :: open()
  :: true
  fi;
  told = m.ceiling && (HIGHEST || BREAK == no_time_bound);
  answer = lost;
  if
  :: IS_MINE(m) ->
     if
     :: !IN_TIME(m) -> open()
     :: else
     fi;
     if
#ifdef FORGETFUL
     :: !IN_TIME(m) && (born > m.expiry || (born == m.expiry && BREAK != born_after)) && BREAK != believe_record
#endif
     :: else -> stored = told | (record.ceiling && BREAK != stored_not_max); write(m)
     fi
  :: !IS_MINE(m) && (record.token == 0 || OVER) && (IN_TIME(m) || BREAK == reclaim_late) ->
     open();
     stored = told | record.ceiling | (HIGHEST && BREAK != reclaim_offered);
     write(m)
  :: else
  fi
}

inline release_(m) {
  open();
  if
  :: record.token == m.token || BREAK == release_unchecked ->
     record.token = 0; record.floor = 0; record.expiry = 0;
     record.ceiling = record.ceiling && BREAK != release_deletes && (m.ceiling || BREAK != release_lowers)
  :: else
  fi
}

active proctype store() {
  byte i, slot;
  mtype answer;
  bit stored, told;

  do
  :: atomic {  // a request runs; its reply arrives or is lost, and the request may run once more
       select(i : 0 .. 1 + LATE);
       if
       :: net[i].verb == acquire -> acquire_(net[i])
       :: net[i].verb == renew -> renew_(net[i])
       :: net[i].verb == release -> release_(net[i])
       :: else
       fi;
       if
       :: i < 2 && answer ->
          perhaps_late(i);
          clear(net[i]);
          net[i].verb = answer; net[i].ceiling = told; net[i].expiry = EXPIRY
       :: true
       fi;
       i = 0; answer = 0; stored = 0; told = 0 }
#ifdef FORGETFUL
  :: atomic { time < LAST ->
       time++;
       if :: OVER -> record.expiry = 0 :: else fi;  // equivalent, and fewer states
       if :: older.expiry <= time -> older.expiry = 0 :: else fi }
  :: atomic { copy(older, record) }
  :: atomic { copy(record, older); known = 0 }
  :: atomic { clear(record); known = 0 }
#endif
  od
}
