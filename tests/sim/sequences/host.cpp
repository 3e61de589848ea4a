// Waiting, asking and the ledger's bookkeeping, as the protocol's host.
#include "sequences/host.h"

#include <algorithm>

#include "sequencer/take_values.h"

namespace idgen::sim::sequences {

using sequencer::Answer;
using sequencer::Operation;
using Kind = Operation::Kind;

static_assert(sequencer::SlotHost<SimHost>);

namespace {
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
    // The low bits are for the order of the values themselves.
    world->running_->swap_event = world->NextEvent() << kOrderBits;
  }
  return true;
}

uint64_t SimHost::AskStore(const Operation& operation, const sequencer::StoreKey* keys, Answer* answers, int count,
                           int64_t until_us) {
  Ran ran[kMostKeys];
  World::Known knew = asked_[Server::NumberOf(keys[0])].knew;
  if (operation.kind == Kind::kReturn) {
    ++world().figures_.returns;
    knew = {.ran = returned_ran_};
  }
  const bool has_marks = sequencer::HasMarks(operation.definition);
  const uint64_t found = has_marks ? 0 : world().NextEvent();
  server_.Ask(actor_, operation, keys, answers, ran, count, until_us, knew);
  const uint64_t noted = has_marks ? 0 : world().NextEvent();
  for (int i = 0; i < count; ++i) {
    Asked& asked = asked_[Server::NumberOf(keys[i])];
    if (!has_marks) {
      asked.found = found;
      asked.noted = noted;
    }
    if (operation.kind == Kind::kNext || operation.kind == Kind::kSegment) asked.asked = ran[i].at;
    if (operation.kind != Kind::kWriter) asked.ran = ran[i];
  }
  return actor_.connection.answered;
}

void SimHost::LogLoss(const sequencer::StoreKey& key, const sequencer::Known& known, sequencer::Loss, int64_t value) {
  world().Note("server %d: the store gave %lld of key %d; known %lld to %lld", server_.index_,
               static_cast<long long>(value), Server::NumberOf(key), static_cast<long long>(known.mark.value),
               static_cast<long long>(known.ahead));
}

void SimHost::PauseBeforeRaise(const sequencer::StoreKey&, int64_t, int times, int64_t until_us) {
  if (NowUs() >= until_us) throw CallFailed{"repeated values"};
  if (times > 1) world().Sleep(actor_, kMs);
  CheckCancel();
}

bool SimHost::WriteMark(size_t slot, const sequencer::MarkRecord& record) {
  world().MayLeave();
  ++world().figures_.records;
  server_.file_[slot].versions.push_back(record);
  return true;
}

bool SimHost::RequestSync() {
  if (may_forget()) return false;
  server_.sync_at_us_ = std::min(server_.sync_at_us_, NowUs() + actor_.random.Between(1, 200 * kMs));
  WakePrefetcher();
  return true;
}

void SimHost::WaitForKeeper(const core::Word&, uint64_t, int64_t until_us) {
  if (NowUs() >= until_us) throw CallFailed{"the disk"};
  world().Sleep(actor_, actor_.random.Between(1, 20));
  CheckCancel();
}

void SimHost::PrepareToWait(const sequencer::Slot& slot, int64_t until_us) {
  if (NowUs() >= until_us) throw CallFailed{"no segment"};
  actor_.waits_for = &slot;
}

void SimHost::WaitForFetch(const sequencer::Slot&, int64_t until_us) {
  world().Sleep(actor_, until_us - NowUs() + 1);
  CheckCancel();
}

void SimHost::WakeFetchWaiters(const sequencer::Slot& slot) {
  for (Actor* other : server_.actors_)
    if (other->waits_for == &slot) world().Wake(*other);
}

void SimHost::WaitForSlot(int64_t until_us) {
  if (NowUs() >= until_us) throw CallFailed{"no slot"};
  world().Sleep(actor_, kMs);
  CheckCancel();
}

void SimHost::OnFound(const sequencer::StoreKey* keys, const sequencer::Known* known, int count) {
  const uint64_t found = world().NextEvent();
  for (int i = 0; i < count; ++i) {
    const int key = Server::NumberOf(keys[i]);
    asked_[key].found = found;
    asked_[key].knew = server_.knows_[static_cast<size_t>(key)];
    if (!known[i].found && world().plan_.may_evict) world().ledger_.NoteEvicted(key, server_.index_, found);
  }
}

void SimHost::OnNoted(const sequencer::StoreKey& key) {
  const int number = Server::NumberOf(key);
  Asked& asked = asked_[number];
  asked.noted = world().NextEvent();
  World::Known& knows = server_.knows_[static_cast<size_t>(number)];
  knows.ran = std::max(knows.ran, asked.ran.at);
  if (asked.ran.reset <= knows.reset) return;
  knows.reset = asked.ran.reset;
  knows.generation = asked.ran.generation;
}

void SimHost::OnTaken(const sequencer::Slot& slot, const sequencer::Range& range) {
  const size_t index = GrantsOf(slot)[actor_.swap_serial];
  actor_.given.push_back({.grant = index, .first = range.first, .count = range.count, .order = actor_.swap_event});
  const Grant& grant = world().ledger_.grant(index);
  const Server::OwnChange& change = server_.own_changes_[static_cast<size_t>(grant.key)];
  if (grant.ran < change.ran && actor_.swap_event >> kOrderBits > change.done)
    world().Violate("a value from before a set or drop is given after it, by the server that did that");
}

void SimHost::OnFetched(const sequencer::Slot& slot, const Answer& answer) {
  fetched_ = AddGrant(Server::NumberOf(slot.store_key()), answer);
}

// Under the serial that the segment will have: any process that sees it ready may take from it at once.
void SimHost::OnPut(const sequencer::Slot& slot) {
  std::vector<size_t>& grants = GrantsOf(slot);
  grants.resize(sequencer::Cursor::Serial(slot.segments.cursor.load()) + 2);
  grants.back() = fetched_;
}

void SimHost::OnClosed(const sequencer::Slot& slot, const sequencer::ReturnedRemainder& remainder) {
  if (remainder.operation.count > 0) returned_ran_ = world().ledger_.grant(GrantsOf(slot)[remainder.serial]).ran;
}

size_t SimHost::AddGrant(int key, const Answer& answer) {
  const Asked& asked = asked_[key];
  return world().ledger_.Add({.key = key,
                              .server = server_.index_,
                              .life = server_.life_,
                              .first = answer.grant.Value(0),
                              .count = answer.grant.count,
                              .found = asked.found,
                              .asked = asked.asked,
                              .ran = asked.ran.at,
                              .noted = asked.noted,
                              .generation = asked.ran.generation,
                              .process = asked.ran.process});
}

}  // namespace idgen::sim::sequences
