// The link to a Redis that replies anything at any time, and redirects: every exchange ends within a bounded time and
// number of connections, messages about it are printable, and leases and values from it are within their bounds.
#include "operation.h"

#include "core/identity.h"
#include "core/time.h"
#include "io/redis/link.h"
#include "lease/redis/store.h"
#include "sequencer/redis/store.h"

namespace {

using namespace idgen;
using fuzz::Input;
using fuzz::Require;

constexpr int kMaxSteps = 20000;

// All connections read the same script: the size of each chunk, then its bytes. Size 0: nothing at the moment; 255: the
// connection is lost; 254: it cannot be made.
class Transport final : public io::Transport {
 public:
  explicit Transport(Input* script) : script_(script) {}

  int Open(const io::Address&) noexcept override {
    is_open_ = true;
    chunk_ = {};
    ++opened;
    return 0;
  }
  int Encrypt(const io::TlsFiles&, const char*) noexcept override { return 0; }
  int Connected() noexcept override {
    Require(is_open_, "only an opened socket is connected");
    if (script_->empty()) return 0;
    return script_->Byte() == 254 ? -1 : 1;
  }
  int64_t Send(const char* bytes, size_t size) noexcept override {
    Require(is_open_ && bytes != nullptr && size > 0, "writes are not empty and need a connection");
    sent += size;
    return static_cast<int64_t>(size);
  }
  int64_t Receive(char* bytes, size_t capacity) noexcept override {
    if (!is_open_) return -1;
    if (chunk_.empty()) {
      const uint8_t size = script_->Byte();
      if (size == 255) return -1;
      chunk_ = script_->Text(size);
    }
    const size_t given = chunk_.copy(bytes, capacity);
    chunk_.remove_prefix(given);
    return static_cast<int64_t>(given);
  }
  io::Wants wants(bool has_to_send) const noexcept override { return {.fd = 7, .read = true, .write = has_to_send}; }
  const char* problem() const noexcept override { return "lost\x1b[31m\xff"; }
  void Close() noexcept override { is_open_ = false; }

  int opened = 0;
  size_t sent = 0;

 private:
  Input* script_;
  std::string_view chunk_;
  bool is_open_ = false;
};

class Resolver final : public io::Resolver {
 public:
  void Begin(const char* host, uint16_t port) noexcept override {
    known_ = strlen(host) % 3 != 0;
    Require(io::AddressOfDigits("10.0.0.1", port, &address_), "an address");
  }
  State Step() noexcept override { return known_ ? State::kDone : State::kFailed; }
  int count() const noexcept override { return known_ ? 2 : 0; }
  const io::Address& address(int) const noexcept override { return address_; }
  io::Wants wants(int64_t) const noexcept override { return {.fd = 8, .read = true}; }
  const char* problem() const noexcept override { return "no such name"; }
  void Cancel() noexcept override {}

 private:
  bool known_ = false;
  io::Address address_;
};

struct World {
  World(Input* script, const char* url) : transport(script), link(transport, resolver) {
    access.url = url;
    access.connect_timeout_us = core::kUsPerSecond;
    access.timeout_us = 3 * core::kUsPerSecond;
    link.Configure(access);
    Require(link.url().kind != wire::RedisUrl::Kind::kNone, "the URL is valid");
  }
  ~World() { link.Close(); }

  // Steps until `is_done`, and lets time pass.
  template <class Step>
  void Finish(const Step& is_done) {
    const int64_t begun_us = now_us;
    const int opened_before = transport.opened;
    int steps = 0;
    while (!is_done()) {
      Require(++steps < kMaxSteps, "the exchange ends");
      const io::Wants wants = link.wants(now_us);
      Require(wants.wake_boot_us != io::kNever, "a wait has a deadline");
      now_us += core::kUsPerMs;
      if (steps > 100) now_us = std::max(now_us, wants.wake_boot_us);
    }
    Require(now_us - begun_us <= 8 * core::kUsPerSecond, "the exchange ends in time");
    Require(transport.opened - opened_before < 200, "the exchange needs few connections");
    Require(fuzz::IsPrintable(link.problem()), "messages about it are printable");
  }

  int64_t now_us = 1000000;
  Transport transport;
  Resolver resolver;
  io::StoreAccess access;
  io::RedisLink link;
};

void Lease(World* world, Input* input) {
  using Kind = lease::StoreRequest::Kind;
  constexpr Kind kKinds[] = {Kind::kAcquire, Kind::kRenew,      Kind::kRelease,
                             Kind::kList,    Kind::kDeclareNew, Kind::kPresent};
  lease::RedisLeaseStore store(world->link);
  lease::LeaseStoreSettings settings;
  settings.access = world->access;
  settings.prefix = "p";
  settings.holder = "h|1|/d";
  settings.min_worker = 2;
  settings.max_workers = 8;
  settings.ttl_ms = 3000;
  settings.replicas = input->Byte() & 1;
  store.Configure(settings);
  for (int requests = 0; requests < 4; ++requests) {
    lease::StoreRequest request;
    request.kind = kKinds[input->Byte() % std::size(kKinds)];
    memset(request.token, 't', lease::kTokenBytes);
    store.Begin(request, world->now_us);
    lease::StoreReply reply;
    world->Finish([&] { return store.Step(world->now_us, &reply); });
    Require(fuzz::IsPrintable(store.problem()), "messages about the store are printable");
    Require(reply.outcome != lease::StoreOutcome::kFailed || *store.problem() != '\0', "a failure has a reason");
    if (reply.outcome == lease::StoreOutcome::kOk && request.kind == Kind::kAcquire)
      Require(reply.worker >= settings.min_worker && reply.worker < settings.max_workers,
              "a worker id is in the range");
    Require(reply.rival_holder != nullptr && strlen(reply.rival_holder) < 1 << 20, "a rival has a text");
    for (const int64_t ms : {reply.floor_ms, reply.granted_ms, reply.expiry_ms, reply.until_ms, reply.store_now_ms})
      Require(ms >= 0 && ms <= core::kMaxCeilingMs, "a ceiling is a valid time");
    if (reply.outcome != lease::StoreOutcome::kOk || request.kind != Kind::kList) continue;
    for (size_t i = 0; i < store.record_count(); ++i) {
      lease::StoreRecord record;
      if (!store.Record(i, &record)) continue;
      Require(record.worker <= core::kMaxWorker && record.ceiling_ms <= core::kMaxCeilingMs,
              "a record is within its bounds");
      Require(strlen(record.token) >= lease::kTokenBytes && record.holder != nullptr,
              "a record has a token and a holder");
    }
  }
}

void Sequences(World* world, Input* input, const sequencer::Operation& operation) {
  sequencer::RedisSequenceStore store(world->link);
  char rooms[3][sequencer::kMaxStoreKeyBytes];
  sequencer::StoreKey keys[3];
  for (int i = 0; i < 3; ++i)
    keys[i] = sequencer::WriteStoreKey("p:", std::string(1, static_cast<char>('a' + i)), rooms[i]);
  for (int requests = 0; requests < 3; ++requests) {
    sequencer::Answer answers[3];
    const int count = input->Byte() % 3 + 1;
    store.Begin(operation, keys, answers, count, world->now_us, world->now_us + core::kUsPerSecond);
    auto state = sequencer::SequenceStore::State::kBusy;
    world->Finish([&] { return (state = store.Step(world->now_us)) != sequencer::SequenceStore::State::kBusy; });
    Require(fuzz::IsPrintable(store.problem()), "messages about the store are printable");
    for (int i = 0; i < count; ++i) {
      Require(fuzz::IsPrintable(answers[i].problem), "the store's message is printable");
      if (state == sequencer::SequenceStore::State::kDone)
        Require(answers[i].outcome != sequencer::Answer::Outcome::kUnasked,
                "when the exchange is done every reply is there");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  constexpr const char* kUrls[] = {"redis://10.0.0.1", "redis://:secret@10.0.0.1,cache:7,[::1]:9/3",
                                   "redis+sentinel://u:secret@10.0.0.9,10.0.0.8/m", "unix:///s?db=2"};
  Input input(bytes, size);
  const uint8_t flags = input.Byte();
  const sequencer::Operation operation = fuzz::OperationOf(&input);
  World world(&input, kUrls[flags % std::size(kUrls)]);
  if ((flags & 4) != 0)
    Lease(&world, &input);
  else
    Sequences(&world, &input, operation);
  return 0;
}
