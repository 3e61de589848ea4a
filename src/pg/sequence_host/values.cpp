// Calls of the protocol, each inside a PG_TRY. The protocol runs in functions of its own, so that nothing of it lives
// in a frame with a PG_TRY.
#include "pg/sequence_host/values.h"

#include "io/clock.h"
#include "pg/sequences/sequence_store.h"

#include <cstring>

namespace idgen::pg {

LatestSlot latest_slot = {};

namespace {

using sequencer::Answer;
using sequencer::Operation;
using sequencer::StoreKey;

uint64 HashOfName(const StoreKey& key) {
  const std::string_view bytes = key.value();
  return hash_bytes_extended(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), 0);
}

pg_noinline Answer Take(const Sequencer& sequencer, const StoreKey& key, int64 count, Ranges* taken) {
  const sequencer::SlotName name = {.key = key,
                                    .store = StoreIdentity(),
                                    .hash = HashOfName(key),
                                    .definition = &sequencer.definition,
                                    .sequencer = sequencer.name,
                                    .prefix = sequencer.prefix,
                                    .database = MyDatabaseId};
  Host host(taken);
  return sequencer::TakeValues(host, name, count, io::BootUs() + StoreTimeoutUs(), &taken->values);
}

pg_noinline Answer Change(Operation operation, const StoreKey& key) {
  Host host;
  // A later generation than those of another server, which may have set the key in a store that this one replaced.
  operation.mark.generation = io::WallUs() / core::kUsPerMs;
  return sequencer::ChangeKey(host, operation, key, HashOfName(key), io::BootUs() + StoreTimeoutUs());
}

pg_noinline void Ask(const Operation& operation, const StoreKey* keys, Answer* answers, int count) {
  const int64 until_us = io::BootUs() + StoreTimeoutUs();
  auto* known = static_cast<sequencer::Known*>(palloc(sizeof(sequencer::Known) * static_cast<Size>(count)));
  Host host;
  host.AwaitMark(sequencer::AskAboveMarks(host, operation, keys, answers, count, known, until_us));
}

}  // namespace

Answer TakeValues(const Sequencer& sequencer, const StoreKey& key, int64 count, Ranges* taken) {
  AbandonSequenceCallAtExit();
  *taken = {};
  Answer answer;
  PG_TRY();
  { answer = Take(sequencer, key, count, taken); }
  PG_CATCH();
  {
    AbandonSequenceCall();
    PG_RE_THROW();
  }
  PG_END_TRY();
  return answer;
}

Answer ChangeKey(const Operation& operation, const StoreKey& key) {
  AbandonSequenceCallAtExit();
  Answer answer;
  PG_TRY();
  { answer = Change(operation, key); }
  PG_CATCH();
  {
    AbandonSequenceCall();
    PG_RE_THROW();
  }
  PG_END_TRY();
  return answer;
}

// Nothing of it is left half done by an error.
void AskForValues(const Operation& operation, const StoreKey* keys, Answer* answers, int count) {
  Ask(operation, keys, answers, count);
}

void RememberSlot(const text* key, const text* sequencer) {
  Host host;
  const sequencer::Session& session = host.session();
  LatestSlot& latest = latest_slot;
  latest.slot = nullptr;
  if (session.slot == nullptr) return;
  latest.tenure = session.tenure;
  latest.step = session.slot->definition.step;
  latest.access_count = store_access_count;
  latest.definitions_count = sequencers.entries_count;
  latest.sequencer_size = VARSIZE_ANY_EXHDR(sequencer);
  latest.key_size = VARSIZE_ANY_EXHDR(key);
  memcpy(latest.sequencer, VARDATA_ANY(sequencer), latest.sequencer_size);
  memcpy(latest.key, VARDATA_ANY(key), latest.key_size);
  latest.slot = session.slot;
}

}  // namespace idgen::pg
