// Taking values of segments, fetching and giving back: the flow of src/pg/sequences/segments.cpp, segment_table.cpp and
// segment_worker.cpp, with a simulation's locks and waits. Taking, putting down and closing are the code that ships.
#include <algorithm>

#include "sequences/marks_host.h"
#include "sequences/server.h"

namespace idgen::sim::sequences {

using sequencer::Answer;
using sequencer::Operation;
using sequencer::Piece;
using Outcome = Answer::Outcome;

namespace {
constexpr int64_t kGiveBackWithinUs = 500 * kMs;
constexpr size_t kQueue = 8;
constexpr int kOrderBits = 20;
}  // namespace

uint64_t SimMemory::Load(const core::Word& word, core::Step) noexcept {
  world->MayLeave();
  return word.load();
}

void SimMemory::Store(core::Word& word, uint64_t value, core::Step) noexcept {
  world->MayLeave();
  word.store(value);
}

bool SimMemory::Swap(core::Word& word, uint64_t& expected, uint64_t desired, core::Step) noexcept {
  world->MayLeave();
  if (!word.compare_exchange_strong(expected, desired)) return false;
  if (world->running_ != nullptr) {
    world->running_->swap_serial = sequencer::Cursor::Serial(desired);
    // Room for the order of the values themselves.
    world->running_->swap_event = world->NextEvent() << kOrderBits;
  }
  return true;
}

void Server::AddPiece(Actor& actor, const Place& place, const Piece& piece) {
  actor.given.push_back({.grant = place.grants[actor.swap_serial],
                         .first = piece.first,
                         .count = piece.count,
                         .order = actor.swap_event});
  const Grant& grant = world_.ledger_.grant(actor.given.back().grant);
  const OwnChange& change = own_changes_[static_cast<size_t>(grant.key)];
  if (grant.ran < change.ran && actor.swap_event >> kOrderBits > change.done)
    world_.Violate("a value from before a set or drop is given after it, by the server that did that");
}

bool Server::TakeAtOnce(Actor& actor, int key) {
  if (actor.latest == nullptr || actor.latest_key != key) return false;
  Place& place = *actor.latest;
  const int64_t step = world_.plan_.keys[static_cast<size_t>(key)].step;
  const Piece piece = sequencer::Take<SimMemory>(place.segments, actor.latest_tenure, step, 1);
  if (piece.outcome != Piece::Outcome::kOk) return false;
  AddPiece(actor, place, piece);
  place.used = memory_->turn;
  if (place.mark > memory_->synced) actor.awaited = std::max<uint64_t>(actor.awaited, place.mark);
  if (piece.is_low && place.wanted == 0) WantSegment(actor, place, actor.latest_tenure);
  return true;
}

Place* Server::FindPlace(int key) {
  for (size_t i = 0; i < memory_->used_places; ++i)
    if (memory_->table[i].key == key) return &memory_->table[i];
  return nullptr;
}

void Server::ClosePlace(Place& place, Leftover* rest) {
  const sequencer::Definition& definition = world_.plan_.keys[static_cast<size_t>(place.key)];
  sequencer::Rest left = sequencer::Close<SimMemory>(place.segments, definition.step, place.follows);
  if (left.count > 0 && left.end - left.Amount(definition.step) < 0) --left.count;
  rest->operation = {.kind = Operation::Kind::kReturn,
                     .definition = definition,
                     .count = left.count,
                     .value = left.end,
                     .number = place.numbers[left.serial & 1],
                     .mark = {.generation = place.generations[left.serial & 1]}};
  rest->key = place.key;
  rest->ran = left.count > 0 ? world_.ledger_.grant(place.grants[left.serial]).ran : 0;
}

Place* Server::MakePlace(int key, Leftover* rest) {
  Place* place = nullptr;
  rest->operation.count = 0;
  if (memory_->used_places < memory_->table.size()) {
    place = &memory_->table[memory_->used_places++];
  } else {
    for (size_t looked = 0; looked < memory_->table.size(); ++looked) {
      Place& candidate = memory_->table[memory_->hand];
      memory_->hand = (memory_->hand + 1) % memory_->table.size();
      if ((candidate.fetcher >= 0 && !world_.plan_.breaks.moves_while_fetching) ||
          (place != nullptr && candidate.used >= place->used))
        continue;
      place = &candidate;
    }
    if (place == nullptr) return nullptr;
    ClosePlace(*place, rest);
  }
  sequencer::MoveIn<SimMemory>(place->segments);
  place->used = ++memory_->turn;
  place->key = key;
  place->fetcher = -1;
  place->size = 0;
  place->fetched_at_us = 0;
  return place;
}

bool Server::FindCurrentPlace(Actor& actor, int key, int64_t until_us, Place** place, uint64_t* tenure) {
  Acquire(actor, memory_->table_lock);
  Leftover rest;
  rest.operation.count = 0;
  *place = FindPlace(key);
  if (*place == nullptr) *place = MakePlace(key, &rest);
  if (*place != nullptr) *tenure = (*place)->segments.tenure.load();
  Release(memory_->table_lock);
  GiveBack(actor, rest, until_us);
  return *place != nullptr;
}

Answer Server::TakeValues(Actor& actor, int key, int64_t count) {
  const sequencer::Definition& definition = world_.plan_.keys[static_cast<size_t>(key)];
  const int64_t until_us = world_.now_us_ + kStoreTimeoutUs;
  Answer answer;
  answer.outcome = Outcome::kOk;
  int64_t values = 0;
  bool is_full = false;
  Place* current = nullptr;
  uint64_t tenure = 0;
  actor.latest = nullptr;
  while (values < count) {
    if (current == nullptr && !FindCurrentPlace(actor, key, until_us, &current, &tenure)) {
      if (world_.now_us_ >= until_us) throw CallFailed{"no room"};
      world_.Sleep(actor, kMs);
      CheckCancel(actor);
      continue;
    }
    Place& place = *current;
    const int64_t missing = count - values;
    if (missing == 1 || is_full || sequencer::CountLeft<SimMemory>(place.segments) >= missing ||
        sequencer::HasReady<SimMemory>(place.segments)) {
      const Piece piece = sequencer::Take<SimMemory>(place.segments, tenure, definition.step, missing);
      if (piece.outcome == Piece::Outcome::kOk) {
        AddPiece(actor, place, piece);
        values += piece.count;
        place.used = memory_->turn;
        if (place.mark > memory_->synced) actor.awaited = std::max<uint64_t>(actor.awaited, place.mark);
        if (piece.is_low && place.wanted == 0) WantSegment(actor, place, tenure);
        continue;
      }
      if (piece.outcome == Piece::Outcome::kNone && is_full) break;
      if (piece.outcome == Piece::Outcome::kGone) {
        current = nullptr;
        continue;
      }
    }
    Acquire(actor, memory_->table_lock);
    const bool is_there = place.segments.tenure.load() == tenure;
    const int64_t left = is_there ? sequencer::CountLeft<SimMemory>(place.segments) : 0;
    const bool has_room = is_there && !sequencer::HasReady<SimMemory>(place.segments);
    const bool may_fetch = has_room && left < missing;
    const bool is_mine = may_fetch && BeginFetch(actor, place);
    Release(memory_->table_lock);
    if (!is_there) current = nullptr;
    if (!may_fetch) continue;
    if (!is_mine) {
      WaitForFetch(actor, place, until_us);
      continue;
    }
    answer = Fetch(actor, place, missing - left, false, until_us);
    is_full = answer.outcome == Outcome::kFull;
    if (answer.outcome == Outcome::kOk || is_full) continue;
    return answer;
  }
  if (values > 0) answer.outcome = Outcome::kOk;
  actor.latest = current;
  actor.latest_tenure = tenure;
  actor.latest_key = key;
  return answer;
}

bool Server::BeginFetch(Actor& actor, Place& place) {
  if (place.fetcher >= 0 && !world_.plan_.breaks.many_fetchers) return false;
  place.fetcher = actor.number;
  actor.own_fetch = &place;
  return true;
}

Answer Server::Fetch(Actor& actor, Place& place, int64_t need, bool ahead, int64_t until_us) {
  const int64_t now_us = world_.now_us_;
  Acquire(actor, memory_->table_lock);
  const uint64_t changes = place.changes;
  Release(memory_->table_lock);
  const int key = place.key;
  const sequencer::Definition& definition = world_.plan_.keys[static_cast<size_t>(key)];
  const int64_t size = sequencer::NextSegmentSize(place.size, now_us - place.fetched_at_us, definition.cache);
  Operation operation = {.kind = Operation::Kind::kSegment,
                         .definition = definition,
                         .count = std::max(size, std::min(need, sequencer::kMaxSegment))};
  Answer answer;
  uint64_t mark = 0;
  size_t grant = 0;
  CallFailed failure = {nullptr};
  try {
    while (true) {
      answer = Answer();
      MarksHost host(*this, actor, until_us);
      const sequencer::StoreKey name = KeyOf(key);
      sequencer::Known known;
      sequencer::AskAboveMarks(host, operation, &name, &answer, 1, &known);
      mark = host.write();
      if (answer.outcome == Outcome::kOk) grant = host.AddGrant(key, answer);
      if (answer.outcome != Outcome::kFull) break;
      const int64_t left = answer.had ? sequencer::LeftAfter(definition, answer.last) : sequencer::CountOf(definition);
      if (left == 0) break;
      operation.count = std::min(left, operation.count);
      CheckCancel(actor);
    }
    if (ahead) Keep(actor, memory_->synced, mark, true);
  } catch (const CallFailed& it) {
    failure = it;
  }
  // What was raised is raised again outside, where a fiber may be left.
  EndFetch(actor, failure.why == nullptr ? &answer : nullptr, grant, changes, size, now_us, mark);
  if (failure.why != nullptr) throw failure;
  return answer;
}

void Server::EndFetch(Actor& actor, const Answer* answer, size_t grant, uint64_t changes, int64_t size,
                      int64_t began_us, uint64_t mark) {
  Place& place = *actor.own_fetch;
  Acquire(actor, memory_->table_lock);
  if (answer != nullptr && answer->outcome == Outcome::kOk &&
      (place.changes == changes || world_.plan_.breaks.put_after_change)) {
    if (!world_.plan_.breaks.segment_without_sync) place.mark = std::max<uint64_t>(place.mark, mark);
    // The serial that it will have: whoever sees it ready may ask at once what it is of.
    place.grants.resize(sequencer::Cursor::Serial(place.segments.cursor.load()) + 2);
    place.grants.back() = grant;
    const uint64_t serial = sequencer::Put<SimMemory>(place.segments, answer->grant.Value(0), answer->grant.count);
    place.generations[serial & 1] = answer->generation;
    place.follows = answer->number_before != 0 && answer->number_before == place.numbers[(serial - 1) & 1];
    place.numbers[serial & 1] = answer->number;
    place.size = size;
    place.fetched_at_us = began_us;
    place.wanted = 0;
  }
  place.fetcher = -1;
  actor.own_fetch = nullptr;
  Release(memory_->table_lock);
  for (Actor* other : actors_)
    if (other->waits_for == &place) world_.Wake(*other);
}

void Server::WaitForFetch(Actor& actor, Place& place, int64_t until_us) {
  if (world_.now_us_ >= until_us) throw CallFailed{"no segment"};
  actor.waits_for = &place;
  Acquire(actor, memory_->table_lock);
  const bool is_fetched_for = place.fetcher >= 0;
  Release(memory_->table_lock);
  if (is_fetched_for) world_.Sleep(actor, until_us - world_.now_us_ + 1);
  actor.waits_for = nullptr;
  CheckCancel(actor);
}

void Server::WantSegment(Actor& actor, Place& place, uint64_t tenure) {
  Acquire(actor, memory_->table_lock);
  if (place.segments.tenure.load() == tenure && place.wanted == 0 && memory_->queue.size() < kQueue) {
    place.wanted = 1;
    memory_->queue.push_back(&place);
  }
  Release(memory_->table_lock);
  world_.Wake(*actors_.back());
}

bool Server::Serve(Actor& actor, Place& place) {
  Acquire(actor, memory_->table_lock);
  const bool is_wanted = sequencer::IsLow<SimMemory>(place.segments) && BeginFetch(actor, place);
  if (!is_wanted) place.wanted = 0;
  Release(memory_->table_lock);
  if (!is_wanted) return true;
  bool failed = false;
  try {
    Fetch(actor, place, 0, true, world_.now_us_ + kStoreTimeoutUs);
  } catch (const CallFailed&) {
    failed = true;
  }
  if (!failed) return true;
  Acquire(actor, memory_->table_lock);
  const bool has_room = memory_->queue.size() < kQueue;
  if (has_room) memory_->queue.push_back(&place);
  place.wanted = has_room ? 1 : 0;
  Release(memory_->table_lock);
  return false;
}

void Server::GiveBack(Actor& actor, const Leftover& leftover, int64_t until_us) {
  const Operation& rest = leftover.operation;
  if (rest.count == 0) return;
  const sequencer::StoreKey name = KeyOf(leftover.key);
  Acquire(actor, memory_->marks_lock);
  const uint64_t write =
      Marks()
          .TakeBack(HashOf(name), {.generation = rest.mark.generation, .value = rest.value},
                    rest.value - rest.count * rest.definition.step)
          .write;
  Release(memory_->marks_lock);
  Keep(actor, memory_->written, write, false);
  Answer answer;
  Ran ran;
  ++world_.figures_.returns;
  Ask(actor, rest, &name, &answer, &ran, 1, until_us, {.ran = leftover.ran});
}

void Server::GiveAllBack(Actor& actor) {
  const int64_t until_us = world_.now_us_ + kGiveBackWithinUs;
  try {
    for (size_t i = 0; i < memory_->used_places && world_.now_us_ < until_us; ++i) {
      Leftover rest;
      Acquire(actor, memory_->table_lock);
      ClosePlace(memory_->table[i], &rest);
      Release(memory_->table_lock);
      GiveBack(actor, rest, until_us);
    }
  } catch (const CallFailed&) {
    // What is left is lost.
  }
}

void Server::ForgetSegments(Actor& actor, int key) {
  if (world_.plan_.breaks.keep_after_set) return;
  Acquire(actor, memory_->table_lock);
  if (Place* place = FindPlace(key); place != nullptr) {
    sequencer::Close<SimMemory>(place->segments, world_.plan_.keys[static_cast<size_t>(key)].step, false);
    ++place->changes;
  }
  Release(memory_->table_lock);
}

}  // namespace idgen::sim::sequences
