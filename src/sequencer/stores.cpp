// The table of sequence stores.
#include "sequencer/stores.h"

#include <iterator>

#include "io/etcd/connection.h"
#include "io/etcd/urls.h"
#include "io/redis/connection.h"
#include "io/redis/urls.h"
#include "sequencer/etcd/store.h"
#include "sequencer/redis/store.h"

namespace idgen::sequencer {
namespace {

// A line for each store.
constexpr io::StoreKind<SequenceStore> kStores[] = {
    io::KindOf<SequenceStore, io::OverOwnConnection<RedisSequenceStore>>(io::kRedisUrls),
    io::KindOf<SequenceStore, io::OverOwnEtcdConnection<EtcdSequenceStore>>(io::kEtcdUrls),
};

class NoSequenceStore final : public SequenceStore {
 public:
  void Configure(const io::StoreAccess&) noexcept override {}
  void Begin(const Operation&, const StoreKey*, Answer*, int, int64_t, int64_t) noexcept override {}
  State Step(int64_t) noexcept override { return State::kFailed; }
  io::Wants wants(int64_t) const noexcept override { return {}; }
  const char* problem() const noexcept override { return reason(); }
  const char* reason() const noexcept override { return "no sequence store is configured"; }
  bool is_unsure() const noexcept override { return false; }
  bool is_garbled() const noexcept override { return false; }
  uint64_t connection() const noexcept override { return 0; }
  bool came_from_one() const noexcept override { return false; }
  bool is_exchanging() const noexcept override { return false; }
  void Close() noexcept override {}
};
constinit NoSequenceStore no_store;

}  // namespace

const io::UrlKind* SequenceUrlKind(int index) noexcept {
  return index < static_cast<int>(std::size(kStores)) ? kStores[index].urls : nullptr;
}

ConfiguredSequenceStore::ConfiguredSequenceStore() noexcept : holder_(no_store) {}

void ConfiguredSequenceStore::Configure(const io::StoreAccess& access) noexcept {
  const uint64_t connections = store().connection();
  if (holder_.Choose(kStores, access.url)) connections_before_ += connections;
  store().Configure(access);
}

}  // namespace idgen::sequencer
