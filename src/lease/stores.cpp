// The table of lease stores.
#include "lease/stores.h"

#include <iterator>

#include "io/etcd/connection.h"
#include "io/etcd/urls.h"
#include "io/redis/connection.h"
#include "io/redis/urls.h"
#include "lease/etcd/store.h"
#include "lease/redis/store.h"

namespace idgen::lease {
namespace {

// A line for each store.
constexpr io::StoreKind<LeaseBackend> kStores[] = {
    io::KindOf<LeaseBackend, io::OverOwnConnection<RedisLeaseStore>>(io::kRedisUrls),
    io::KindOf<LeaseBackend, io::OverOwnEtcdConnection<EtcdLeaseStore>>(io::kEtcdUrls),
};

class NoLeaseStore final : public LeaseBackend {
 public:
  void Configure(const LeaseStoreSettings&) noexcept override {}
  void Begin(const StoreRequest&, int64_t) noexcept override {}
  bool Step(int64_t, StoreReply* reply) noexcept override {
    *reply = StoreReply();
    return true;
  }
  io::Wants wants(int64_t) const noexcept override { return {}; }
  const char* problem() const noexcept override { return "no lease store is configured"; }
  void Close() noexcept override {}
  size_t record_count() const noexcept override { return 0; }
  bool Record(size_t, StoreRecord*) const noexcept override { return false; }
  const char* advice() const noexcept override { return nullptr; }
};
constinit NoLeaseStore no_store;

}  // namespace

const io::UrlKind* LeaseUrlKind(int index) noexcept {
  return index < static_cast<int>(std::size(kStores)) ? kStores[index].urls : nullptr;
}

ConfiguredLeaseStore::ConfiguredLeaseStore() noexcept : holder_(no_store) {}

void ConfiguredLeaseStore::Configure(const LeaseStoreSettings& settings) noexcept {
  holder_.Choose(kStores, settings.access.url);
  store().Configure(settings);
}

}  // namespace idgen::lease
