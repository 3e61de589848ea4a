// The lease stores that there are, and the one that a URL names.
#pragma once

#include "io/store_table.h"
#include "lease/store.h"

namespace idgen::lease {

// By number; nullptr after the last.
const io::UrlKind* LeaseUrlKind(int index) noexcept;

// One object for its owner to keep, whichever store the settings name after a reload. Until Configure every request
// fails.
class ConfiguredLeaseStore final : public LeaseBackend {
 public:
  ConfiguredLeaseStore() noexcept;

  void Configure(const LeaseStoreSettings& settings) noexcept override;
  void Begin(const StoreRequest& request, int64_t now_us) noexcept override { store().Begin(request, now_us); }
  bool Step(int64_t now_us, StoreReply* reply) noexcept override { return store().Step(now_us, reply); }
  io::Wants wants(int64_t now_us) const noexcept override { return store().wants(now_us); }
  const char* problem() const noexcept override { return store().problem(); }
  void Close() noexcept override { store().Close(); }
  size_t record_count() const noexcept override { return store().record_count(); }
  bool Record(size_t index, StoreRecord* record) const noexcept override { return store().Record(index, record); }
  const char* advice() const noexcept override { return store().advice(); }
  const char* failure_advice() const noexcept override { return store().failure_advice(); }

 private:
  LeaseBackend& store() const noexcept { return holder_.store(); }

  io::StoreHolder<LeaseBackend> holder_;
};

}  // namespace idgen::lease
