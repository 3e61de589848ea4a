// A link to the model for unit tests: calls are carried out and answered at once, unless the test has said what is to
// go wrong. Other servers' calls go to the model directly, or between two calls of this one: see before_call.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "etcd/model.h"
#include "io/etcd/link.h"

namespace idgen::sim {

class ModelEtcdLink final : public io::EtcdLink {
 public:
  enum class Fault : uint8_t {
    kNone,
    kRefused,      // not carried out, and the link knows it
    kRequestLost,  // not carried out; there is no answer until the time is up
    kReplyLost,    // carried out, but there is no answer until the time is up
    kReset,        // carried out; the connection ends before the answer
    kTwice,        // carried out twice; the second answer counts
    kAgain,        // carried out a second time after the other calls of its exchange; the first answer counts
    kLate,         // carried out by DeliverLate(); there is no answer until the time is up
    kGarbled,      // carried out, but the answer is not etcd's
  };

  struct Sent {
    std::string path, body;
  };

  // `now_ms`: the time, if it passes between the calls of this link, too; it must outlive the link.
  explicit ModelEtcdLink(EtcdModel& etcd, const int64_t* now_ms = nullptr) noexcept : etcd_(etcd), now_ms_(now_ms) {}
  ModelEtcdLink(const ModelEtcdLink&) = delete;
  ~ModelEtcdLink();

  // What happens to the next calls, in the order in which they are added. A call that is repeatable is sent again after
  // a lost request or reply, and takes the next fault.
  void Inject(std::initializer_list<Fault> faults) { faults_.insert(faults_.end(), faults); }
  // The next call is not carried out but answered with this.
  void AnswerWith(int http_status, std::string body) { answers_.push_back({http_status, std::move(body)}); }
  void DeliverLate();

  // What happens to a call if nothing was injected.
  std::function<Fault(const std::string& path)> fate;
  // Otherwise a call without an answer fails at once, and is not sent again.
  bool is_patient = true;
  bool backwards = false;  // the calls of an exchange arrive in reverse order
  std::string prefix;      // unless the URL says another one

  // Called before each call is carried out.
  std::function<void(std::string_view path, std::string_view body)> before_call;
  // etcd's wall clock, less the time that is passed in. With `has_clock` false replies say nothing of it.
  int64_t clock_ahead_us = int64_t{1795000000} * 1000000;
  bool has_clock = true;
  uint64_t calls = 0;                   // carried out
  uint64_t exchanges = 0;               // round trips: calls of one exchange go out side by side
  std::vector<std::vector<Sent>> sent;  // by exchange
  int Count(std::string_view path) const;
  size_t late_count() const { return late_.size(); }

  void Configure(const io::StoreAccess& access) noexcept override;
  std::string_view key_prefix() const noexcept override { return prefix; }
  void NewExchange() noexcept override;
  wire::EtcdBody& AddCall(const char* path, bool is_repeatable) noexcept override;
  void Begin(int64_t now_us, int64_t until_us) noexcept override;
  State Step(int64_t now_us) noexcept override;
  const wire::EtcdReply& reply(int index) const noexcept override { return calls_[index].reply; }
  int64_t store_now_ms() const noexcept override { return store_now_ms_; }
  bool may_have_run() const noexcept override { return may_have_run_; }
  bool is_garbled() const noexcept override { return is_garbled_; }
  uint64_t connection() const noexcept override { return connection_; }
  bool is_connected() noexcept override { return is_connected_; }
  bool is_exchanging() const noexcept override { return state_ == State::kBusy; }
  io::Wants wants(int64_t now_us) const noexcept override;
  const char* problem() const noexcept override { return problem_; }
  const char* reason() const noexcept override { return problem_; }
  void Close() noexcept override;

 private:
  struct Call {
    const char* path = "";
    bool is_repeatable = false;
    wire::EtcdBody body;
    wire::EtcdReply reply;
  };

  void CarryOut(Call& call, int64_t now_us);
  EtcdModel::Answer Ask(std::string_view path, std::string_view body);
  void Fail(const char* problem) noexcept;

  int64_t NowUs() const noexcept { return now_ms_ == nullptr ? now_us_ : *now_ms_ * 1000; }

  EtcdModel& etcd_;
  const int64_t* now_ms_;
  int64_t timeout_us_ = 2000000;
  std::deque<Fault> faults_;
  std::deque<EtcdModel::Answer> answers_;
  std::vector<Sent> late_, again_;
  Call calls_[kMaxCalls];
  int count_ = 0;
  State state_ = State::kIdle;
  bool is_silent_ = false;  // a call has no answer
  bool may_have_run_ = false;
  bool is_garbled_ = false;
  bool is_connected_ = false;
  uint64_t connection_ = 0;
  int64_t now_us_ = 0;
  int64_t until_us_ = 0;
  int64_t store_now_ms_ = 0;
  const char* problem_ = "";
};

}  // namespace idgen::sim
