// A link to the simulator's model of etcd (tests/sim/etcd), with the faults that a test wants.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/etcd/link.h"
#include "etcd/model.h"

namespace idgen {

class ModelLink final : public io::EtcdLink {
 public:
  enum class Fate : uint8_t {
    kAnswered,
    kReplyLost,  // carried out
    kTwice,      // carried out a second time after the others of its exchange
    kLate,       // carried out by DeliverLate(), if at all
    kDropped,
  };
  struct Call {
    std::string path;
    std::string body;
  };

  // `now_ms` outlives this.
  ModelLink(sim::EtcdModel& model, const int64_t& now_ms) : model_(model), now_ms_(now_ms) {}
  ~ModelLink() { Close(); }

  // What happens to a call, and what others do before it is carried out.
  std::function<Fate(const std::string& path)> fate;
  std::function<void(const std::string& path)> before;
  bool backwards = false;  // the calls of an exchange arrive in reverse order
  int64_t clock_ahead_ms = 0;
  bool has_clock = true;
  std::string prefix;
  std::vector<std::vector<Call>> exchanges;
  std::vector<Call> late;

  void DeliverLate() {
    for (const Call& call : late) model_.Call(call.path, call.body, now_ms_);
    late.clear();
  }
  int Count(const std::string& path) const {
    int count = 0;
    for (const auto& exchange : exchanges)
      for (const Call& call : exchange) count += call.path == path;
    return count;
  }

  void Configure(const io::StoreAccess&) noexcept override { Close(); }
  std::string_view key_prefix() const noexcept override { return prefix; }
  void NewExchange() noexcept override {
    for (Slot& slot : slots_) slot.reply.Free();
    for (Slot& slot : slots_) slot.body.Clear();
    count_ = 0;
    state_ = State::kIdle;
  }
  wire::EtcdBody& AddCall(const char* path, bool is_repeatable) noexcept override {
    slots_[count_].path = path;
    slots_[count_].is_repeatable = is_repeatable;
    return slots_[count_++].body;
  }
  void Begin(int64_t, int64_t) noexcept override {
    state_ = State::kDone;
    exchanges.emplace_back();
    for (int i = 0; i < count_; ++i) exchanges.back().push_back({slots_[i].path, std::string(slots_[i].body.text())});
    const std::vector<Call> calls = exchanges.back();
    std::vector<Call> twice;
    for (int n = 0; n < count_; ++n) {
      const int i = backwards ? count_ - 1 - n : n;
      const Call& call = calls[static_cast<size_t>(i)];
      if (before) before(call.path);
      const Fate now = fate ? fate(call.path) : Fate::kAnswered;
      if (now != Fate::kAnswered && now != Fate::kTwice) state_ = State::kFailed;
      if (now == Fate::kLate) late.push_back(call);
      if (now == Fate::kTwice) twice.push_back(call);
      if (now == Fate::kLate || now == Fate::kDropped) continue;
      const sim::EtcdModel::Answer answer = model_.Call(call.path, call.body, now_ms_);
      if (!slots_[i].reply.Parse(answer.http_status, answer.body)) state_ = State::kFailed;
    }
    for (const Call& call : twice) model_.Call(call.path, call.body, now_ms_);
  }
  State Step(int64_t) noexcept override { return state_; }
  const wire::EtcdReply& reply(int index) const noexcept override { return slots_[index].reply; }
  int64_t store_now_ms() const noexcept override { return has_clock ? (now_ms_ + clock_ahead_ms) / 1000 * 1000 : 0; }
  bool may_have_run() const noexcept override { return state_ == State::kFailed; }
  bool is_garbled() const noexcept override { return false; }
  uint64_t connection() const noexcept override { return 1; }
  bool is_connected() noexcept override { return true; }
  bool is_exchanging() const noexcept override { return false; }
  io::Wants wants(int64_t) const noexcept override { return {}; }
  const char* problem() const noexcept override { return "127.0.0.1:2379: no luck"; }
  const char* reason() const noexcept override { return "no luck"; }
  void Close() noexcept override {
    for (Slot& slot : slots_) {
      slot.reply.Free();
      slot.body.Free();
    }
    count_ = 0;
    state_ = State::kIdle;
  }

 private:
  struct Slot {
    const char* path = "";
    bool is_repeatable = false;
    wire::EtcdBody body;
    wire::EtcdReply reply;
  };

  sim::EtcdModel& model_;
  const int64_t& now_ms_;
  Slot slots_[kMaxCalls];
  int count_ = 0;
  State state_ = State::kIdle;
};

}  // namespace idgen
