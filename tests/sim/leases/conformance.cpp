// Holds the model against the script: the same random operations and faults on the shipped RedisStore over a socket to
// a real Redis and on redis_model.h, comparing every answer and the whole hash after every step. Without this check the
// simulator's results might not apply to the code that ships.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <hiredis/hiredis.h>

#include "leases/breaks.h"
#include "io/clock.h"
#include "io/name_resolver.h"
#include "io/redis/link.h"
#include "io/socket.h"
#include "lease/redis/store.h"
#include "engine/random.h"
#include "leases/redis_model.h"
#include "wire/redis_url.h"

namespace {

using namespace idgen;
using namespace idgen::sim;
using lease::StoreMemory;
using lease::StoreOutcome;
using lease::StoreReply;
using lease::StoreRequest;
using Kind = StoreRequest::Kind;
using Why = StoreReply::Why;
using Fields = std::map<std::string, std::string>;

constexpr int kSteps = 100;  // of a sequence
constexpr int kAtOnce = 64;  // sequences whose sleeps overlap
constexpr int kClients = 4;  // of a sequence
constexpr int kHolders = 3;  // fewer than clients, so that two of them are one server that has crashed
constexpr int kTokens = 8;   // remembered by a sequence
constexpr int kMostWorkers = 8;
constexpr int64_t kReachMs = 60000;
constexpr int64_t kLongestSleepMs = 500;
constexpr size_t kRemembered = 20;  // steps printed with a mismatch

[[noreturn]] void Die(const char* format, ...) __attribute__((format(printf, 1, 2)));
void Die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(2);
}

std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string Format(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string Digits(int64_t ms) { return Format("%016" PRId64, ms); }
// With the separators that a record uses, since the script must cope with them.
std::string HolderName(int holder) { return Format("host-%d.example|5432|/var/lib/postgresql/%d", holder, holder); }

const char* HolderText(int holder) {
  static std::map<int, std::string> names;
  return names.try_emplace(holder, HolderName(holder)).first->second.c_str();
}

// The connection that causes faults and reads the hash, bypassing the store.
class Control {
 public:
  explicit Control(const wire::RedisUrl& url) {
    context_ = url.kind == wire::RedisUrl::Kind::kUnix ? redisConnectUnix(url.path)
                                                       : redisConnect(url.endpoints[0].host, url.endpoints[0].port);
    if (context_ == nullptr || context_->err != 0) Die("no Redis: %s", context_ == nullptr ? "" : context_->errstr);
    Do({"CONFIG", "SET", "maxmemory", "0"});
    NoteWriter();
  }
  ~Control() {
    SetEviction(0, "noeviction");
    redisFree(context_);
  }

  struct Answer {
    int type = REDIS_REPLY_NIL;
    std::string text;
    std::vector<std::string> texts;
  };
  Answer Do(const std::vector<std::string>& words) {
    std::vector<const char*> arguments;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      arguments.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(context_, static_cast<int>(words.size()), arguments.data(), sizes.data()));
    if (reply == nullptr) Die("%s: %s", words[0].c_str(), context_->errstr);
    if (reply->type == REDIS_REPLY_ERROR) Die("%s: %s", words[0].c_str(), reply->str);
    Answer answer;
    answer.type = reply->type;
    if (reply->str != nullptr) answer.text.assign(reply->str, reply->len);
    for (size_t i = 0; i < reply->elements; ++i)
      answer.texts.emplace_back(reply->element[i]->str, reply->element[i]->len);
    freeReplyObject(reply);
    return answer;
  }

  int64_t NowMs() {
    const Answer time = Do({"TIME"});
    return atoll(time.texts[0].c_str()) * 1000 + atoll(time.texts[1].c_str()) / 1000;
  }
  Fields Hash(const std::string& key) {
    const Answer all = Do({"HGETALL", key});
    Fields fields;
    for (size_t i = 0; i + 1 < all.texts.size(); i += 2) fields[all.texts[i]] = all.texts[i + 1];
    return fields;
  }

  // Another replication id in the same process, as after a fail-over.
  void FailOver() {
    Do({"REPLICAOF", "127.0.0.1", "1"});
    Do({"REPLICAOF", "NO", "ONE"});
    NoteWriter();
  }
  void SetEviction(int64_t bytes, const char* policy) {
    Do({"CONFIG", "SET", "maxmemory", std::to_string(bytes)});
    Do({"CONFIG", "SET", "maxmemory-policy", policy});
    memory_ = bytes == 0                           ? StoreMemory::kUnlimited
              : strncmp(policy, "allkeys", 7) == 0 ? StoreMemory::kEvicts
                                                   : StoreMemory::kLimited;
  }
  StoreMemory memory() const { return memory_; }

  // Writers are numbers in the model, texts in the hash.
  uint64_t writer() const { return writers_.size(); }
  std::string WriterName(uint64_t writer) const {
    return writer <= writers_.size() ? writers_[writer - 1] : Format("another %" PRIu64, writer);
  }

 private:
  void NoteWriter() {
    const auto value = [](const std::string& info, const std::string& field) {
      const size_t at = info.find("\n" + field + ":");
      if (at == std::string::npos) Die("INFO has no field %s", field.c_str());
      const size_t begin = at + field.size() + 2;
      return info.substr(begin, info.find('\r', begin) - begin);
    };
    writers_.push_back(value(Do({"INFO", "server"}).text, "run_id") + " " +
                       value(Do({"INFO", "replication"}).text, "master_replid"));
  }

  redisContext* context_ = nullptr;
  std::vector<std::string> writers_;
  StoreMemory memory_ = StoreMemory::kUnlimited;
};

constexpr uint64_t kAnotherWriter = 1000000;  // and above: writers that this Redis has never been

std::string TextOf(const Record& record) {
  return Digits(record.ceiling_ms) + "|" + Digits(record.expiry_ms) + "|" +
         (record.free ? std::string(lease::kTokenBytes, '-') : record.token) + "|" + Digits(record.floor_ms) + "|" +
         HolderName(record.holder);
}

// The hash that corresponds to the model's state.
Fields FieldsOf(const RedisState& state, const Control& control) {
  Fields fields;
  if (state.born_ms >= 0) fields["born"] = Digits(state.born_ms);
  if (state.writer != 0) fields["wrote"] = control.WriterName(state.writer);
  if (state.ttl_ms >= 0) fields["ttl"] = Digits(state.ttl_ms);
  if (state.new_until_ms >= 0) fields["new"] = Digits(state.new_until_ms);
  for (size_t worker = 0; worker < state.records.size(); ++worker) {
    const Record& record = state.records[worker];
    if (!record.there) continue;
    fields["w" + std::to_string(worker)] = TextOf(record);
  }
  for (size_t worker = 0; worker < state.claims.size(); ++worker)
    if (state.claims[worker].there) fields["s" + std::to_string(worker)] = TextOf(state.claims[worker]);
  return fields;
}

const char* NameOf(Kind kind) {
  constexpr const char* kNames[] = {"acquire", "renew", "release", "list", "declare new", "present"};
  return kNames[static_cast<int>(kind)];
}
const char* NameOf(StoreOutcome outcome) {
  constexpr const char* kNames[] = {"ok", "busy", "lost", "in use", "failed"};
  return kNames[static_cast<int>(outcome)];
}
const char* NameOf(Why why) {
  constexpr const char* kNames[] = {"", "quarantine", "crashes", "full", "ahead", "forgotten", "taken"};
  return kNames[static_cast<int>(why)];
}

std::string Describe(const StoreReply& reply) {
  return Format("%s %s worker %u floor %" PRId64 " granted %" PRId64 " expiry %" PRId64 " until %" PRId64
                " now %" PRId64 " memory %d rival %d %s",
                NameOf(reply.outcome), NameOf(reply.why), reply.worker, reply.floor_ms, reply.granted_ms,
                reply.expiry_ms, reply.until_ms, reply.store_now_ms, static_cast<int>(reply.memory),
                static_cast<int>(reply.rival), reply.rival_holder);
}
std::string Describe(const Call& call) {
  const StoreRequest& request = call.request;
  std::string text = Format("%s by holder %d, ttl %" PRId64, NameOf(request.kind), call.holder, call.ttl_ms);
  if (request.kind == Kind::kAcquire)
    text += Format(", worker ids from %d to below %d", call.min_worker, call.max_workers);
  if (request.kind == Kind::kRelease && !request.worker_known) text += ", worker not known";
  if (request.kind == Kind::kRenew || (request.kind == Kind::kRelease && request.worker_known))
    text += Format(", worker %u", request.worker);
  if (request.kind == Kind::kRenew)
    text += Format(", ceiling %" PRId64 ", last expiry %" PRId64 "%s%s", request.ceiling_ms, request.last_expiry_ms,
                   call.durable ? ", durable" : "", call.first ? ", first" : "");
  if (*request.token != '\0') text += Format(", token %.8s", request.token);
  return text;
}
std::string Describe(const Fields& fields) {
  std::string text;
  for (const auto& [field, value] : fields) text += "    " + field + " = " + value + "\n";
  return text.empty() ? "    (empty)\n" : text;
}

bool Same(const StoreReply& a, const StoreReply& b) {
  return a.outcome == b.outcome && a.why == b.why && a.worker == b.worker && a.floor_ms == b.floor_ms &&
         a.granted_ms == b.granted_ms && a.expiry_ms == b.expiry_ms && a.until_ms == b.until_ms &&
         a.store_now_ms == b.store_now_ms && a.memory == b.memory && a.rival == b.rival &&
         strcmp(a.rival_holder, b.rival_holder) == 0;
}

// A socket that remembers what was sent over it: one of the script's arguments depends on the connection.
class Tap final : public io::Transport {
 public:
  int Open(const io::Address& address) noexcept override { return socket_.Open(address); }
  int Encrypt(const io::TlsFiles& files, const char* host) noexcept override { return socket_.Encrypt(files, host); }
  int Connected() noexcept override { return socket_.Connected(); }
  int64_t Send(const char* bytes, size_t size) noexcept override {
    const int64_t taken = socket_.Send(bytes, size);
    if (taken > 0) sent_.append(bytes, static_cast<size_t>(taken));
    return taken;
  }
  int64_t Receive(char* bytes, size_t capacity) noexcept override { return socket_.Receive(bytes, capacity); }
  io::Wants wants(bool has_to_send) const noexcept override { return socket_.wants(has_to_send); }
  const char* problem() const noexcept override { return socket_.problem(); }
  void Close() noexcept override { socket_.Close(); }

  void Forget() { sent_.clear(); }
  // The argument `place` places after the verb, in the last call.
  std::string Argument(const char* verb, int place) const {
    size_t at = sent_.rfind(Format("$%zu\r\n%s\r\n", strlen(verb), verb));
    for (int i = 0; at != std::string::npos && i <= place; ++i) {
      const size_t size = strtoull(sent_.c_str() + at + 1, nullptr, 10), text = sent_.find('\n', at) + 1;
      if (i == place) return sent_.substr(text, size);
      at = text + size + 2;
    }
    return {};
  }

 private:
  io::Socket socket_;
  std::string sent_;
};

// The store as it ships, with the settings of one server.
class Client {
 public:
  ~Client() { link_.Close(); }  // destructors release neither memory nor sockets

  void Configure(const std::string& url, const std::string& key, int holder, int min_worker, int max_workers,
                 int64_t ttl_ms, bool durable) {
    key_ = key;
    holder_name_ = HolderName(holder);
    call_.holder = holder;
    call_.name_of = HolderText;
    call_.min_worker = min_worker;
    call_.max_workers = max_workers;
    call_.ttl_ms = ttl_ms;
    call_.reach_ms = kReachMs;
    call_.durable = durable;
    lease::LeaseStoreSettings settings;
    settings.access.url = url.c_str();
    settings.access.connect_timeout_us = settings.access.timeout_us = 5 * core::kUsPerSecond;
    settings.prefix = key_.c_str();
    settings.holder = holder_name_.c_str();
    settings.min_worker = static_cast<uint32_t>(min_worker);
    settings.max_workers = static_cast<uint32_t>(max_workers);
    settings.ttl_ms = ttl_ms;
    settings.durable = durable;
    store_.Configure(settings);
  }

  // `*call` is what the script was called with.
  StoreReply Ask(const StoreRequest& request, Call* call) {
    StoreReply reply;
    if (link_.will_be_first()) asked_ = false;
    tap_.Forget();
    store_.Begin(request, io::BootUs());
    while (!store_.Step(io::BootUs(), &reply)) {
      const int64_t now_us = io::BootUs();
      const io::Wants wants = store_.wants(now_us);
      pollfd polled = {wants.fd, static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)), 0};
      const int64_t wait_ms = std::clamp<int64_t>((wants.wake_boot_us - now_us) / core::kUsPerMs + 1, 0, 10000);
      poll(&polled, wants.fd < 0 ? 0 : 1, static_cast<int>(wait_ms));
    }
    *call = call_;
    call->request = request;
    call->first = tap_.Argument("renew", 8) == "1";
    kept_quiet_ = request.kind == Kind::kRenew && !asked_ && !call->first;
    asked_ = asked_ || reply.outcome != StoreOutcome::kFailed;
    return reply;
  }

  // The records of the list that was asked for last, as the store reads them.
  Fields Listed() const {
    Fields listed;
    for (size_t i = 0; i < store_.record_count(); ++i) {
      lease::StoreRecord record;
      if (!store_.Record(i, &record)) {
        listed[Format("the %zuth", i)] = "is not to be read";
        continue;
      }
      const std::string token(record.token, lease::kTokenBytes);
      if (record.free != (token == std::string(lease::kTokenBytes, '-'))) listed["free"] = token;
      listed[(record.is_static ? "s" : "w") + std::to_string(record.worker)] =
          Digits(record.ceiling_ms) + "|" + Digits(record.expiry_ms) + "|" + token + "|" + Digits(record.floor_ms) +
          "|" + record.holder;
    }
    return listed;
  }

  void Close() { store_.Close(); }
  const char* problem() const { return store_.problem(); }
  // The last renewal did not claim to be the first over its connection.
  bool kept_quiet() const { return kept_quiet_; }

 private:
  std::string key_, holder_name_;  // outlive the store's settings
  Call call_;
  Tap tap_;
  io::NameResolver resolver_;
  io::RedisLink link_{tap_, resolver_};
  lease::RedisLeaseStore store_{link_};
  // Over this connection, who wrote last. A list does not ask, but clients that list have a connection of their own.
  bool asked_ = false;
  bool kept_quiet_ = false;
};

// What all sequences share.
struct Run {
  std::string url;
  Control& control;
  Breaks breaks;
  uint64_t steps = 0, faults = 0;
  std::map<std::string, uint64_t> answers = {}, fault_counts = {};
};

// One hash, the servers that share it, and its history: everything but the times follows from the seed.
class Sequence {
 public:
  Sequence(Run& run, uint64_t seed)
      : run_(run), seed_(seed), random_(seed), key_(Format("conformance:%d:%" PRIu64, getpid(), seed)) {
    ttl_ms_ = random_.LogBetween(20, 400);
    workers_ = static_cast<int>(random_.Between(1, 6));
    faulty_ = random_.Chance(0.5) ? 0.03 : 0.2;
    durable_ = random_.Chance(0.3) ? 0.9 : 0.2;
    for (int i = 0; i < kClients; ++i) Configure(i);
    run_.control.Do({"DEL", key_});
  }
  ~Sequence() { run_.control.Do({"DEL", key_}); }

  // False after a mismatch, which is reported.
  bool Step() {
    ++step_;
    while (random_.Chance(faulty_)) Fault();
    if (!Operate()) return false;
    wake_us_ = io::BootUs() + SleepMs() * core::kUsPerMs;
    return true;
  }
  bool finished() const { return step_ >= kSteps; }
  int64_t wake_us() const { return wake_us_; }

 private:
  struct Lease {
    StoreRequest last;  // a renewal with what the server knows
    int client = 0;
  };

  void Configure(int client) {
    const int64_t ttl_ms = random_.Chance(0.7) ? ttl_ms_ : random_.LogBetween(20, 400);
    const int max_workers = random_.Chance(0.8) ? workers_ : static_cast<int>(random_.Between(1, kMostWorkers));
    const int min_worker = random_.Chance(0.6) ? 0 : static_cast<int>(random_.Between(0, max_workers - 1));
    clients_[client].Configure(run_.url, key_, client % kHolders, min_worker, max_workers, ttl_ms,
                               random_.Chance(durable_));
  }

  int64_t Near(int64_t ms, int64_t by) { return std::max<int64_t>(ms + random_.Between(-by, by), 0); }

  Record& RecordOf(uint32_t worker) {
    if (state_.records.size() <= worker) state_.records.resize(worker + 1);
    return state_.records[worker];
  }

  // An operation on both sides.

  bool Operate() {
    const int64_t earliest_ms = run_.control.NowMs();
    int at = static_cast<int>(random_.Below(kClients));
    const StoreRequest request = RequestOf(&at, earliest_ms);
    Client& client = clients_[at];
    const RedisState before = state_;

    Call call;
    const StoreReply real = client.Ask(request, &call);
    const int64_t latest_ms = run_.control.NowMs();
    const Fields hash = run_.control.Hash(key_);

    // Nearly every answer contains the time that the script read. If not, it is one of these.
    int64_t from_ms = earliest_ms, to_ms = latest_ms;
    if (real.store_now_ms != 0)
      from_ms = to_ms = real.store_now_ms;
    else if (real.outcome == StoreOutcome::kOk)
      from_ms = to_ms = real.until_ms - call.ttl_ms;
    StoreReply modelled;
    Fields expected;
    for (int64_t now_ms = from_ms; now_ms <= to_ms; ++now_ms) {
      state_ = before;
      modelled = Apply(state_, call, now_ms, run_.control.writer(), run_.breaks);
      modelled.memory = MemoryOf(before, call, modelled);
      expected = FieldsOf(state_, run_.control);
      if (Same(real, modelled) && hash == expected) break;
    }
    ++run_.steps;
    ++run_.answers[std::string(NameOf(request.kind)) + ": " + NameOf(real.outcome) + " " + NameOf(real.why)];
    Note(Describe(call) + "\n      -> " + Describe(real));

    if (real.outcome == StoreOutcome::kFailed)
      return Mismatch(client.problem(), before, real, modelled, hash, expected);
    if (!Same(real, modelled)) return Mismatch("the answers differ", before, real, modelled, hash, expected);
    if (hash != expected) return Mismatch("the hashes differ", before, real, modelled, hash, expected);
    if (client.kept_quiet())
      return Mismatch("the script was not told that it is the first renewal over its connection", before, real,
                      modelled, hash, expected);
    if (from_ms < earliest_ms || to_ms > latest_ms)
      return Mismatch(Format("its time is not between %" PRId64 " and %" PRId64, earliest_ms, latest_ms).c_str(),
                      before, real, modelled, hash, expected);
    if (request.kind == Kind::kList) {
      Fields records;
      for (const auto& field : expected)
        if ((field.first[0] == 'w' || field.first[0] == 's') && field.first != "wrote") records.insert(field);
      const Fields listed = client.Listed();
      if (listed != records) return Mismatch("the list differs", before, real, modelled, listed, records);
    }
    Learn(call, real, at);
    return true;
  }

  // The model knows nothing of memory. An acquisition reports it, except when it repeats a lost answer, and so does the
  // first renewal over a connection.
  StoreMemory MemoryOf(const RedisState& before, const Call& call, const StoreReply& modelled) const {
    if (modelled.outcome != StoreOutcome::kOk) return StoreMemory::kUnknown;
    if (call.request.kind == Kind::kRenew) return call.first ? run_.control.memory() : StoreMemory::kUnknown;
    if (call.request.kind != Kind::kAcquire) return StoreMemory::kUnknown;
    if (modelled.worker >= before.records.size()) return run_.control.memory();
    const Record& record = before.records[modelled.worker];
    const bool was_lost = record.there && !record.free && strcmp(record.token, call.request.token) == 0 &&
                          record.expiry_ms > modelled.store_now_ms;
    return was_lost ? StoreMemory::kUnknown : run_.control.memory();
  }

  // Keeps what a server would remember of the answer.
  void Learn(const Call& call, const StoreReply& reply, int client) {
    for (Lease& lease : leases_) {
      if (strcmp(lease.last.token, call.request.token) != 0 || reply.outcome != StoreOutcome::kOk) continue;
      if (call.request.kind == Kind::kAcquire) {
        lease.last.worker = reply.worker;
        lease.last.worker_known = true;
        lease.last.ceiling_ms = lease.last.floor_ms = reply.floor_ms;
        lease.client = client;
      }
      if (call.request.kind == Kind::kRenew) lease.last.ceiling_ms = reply.granted_ms;
      if (reply.expiry_ms != 0) lease.last.last_expiry_ms = reply.expiry_ms;
    }
  }

  StoreRequest RequestOf(int* client, int64_t now_ms) {
    StoreRequest request;
    const int64_t dice = acquires_next_ ? 0 : random_.Between(0, 99);
    acquires_next_ = false;
    const bool empty =
        std::none_of(state_.records.begin(), state_.records.end(), [](const Record& record) { return record.there; });
    if (dice != 0 && random_.Chance(0.1)) {
      request.kind = Kind::kPresent;
      request.worker_known = true;
      request.worker = static_cast<uint32_t>(random_.Below(static_cast<uint64_t>(workers_)));
      request.ceiling_ms = CeilingOf(request, now_ms);
      if (random_.Chance(0.5) && *claim_token_ != '\0')
        memcpy(request.token, claim_token_, sizeof request.token);
      else
        NewToken(&request);
      memcpy(claim_token_, request.token, sizeof request.token);
      return request;
    }
    if (leases_.empty() || dice < 35) {
      request.kind = Kind::kAcquire;
      if (leases_.empty() || random_.Chance(0.75)) {
        NewToken(&request);
        if (leases_.size() >= kTokens) leases_.erase(leases_.begin() + static_cast<long>(random_.Below(kTokens)));
        leases_.push_back({.last = request, .client = *client});
      } else {
        memcpy(request.token, SomeLease().last.token, sizeof request.token);
      }
      if (empty && random_.Chance(0.3)) request = {.kind = Kind::kDeclareNew};
      return request;
    }
    if (dice >= 94) return {.kind = Kind::kList};
    if (dice >= 90) return {.kind = Kind::kDeclareNew};
    const Lease& lease = SomeLease();
    request = lease.last;
    if (random_.Chance(0.8)) *client = lease.client;
    if (random_.Chance(0.15)) {
      request.worker = static_cast<uint32_t>(random_.Below(static_cast<uint64_t>(workers_) + 2));
      request.worker_known = true;
      request.last_expiry_ms = now_ms + random_.Between(0, ttl_ms_);  // in time, so that it depends on the record
    }
    if (dice < 78) {
      request.kind = Kind::kRenew;
      request.ceiling_ms = CeilingOf(request, now_ms);
      request.last_expiry_ms = LastExpiryOf(request, now_ms);
      if (random_.Chance(0.1)) request.floor_ms += random_.Between(0, 1);
    } else {
      request.kind = Kind::kRelease;
      // A token can have several records, of which the live one is released. If a fault has made two of them live, the
      // script releases either.
      int records = 0;
      for (const Record& record : state_.records)
        if (record.there && !record.free && record.expiry_ms > now_ms && strcmp(record.token, request.token) == 0)
          ++records;
      if (records > 1)
        request.worker_known = true;
      else if (random_.Chance(0.4))
        request.worker_known = false;
    }
    return request;
  }

  void NewToken(StoreRequest* request) {
    const uint64_t high = random_.Next(), low = random_.Next();
    snprintf(request->token, sizeof request->token, "%08x-%04x-%04x-%04x-%012" PRIx64,
             static_cast<unsigned>(high >> 32), static_cast<unsigned>(high >> 16 & 0xffff),
             static_cast<unsigned>(high & 0xffff), static_cast<unsigned>(low >> 48), low & 0xffffffffffff);
  }
  // Prefers one that was granted.
  const Lease& SomeLease() {
    size_t at = random_.Below(leases_.size());
    for (int tries = 0; tries < 4 && !leases_[at].last.worker_known; ++tries) at = random_.Below(leases_.size());
    return leases_[at];
  }

  int64_t CeilingOf(const StoreRequest& request, int64_t now_ms) {
    switch (random_.Below(9)) {
      case 0: return Near(now_ms, 3);
      case 1: return Near(now_ms + ttl_ms_, 4);
      case 2: return Near(now_ms + std::max<int64_t>(state_.ttl_ms, 0), 4);
      case 3: return Near(request.ceiling_ms, 2);
      case 4: return Near(RecordOf(request.worker).ceiling_ms, 2);
      case 5: return std::max<int64_t>(now_ms - random_.LogBetween(1, 10000000), 0);
      case 6: return now_ms + random_.LogBetween(1, 400000000000);
      case 7: return Near(now_ms + kReachMs, 150);
      default: return random_.Chance(0.1) ? 0 : now_ms + random_.Between(0, ttl_ms_);
    }
  }
  int64_t LastExpiryOf(const StoreRequest& request, int64_t now_ms) {
    switch (random_.Below(12)) {
      case 0: return std::max<int64_t>(request.last_expiry_ms - random_.LogBetween(1, 1000), 0);
      case 1: return request.last_expiry_ms + random_.LogBetween(1, 1000);
      case 2: return Near(now_ms, 1);
      case 3: return Near(std::max<int64_t>(state_.born_ms, 0), 1);
      case 4: return random_.Chance(0.3) ? 0 : request.last_expiry_ms;
      default: return request.last_expiry_ms;
    }
  }

  // Often until just before, at or just after a moment at which the script's answers change.
  int64_t SleepMs() {
    if (random_.Chance(0.45)) return 0;
    if (random_.Chance(0.4)) return random_.Between(0, 3);
    if (random_.Chance(0.4)) return random_.Between(0, 2 * ttl_ms_);
    const int64_t now_ms = io::WallUs() / core::kUsPerMs;
    std::vector<int64_t> edges = {state_.born_ms + std::max(state_.ttl_ms, ttl_ms_), state_.new_until_ms};
    for (const Record& record : state_.records) {
      if (!record.there) continue;
      edges.insert(edges.end(),
                   {record.expiry_ms, record.ceiling_ms - kReachMs, record.ceiling_ms - ttl_ms_, record.ceiling_ms});
    }
    const int64_t edge_ms = edges[random_.Below(edges.size())] + random_.Between(-1, 1);
    return edge_ms <= now_ms || edge_ms > now_ms + kLongestSleepMs ? random_.Between(0, 3) : edge_ms - now_ms;
  }

  // A fault on both sides.

  void Fault() {
    static constexpr struct {
      const char* name;
      int weight;
      void (Sequence::*happen)();
    } kFaults[] = {
        {"the hash is gone", 8, &Sequence::ForgetAll},
        {"a record is gone", 14, &Sequence::ForgetRecord},
        {"a field is gone", 6, &Sequence::ForgetField},
        {"a copy is kept", 20, &Sequence::Keep},
        {"the copy comes back", 14, &Sequence::SetBack},
        {"the copy comes back in another Redis", 8, &Sequence::SetBackElsewhere},
        {"another wrote", 10, &Sequence::AnotherWrites},
        {"the clock is set back", 8, &Sequence::SetClockBack},
        {"born in the future", 4, &Sequence::BearInFuture},
        {"another TTL was in use", 4, &Sequence::ChangeTtl},
        {"all are free, their ceilings at an edge", 4, &Sequence::FreeAllAtEdge},
        {"SCRIPT FLUSH", 6, &Sequence::FlushScripts},
        {"a client hangs up", 10, &Sequence::HangUp},
        {"Redis hangs up on all", 2, &Sequence::HangUpOnAll},
        {"a client's settings change", 8, &Sequence::ChangeClient},
        {"fail-over", 1, &Sequence::FailOver},
        {"maxmemory changes", 2, &Sequence::ChangeEviction},
    };
    int64_t sum = 0;
    for (const auto& fault : kFaults) sum += fault.weight;
    int64_t dice = random_.Between(0, sum - 1);
    for (const auto& fault : kFaults) {
      dice -= fault.weight;
      if (dice >= 0) continue;
      Note(fault.name);
      ++run_.fault_counts[fault.name];
      ++run_.faults;
      return (this->*fault.happen)();
    }
  }

  void ForgetAll() {
    run_.control.Do({"DEL", key_});
    state_ = RedisState();
  }
  void ForgetRecord() {
    const uint64_t worker = random_.Below(static_cast<uint64_t>(workers_));
    run_.control.Do({"HDEL", key_, "w" + std::to_string(worker)});
    RecordOf(static_cast<uint32_t>(worker)) = Record();
  }
  void ForgetField() {
    switch (random_.Below(4)) {
      case 0: state_.born_ms = -1; return Write({"HDEL", key_, "born"});
      case 1: state_.writer = 0; return Write({"HDEL", key_, "wrote"});
      case 2: state_.ttl_ms = -1; return Write({"HDEL", key_, "ttl"});
      default: state_.new_until_ms = -1; return Write({"HDEL", key_, "new"});
    }
  }
  void Keep() {
    const Control::Answer dump = run_.control.Do({"DUMP", key_});
    kept_dump_ = dump.type == REDIS_REPLY_NIL ? std::string() : dump.text;
    kept_state_ = state_;
  }
  void SetBack() {
    run_.control.Do({"DEL", key_});
    if (!kept_dump_.empty()) run_.control.Do({"RESTORE", key_, "0", kept_dump_});
    state_ = kept_state_;
  }
  void SetBackElsewhere() {
    SetBack();
    AnotherWrites();
  }
  void AnotherWrites() {
    state_.writer = kAnotherWriter + random_.Below(1000);
    Write({"HSET", key_, "wrote", run_.control.WriterName(state_.writer)});
  }
  // Moves the hash's times into the future, which is the same as setting the clock back.
  void SetClockBack() {
    const int64_t by_ms = random_.LogBetween(1, 3 * ttl_ms_);
    if (state_.born_ms >= 0) state_.born_ms += by_ms;
    if (state_.new_until_ms >= 0) state_.new_until_ms += by_ms;
    for (Record& record : state_.records) {
      if (!record.there) continue;
      record.ceiling_ms += by_ms;
      if (!record.free) record.expiry_ms += by_ms;
    }
    for (Record& claim : state_.claims) {
      if (!claim.there) continue;
      claim.ceiling_ms += by_ms;
      claim.expiry_ms += by_ms;
    }
    WriteAll();
  }
  // Otherwise an acquisition at exactly that millisecond would hardly ever be tested.
  void FreeAllAtEdge() {
    const int64_t now_ms = run_.control.NowMs();
    const int64_t edge_ms = now_ms + (random_.Chance(0.5) ? kReachMs : ttl_ms_) + random_.Between(-1, 1);
    for (uint32_t worker = 0; worker < kMostWorkers; ++worker) {
      Record& record = RecordOf(worker);
      record = Record();
      record.there = true;
      record.holder = 0;
      record.ceiling_ms = edge_ms;
    }
    if (state_.born_ms >= 0) state_.born_ms = now_ms - 10 * kLongestSleepMs;
    state_.ttl_ms = ttl_ms_ + random_.Between(0, 100);
    WriteAll();
    acquires_next_ = true;
  }
  void BearInFuture() {
    state_.born_ms = io::WallUs() / core::kUsPerMs + random_.LogBetween(1, 3 * ttl_ms_);
    Write({"HSET", key_, "born", Digits(state_.born_ms)});
  }
  void ChangeTtl() {
    state_.ttl_ms = random_.LogBetween(10, 600);
    Write({"HSET", key_, "ttl", Digits(state_.ttl_ms)});
  }
  void FlushScripts() { Write({"SCRIPT", "FLUSH"}); }
  void HangUp() { clients_[random_.Below(kClients)].Close(); }
  void HangUpOnAll() { Write({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); }
  void ChangeClient() { Configure(static_cast<int>(random_.Below(kClients))); }
  void FailOver() { run_.control.FailOver(); }
  void ChangeEviction() {
    constexpr const char* kPolicies[] = {"noeviction", "volatile-lru", "allkeys-lru", "allkeys-random"};
    run_.control.SetEviction(random_.Chance(0.6) ? int64_t{1} << 30 : 0, kPolicies[random_.Below(4)]);
  }
  void Write(const std::vector<std::string>& words) { run_.control.Do(words); }
  void WriteAll() {
    for (const auto& [field, value] : FieldsOf(state_, run_.control)) Write({"HSET", key_, field, value});
  }

  // Reports.

  void Note(std::string what) {
    history_.push_back({step_, std::move(what)});
    while (history_.front().first + static_cast<int>(kRemembered) <= step_) history_.pop_front();
  }
  bool Mismatch(const char* what, const RedisState& before, const StoreReply& real, const StoreReply& modelled,
                const Fields& hash, const Fields& expected) {
    printf("seed %" PRIu64 ", step %d: %s\n  Redis: %s\n  model: %s\n", seed_, step_, what, Describe(real).c_str(),
           Describe(modelled).c_str());
    printf("  before:\n%s", Describe(FieldsOf(before, run_.control)).c_str());
    printf("  after, Redis:\n%s", Describe(hash).c_str());
    if (hash != expected) printf("  after, model:\n%s", Describe(expected).c_str());
    printf("  the last %zu steps:\n", kRemembered);
    for (const auto& [step, text] : history_) printf("%4d  %s\n", step, text.c_str());
    return false;
  }

  Run& run_;
  uint64_t seed_;
  Random random_;
  std::string key_;
  int64_t ttl_ms_;
  int workers_;
  double faulty_, durable_;  // how often
  Client clients_[kClients];
  std::vector<Lease> leases_;
  char claim_token_[lease::kTokenBytes + 1] = {};
  RedisState state_;
  std::string kept_dump_;
  RedisState kept_state_;
  bool acquires_next_ = false;
  int step_ = 0;
  int64_t wake_us_ = 0;
  std::deque<std::pair<int, std::string>> history_;
};

int Usage() {
  fprintf(stderr,
          "usage: conformance SOCKET|HOST:PORT [--seed N] [--sequences COUNT] [--break=NAME]... [--expect-mismatch]\n"
          "                   [--verbose]\n"
          "The Redis must be there for this alone: its memory limit and replication id are changed.\n"
          "0: no mismatch. 1: one, which is told; with --expect-mismatch the other way round. 2: could not be run.\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = 1, count = 100;
  bool expect_mismatch = false, verbose = false;
  std::string where;
  Breaks breaks;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--seed" && i + 1 < argc) {
      seed = strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--sequences" && i + 1 < argc) {
      count = strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--expect-mismatch") {
      expect_mismatch = true;
    } else if (argument == "--verbose") {
      verbose = true;
    } else if (argument.rfind("--break=", 0) == 0) {
      if (!breaks.Set(argument.c_str() + 8)) return Usage();
    } else if (argument[0] != '-' && where.empty()) {
      where = argument;
    } else {
      return Usage();
    }
  }
  if (where.empty()) return Usage();
  wire::RedisUrl url;
  const bool is_path = where.find('/') != std::string::npos;
  const std::string text = (is_path ? "unix://" : "redis://") + where;
  const char* problem = wire::ParseRedisUrl(text.c_str(), &url);
  if (problem != nullptr) Die("%s: %s", where.c_str(), problem);

  signal(SIGPIPE, SIG_IGN);  // hiredis does not
  const auto begun = std::chrono::steady_clock::now();
  Control control(url);
  Run run{.url = text, .control = control, .breaks = breaks};
  std::vector<std::unique_ptr<Sequence>> sequences;
  uint64_t started = 0, finished = 0;
  bool same = true;
  while (same && (finished < count)) {
    while (started < count && sequences.size() < kAtOnce)
      sequences.push_back(std::make_unique<Sequence>(run, seed + started++));
    const auto next = std::min_element(sequences.begin(), sequences.end(),
                                       [](const auto& a, const auto& b) { return a->wake_us() < b->wake_us(); });
    const int64_t wait_us = (*next)->wake_us() - io::BootUs();
    if (wait_us > 0) usleep(static_cast<useconds_t>(wait_us));
    same = (*next)->Step();
    if (!(*next)->finished()) continue;
    sequences.erase(next);
    ++finished;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (verbose) {
    for (const auto& [answer, times] : run.answers) printf("%10" PRIu64 "  %s\n", times, answer.c_str());
    for (const auto& [fault, times] : run.fault_counts) printf("%10" PRIu64 "  %s\n", times, fault.c_str());
  }
  printf("%" PRIu64 " sequences from %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
         " faults in %.1f s (%.0f steps/s); mismatches: %d\n",
         finished, seed, run.steps, run.faults, seconds, static_cast<double>(run.steps) / seconds, same ? 0 : 1);
  return same == expect_mismatch ? 1 : 0;
}
