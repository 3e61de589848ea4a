// The sequence stores that there are, and the one that a URL names.
#pragma once

#include "io/store_table.h"
#include "sequencer/store.h"

namespace idgen::sequencer {

// By number; nullptr after the last.
const io::UrlKind* SequenceUrlKind(int index) noexcept;

// One object for its owner to keep, whichever store the settings name after a reload. Configure comes first.
class ConfiguredSequenceStore final : public SequenceStore {
 public:
  ConfiguredSequenceStore() noexcept;

  void Configure(const io::StoreAccess& access) noexcept override;
  void Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t now_us,
             int64_t until_us) noexcept override {
    store().Begin(operation, keys, answers, count, now_us, until_us);
  }
  State Step(int64_t now_us) noexcept override { return store().Step(now_us); }
  io::Wants wants(int64_t now_us) const noexcept override { return store().wants(now_us); }
  const char* problem() const noexcept override { return store().problem(); }
  const char* reason() const noexcept override { return store().reason(); }
  bool is_unsure() const noexcept override { return store().is_unsure(); }
  bool is_garbled() const noexcept override { return store().is_garbled(); }
  uint64_t connection() const noexcept override { return connections_before_ + store().connection(); }
  bool came_from_one() const noexcept override { return store().came_from_one(); }
  bool is_exchanging() const noexcept override { return store().is_exchanging(); }
  void Close() noexcept override { store().Close(); }

 private:
  SequenceStore& store() const noexcept { return holder_.store(); }

  io::StoreHolder<SequenceStore> holder_;
  uint64_t connections_before_ = 0;  // of stores that were there before
};

}  // namespace idgen::sequencer
