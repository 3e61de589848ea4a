// Holds the model of sequences against the script: the same random operations by the client that ships on a real Redis
// and on store_model.h, comparing every answer and the three keys after every step. Values that other programs write,
// and keys that they take away, come in between.
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <hiredis/hiredis.h>

#include "io/clock.h"
#include "io/name_resolver.h"
#include "io/socket.h"
#include "engine/random.h"
#include "sequencer/redis/store.h"
#include "sequences/store_model.h"
#include "wire/redis_url.h"

namespace {

using namespace idgen;
using namespace idgen::sim;
using namespace idgen::sim::sequences;
using sequencer::Answer;
using sequencer::Definition;
using sequencer::Operation;
using Kind = Operation::Kind;
using Outcome = Answer::Outcome;

constexpr int kSteps = 200;  // of a sequence

[[noreturn]] void Die(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(2);
}

// The connection that looks at the keys, and changes them, behind the client's back.
class Control {
 public:
  explicit Control(const wire::RedisUrl& url) {
    context_ = url.kind == wire::RedisUrl::Kind::kUnix ? redisConnectUnix(url.path)
                                                       : redisConnect(url.endpoints[0].host, url.endpoints[0].port);
    if (context_ == nullptr || context_->err != 0) Die("no Redis", context_ == nullptr ? "" : context_->errstr);
  }
  std::string Do(const std::vector<std::string>& words) {
    std::vector<const char*> arguments;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      arguments.push_back(word.data());
      sizes.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(context_, static_cast<int>(words.size()), arguments.data(), sizes.data()));
    if (reply == nullptr || reply->type == REDIS_REPLY_ERROR) Die(words[0].c_str(), reply ? reply->str : "no reply");
    std::string text = reply->type == REDIS_REPLY_STRING ? std::string(reply->str, reply->len) : "";
    if (reply->type == REDIS_REPLY_ARRAY)
      for (size_t i = 0; i < reply->elements; ++i)
        text += i == 0 ? reply->element[i]->str
                       : ("000000" + std::string(reply->element[i]->str)).substr(strlen(reply->element[i]->str));
    freeReplyObject(reply);
    return text;
  }
  int64_t NowUs() { return atoll(Do({"TIME"}).c_str()); }

 private:
  redisContext* context_;
};

const char* NameOf(Kind kind) {
  constexpr const char* kNames[] = {"next", "segment", "set",   "set if none", "peek",
                                    "drop", "writer",  "raise", "return"};
  return kNames[static_cast<int>(kind)];
}

std::string Describe(const KeyState& state) {
  char text[120];
  snprintf(text, sizeof text, "%s%" PRId64 ", generation %" PRId64 ", number %" PRId64, state.there ? "" : "none ",
           state.value, state.generation, state.number);
  return text;
}

std::string Describe(const Answer& answer) {
  const sequencer::Grant& grant = answer.grant;
  char text[300];
  snprintf(text, sizeof text,
           "outcome %d, had %d, last %" PRId64 ", generation %" PRId64 ", number %" PRId64 " after %" PRId64
           ", values from %" PRId64 " on: %" PRId64 ", %" PRId64 " unbroken",
           static_cast<int>(answer.outcome), answer.had, answer.last, answer.generation, answer.number,
           answer.number_before, grant.count > 0 ? grant.Value(0) : 0, grant.count, grant.unbroken);
  return text;
}

// What an answer says; of a segment that was not given nothing else counts.
bool Same(const Answer& a, const Answer& b) { return Describe(a) == Describe(b); }

class Sequence {
 public:
  Sequence(Control& control, const std::string& url, const Breaks& breaks, uint64_t seed)
      : control_(control), breaks_(breaks), seed_(seed), random_(seed), link_(socket_, resolver_), store_(link_) {
    store_.Configure(
        {.url = url.c_str(), .connect_timeout_us = 5 * core::kUsPerSecond, .timeout_us = 5 * core::kUsPerSecond});
    key_ = sequencer::WriteStoreKey("conformance:", std::to_string(seed), room_);
    name_ = key_.value();
    const bool is_plain = random_.Chance(0.3);
    definition_.step = random_.Chance(0.5) ? 1 : random_.LogBetween(1, 1000);
    definition_.start = is_plain ? definition_.step : random_.Between(0, 30);
    if (!is_plain && random_.Chance(0.7))
      definition_.max_value = std::max(definition_.start, definition_.step) + random_.LogBetween(1, 200000);
    definition_.cycle = !is_plain && random_.Chance(0.3);
    if (!definition_.cycle && random_.Chance(0.6)) definition_.cache = 100;
  }
  ~Sequence() {
    link_.Close();
    control_.Do({"DEL", name_, name_ + ":g", name_ + ":s"});
  }

  // False where the two are not the same.
  bool Run() {
    for (int step = 0; step < kSteps; ++step) {
      if (random_.Chance(0.15)) Meddle();
      const Operation operation = Choose();
      const KeyState before = Read();
      const int64_t from_us = control_.NowUs();
      const Answer real = Ask(operation);
      const int64_t to_us = control_.NowUs();
      const KeyState after = Read();
      KeyState modelled = before;
      const int64_t now_us = TimeOf(before, after, from_us, to_us);
      const Answer expected = Apply(modelled, operation, now_us, 0, breaks_);
      modelled.reset = 0;
      if (operation.kind == Kind::kSegment && real.outcome == Outcome::kOk) latest_ = real;
      const bool is_in_time = now_us / 1000 >= from_us / 1000 && now_us / 1000 <= to_us / 1000;
      if (operation.kind == Kind::kWriter ? real.writer != 0 : Same(real, expected) && after == modelled && is_in_time)
        continue;
      printf("seed %" PRIu64 ", step %d: %s, count %" PRId64 ", value %" PRId64 ", mark %" PRId64 " of %" PRId64
             ", number %" PRId64 "%s\n  start %" PRId64 ", step %" PRId64 ", maximum %" PRId64
             "%s, cache %d\n"
             "  before: %s\n  Redis:  %s\n          %s\n  model:  %s\n          %s\n",
             seed_, step, NameOf(operation.kind), operation.count, operation.value, operation.mark.value,
             operation.mark.generation, operation.number, is_in_time ? "" : ", at another time", definition_.start,
             definition_.step, definition_.max_value, definition_.cycle ? ", cycle" : "", definition_.cache,
             Describe(before).c_str(), Describe(after).c_str(), Describe(real).c_str(), Describe(modelled).c_str(),
             Describe(expected).c_str());
      return false;
    }
    return true;
  }

 private:
  int64_t Value(const std::string& suffix) {
    const std::string text = control_.Do({"GET", name_ + suffix});
    return text.empty() ? -1 : strtoll(text.c_str(), nullptr, 10);
  }
  KeyState Read() {
    KeyState state;
    const int64_t value = Value("");
    state.there = value >= 0;
    state.value = std::max(value, int64_t{0});
    state.generation = std::max(Value(":g"), int64_t{0});
    state.number = std::max(Value(":s"), int64_t{0});
    return state;
  }

  // What the store's clock said, as far as it has left a trace.
  static int64_t TimeOf(const KeyState& before, const KeyState& after, int64_t from_us, int64_t to_us) {
    if (after.number != before.number) return after.number;
    const bool is_time =
        after.generation != before.generation && after.generation >= from_us / 1000 && after.generation <= to_us / 1000;
    return is_time ? after.generation * 1000 : to_us;
  }

  Operation Choose() {
    Operation operation;
    operation.definition = definition_;
    operation.count = random_.Chance(0.5) ? 1 : random_.LogBetween(1, 3000);
    if (definition_.cycle) operation.count = std::min(operation.count, sequencer::CountOf(definition_));
    const KeyState state = Read();
    const int64_t near = std::clamp<int64_t>(state.value + random_.Between(-50, 50) * definition_.step,
                                             std::max<int64_t>(definition_.Before(), 0), definition_.max_value);
    switch (random_.Below(10)) {
      case 0: operation.kind = Kind::kSet; break;
      case 1: operation.kind = Kind::kSetIfNone; break;
      case 2: operation.kind = random_.Chance(0.3) ? Kind::kDrop : Kind::kPeek; break;
      case 3: operation.kind = random_.Chance(0.1) ? Kind::kWriter : Kind::kNext; break;
      case 4:
      case 5: operation.kind = definition_.HasSegments() ? Kind::kReturn : Kind::kNext; break;
      case 6: operation.kind = definition_.cycle ? Kind::kNext : Kind::kRaise; break;
      case 7:
      case 8: operation.kind = definition_.HasSegments() ? Kind::kSegment : Kind::kNext; break;
      default: operation.kind = Kind::kNext; break;
    }
    operation.value = near;
    if (operation.kind == Kind::kNext) operation.with_generation = !definition_.cycle && random_.Chance(0.7);
    if (operation.kind == Kind::kRaise) {
      operation.mark = {.generation = state.generation + random_.Between(-1, 1), .value = near};
      operation.mark.generation = std::max(operation.mark.generation, int64_t{0});
      operation.value = random_.Chance(0.5) ? state.value : near;
    }
    if (operation.kind == Kind::kReturn) {
      const int64_t most = latest_.grant.count;
      operation.count = most > 0 ? random_.Between(1, most) : 1;
      operation.value = most > 0 ? latest_.grant.Value(most - 1) : near;
      operation.number = random_.Chance(0.8) ? latest_.number : latest_.number_before;
      operation.mark.generation = random_.Chance(0.8) ? latest_.generation : state.generation;
      if (operation.value - operation.count * definition_.step < 0) operation.kind = Kind::kPeek;
    }
    return operation;
  }

  // Another program's doing.
  void Meddle() {
    const KeyState state = Read();
    switch (random_.Below(6)) {
      case 0: control_.Do({"DEL", name_}); break;
      case 1: control_.Do({"DEL", name_, name_ + ":g", name_ + ":s"}); break;
      case 2: control_.Do({"DEL", name_ + ":g"}); break;
      case 3:
        control_.Do({"SET", name_, std::to_string(std::max<int64_t>(state.value + random_.Between(-100, 100), 0))});
        break;
      case 4:
        control_.Do({"SET", name_ + ":g", std::to_string(control_.NowUs() / 1000 + random_.Between(0, 100000))});
        break;
      case 5:
        control_.Do({"SET", name_,
                     std::to_string(random_.Chance(0.5)
                                        ? INT64_MAX - random_.Between(0, 3000)
                                        : definition_.max_value -
                                              random_.Between(0, std::min<int64_t>(definition_.max_value, 3000)))});
        break;
    }
    if (random_.Chance(0.05)) control_.Do({"SCRIPT", "FLUSH"});
  }

  Answer Ask(const Operation& operation) {
    Answer answer;
    store_.Begin(operation, &key_, &answer, 1, io::BootUs(), io::BootUs() + 5 * core::kUsPerSecond);
    while (true) {
      const auto state = store_.Step(io::BootUs());
      if (state == sequencer::SequenceStore::State::kDone) return answer;
      if (state == sequencer::SequenceStore::State::kFailed) Die("the store", store_.problem());
      const int64_t now_us = io::BootUs();
      const io::Wants wants = store_.wants(now_us);
      pollfd polled = {wants.fd, static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)), 0};
      const int64_t wait_ms = std::clamp<int64_t>((wants.wake_boot_us - now_us) / core::kUsPerMs + 1, 0, 1000);
      poll(&polled, wants.fd < 0 ? 0 : 1, static_cast<int>(wait_ms));
    }
  }

  Control& control_;
  const Breaks& breaks_;
  const uint64_t seed_;
  Random random_;
  io::Socket socket_;
  io::NameResolver resolver_;
  io::RedisLink link_;
  sequencer::RedisSequenceStore store_;
  char room_[sequencer::kMaxStoreKeyBytes];
  sequencer::StoreKey key_;
  std::string name_;
  Definition definition_;
  Answer latest_;  // the latest segment
};

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = 1, count = 100;
  bool expect_mismatch = false, is_usage = false;
  std::string where;
  Breaks breaks;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--seed" && i + 1 < argc)
      seed = strtoull(argv[++i], nullptr, 10);
    else if (argument == "--sequences" && i + 1 < argc)
      count = strtoull(argv[++i], nullptr, 10);
    else if (argument == "--expect-mismatch")
      expect_mismatch = true;
    else if (argument.rfind("--break=", 0) == 0)
      is_usage = !breaks.Set(argument.c_str() + 8) || is_usage;
    else
      where = argument;
  }
  wire::RedisUrl url;
  const bool is_path = where.find('/') != std::string::npos;
  const std::string text = (is_path ? "unix://" : "redis://") + where;
  if (where.empty() || is_usage || wire::ParseRedisUrl(text.c_str(), &url) != nullptr) {
    fprintf(
        stderr,
        "usage: conformance SOCKET|HOST:PORT [--seed N] [--sequences COUNT] [--break=NAME]... [--expect-mismatch]\n"
        "0: no mismatch. 1: one, which is told; with --expect-mismatch the other way round. 2: could not be run.\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);  // hiredis doesn't
  Control control(url);
  uint64_t finished = 0;
  bool same = true;
  while (same && finished < count) same = Sequence(control, text, breaks, seed + finished++).Run();
  printf("%" PRIu64 " sequences from %" PRIu64 ": %" PRIu64 " steps; mismatches: %d\n", finished, seed,
         finished * kSteps, same ? 0 : 1);
  return same == expect_mismatch ? 1 : 0;
}
