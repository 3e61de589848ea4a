// Replies of an etcd to lease requests, including invalid ones: a worker id is within the range, a ceiling is granted
// only as requested, records are within the reply, messages are printable, and every request ends.
#include "fuzz.h"

#include "core/identity.h"
#include "lease/etcd/store.h"

namespace {

using namespace idgen;
using fuzz::Require;
using lease::StoreOutcome;
using Kind = lease::StoreRequest::Kind;

constexpr char kToken[] = "11111111-2222-3333-4444-555555555555";
constexpr char kPreviousToken[] = "66666666-7777-8888-9999-000000000000";
constexpr int64_t kNowMs = 1767225600000;
constexpr uint64_t kCluster = 5;  // as in the seeds
constexpr uint32_t kMinWorker = 3, kMaxWorkers = 40;

// Each call is answered with the next line of the input.
class LineLink final : public io::EtcdLink {
 public:
  explicit LineLink(std::string_view lines) : lines_(lines) {}

  void Configure(const io::StoreAccess&) noexcept override {}
  std::string_view key_prefix() const noexcept override { return "/p"; }
  void NewExchange() noexcept override {
    count_ = 0;
    state_ = State::kIdle;
    for (int i = 0; i < kMaxCalls; ++i) {
      bodies_[i].Clear();
      replies_[i].Free();
    }
  }
  wire::EtcdBody& AddCall(const char*, bool) noexcept override {
    Require(count_ < kMaxCalls, "an exchange has few calls");
    return bodies_[count_++];
  }
  void Begin(int64_t, int64_t) noexcept override {
    Require(++exchanges <= 10, "a request is a bounded number of round trips");
    state_ = State::kDone;
    for (int i = 0; i < count_; ++i) {
      Require(bodies_[i].problem() == nullptr && !bodies_[i].text().empty(), "a body is complete");
      const size_t size = std::min(lines_.find('\n'), lines_.size());
      const std::string_view line = lines_.substr(0, size);
      lines_.remove_prefix(std::min(size + 1, lines_.size()));
      if (!replies_[i].Parse(line.find("\"error\"") == line.npos ? 200 : 400, line)) state_ = State::kFailed;
    }
  }
  State Step(int64_t) noexcept override { return state_; }
  const wire::EtcdReply& reply(int index) const noexcept override { return replies_[index]; }
  int64_t store_now_ms() const noexcept override { return kNowMs; }
  bool may_have_run() const noexcept override { return true; }
  bool is_garbled() const noexcept override { return false; }
  uint64_t connection() const noexcept override { return 1; }
  bool is_connected() noexcept override { return true; }
  bool is_exchanging() const noexcept override { return false; }
  io::Wants wants(int64_t) const noexcept override { return {}; }
  const char* problem() const noexcept override { return "failed"; }
  const char* reason() const noexcept override { return "failed"; }
  void Close() noexcept override {
    for (int i = 0; i < kMaxCalls; ++i) {
      bodies_[i].Free();
      replies_[i].Free();
    }
  }

  int exchanges = 0;

 private:
  std::string_view lines_;
  State state_ = State::kIdle;
  int count_ = 0;
  wire::EtcdBody bodies_[kMaxCalls];
  wire::EtcdReply replies_[kMaxCalls];
};

void CheckReply(const lease::StoreRequest& request, const lease::StoreReply& reply) {
  Require(strnlen(reply.rival_holder, lease::kHolderBytes) < lease::kHolderBytes, "a holder ends");
  if (reply.outcome != StoreOutcome::kOk) {
    Require(reply.granted_ms == 0, "nothing is granted unless all is well");
    return;
  }
  if (request.kind == Kind::kAcquire) {
    Require(reply.worker >= kMinWorker && reply.worker < kMaxWorkers, "a worker id is within the range");
    Require(reply.floor_ms >= request.wall_ms && reply.floor_ms <= core::kMaxCeilingMs, "a floor is a time");
  }
  if (request.cluster != 0) Require(reply.cluster == request.cluster, "nothing is granted by another cluster");
  if (request.kind == Kind::kRenew)
    Require(reply.granted_ms == request.ceiling_ms, "a ceiling is granted as requested");
}

void CheckRecords(const lease::EtcdLeaseStore& store) {
  for (size_t i = 0; i <= store.record_count(); ++i) {
    lease::StoreRecord record;
    if (!store.Record(i, &record)) continue;
    Require(i < store.record_count(), "there are no more records than that");
    Require(record.worker <= core::kMaxWorker, "a worker id is one");
    Require(record.ceiling_ms >= 0 && record.ceiling_ms <= core::kMaxCeilingMs, "a ceiling is a time");
    if (!record.free) Require(strnlen(record.token, lease::kTokenBytes) > 0, "a holder has a token");
    [[maybe_unused]] volatile size_t size = strlen(record.holder);  // reads all of it
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  constexpr Kind kKinds[] = {Kind::kAcquire, Kind::kRenew,      Kind::kRelease,
                             Kind::kList,    Kind::kDeclareNew, Kind::kPresent};
  const uint8_t choice = input.Byte();
  lease::StoreRequest request;
  request.kind = kKinds[choice % std::size(kKinds)];
  memcpy(request.token, kToken, sizeof kToken);
  request.worker = kMinWorker;
  request.fence = 7;
  request.ceiling_ms = kNowMs + 21000;
  request.wall_ms = kNowMs;
  request.stored_ms = kNowMs + 9000;
  request.offered_ms = choice & 8 ? kNowMs + 15000 : 0;
  request.revision = choice & 64 ? 7 : 0;
  request.cluster = choice & 32 ? kCluster : 0;
  if (choice & 128) {
    request.previous = {.fence = 5, .worker = kMinWorker + 1, .ceiling_ms = kNowMs + 9000, .cluster = request.cluster};
    memcpy(request.previous.token, kPreviousToken, sizeof kPreviousToken);
  }

  LineLink link(input.Rest());
  lease::EtcdLeaseStore store(link);
  lease::LeaseStoreSettings settings;
  settings.prefix = "w";
  settings.holder = "host|5432|/data";
  settings.min_worker = kMinWorker;
  settings.max_workers = kMaxWorkers;
  settings.ttl_ms = 30000;
  store.Configure(settings);
  store.Begin(request, 1000000);
  lease::StoreReply reply;
  Require(store.Step(1000000, &reply), "a request ends");
  CheckReply(request, reply);
  if (reply.outcome == StoreOutcome::kOk && request.kind == Kind::kList) CheckRecords(store);
  Require(fuzz::IsPrintable(store.problem()), "a message is printable");
  store.Close();
  return 0;
}
