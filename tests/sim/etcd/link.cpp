// Delivery to the model, and what goes wrong with it.
#include "etcd/link.h"

#include <cstdlib>
#include <limits>
#include <utility>

namespace idgen::sim {

ModelEtcdLink::~ModelEtcdLink() {
  for (Call& call : calls_) {
    call.body.Free();
    call.reply.Free();
  }
}

void ModelEtcdLink::Configure(const io::StoreAccess& access) noexcept {
  Close();
  const std::string_view url = access.url;
  const size_t host = url.find("://");
  const size_t path = host == std::string_view::npos ? host : url.find('/', host + 3);
  if (host != std::string_view::npos) prefix = path == std::string_view::npos ? "" : url.substr(path);
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  if (access.timeout_us > 0) timeout_us_ = access.timeout_us;
}

void ModelEtcdLink::NewExchange() noexcept {
  count_ = 0;
  state_ = State::kIdle;
  may_have_run_ = is_garbled_ = is_silent_ = false;
}

wire::EtcdBody& ModelEtcdLink::AddCall(const char* path, bool is_repeatable) noexcept {
  if (count_ == kMaxCalls) abort();
  Call& call = calls_[count_++];
  call.path = path;
  call.is_repeatable = is_repeatable;
  call.body.Clear();
  return call.body;
}

void ModelEtcdLink::Begin(int64_t now_us, int64_t until_us) noexcept {
  ++exchanges;
  now_us_ = now_us;
  until_us_ = until_us == 0 ? now_us + timeout_us_ : until_us;
  state_ = State::kBusy;
  sent.emplace_back();
  for (int i = 0; i < count_; ++i) sent.back().push_back({calls_[i].path, std::string(calls_[i].body.text())});
  for (int i = 0; i < count_; ++i) CarryOut(calls_[backwards ? count_ - 1 - i : i], now_us);
  for (const Sent& it : std::exchange(again_, {})) etcd_.Call(it.path, it.body, NowUs() / 1000);
  if (state_ == State::kBusy && !is_silent_) state_ = State::kDone;
}

EtcdModel::Answer ModelEtcdLink::Ask(std::string_view path, std::string_view body) {
  if (before_call) before_call(path, body);
  ++calls;
  return etcd_.Call(path, body, NowUs() / 1000);
}

void ModelEtcdLink::CarryOut(Call& call, int64_t now_us) {
  if (call.body.problem() != nullptr) return Fail(call.body.problem());
  if (!is_connected_) ++connection_;
  is_connected_ = true;
  for (;;) {
    Fault fault = Fault::kNone;
    if (!faults_.empty()) {
      fault = faults_.front();
      faults_.pop_front();
    } else if (fate) {
      fault = fate(call.path);
    }
    const std::string_view body = call.body.text();
    EtcdModel::Answer answer;
    switch (fault) {
      case Fault::kRefused: return Fail("connection refused");
      case Fault::kLate: late_.push_back({call.path, std::string(body)}); [[fallthrough]];
      case Fault::kRequestLost:
      case Fault::kReplyLost:
      case Fault::kReset:
        if (fault == Fault::kReplyLost || fault == Fault::kReset) Ask(call.path, body);
        is_connected_ = false;
        if (!is_patient) {
          may_have_run_ = true;
          return Fail("no reply");
        }
        if (call.is_repeatable) {
          ++connection_;
          is_connected_ = true;
          continue;
        }
        may_have_run_ = true;
        if (fault == Fault::kReset) return Fail("connection closed");
        is_silent_ = true;
        return;
      case Fault::kTwice: Ask(call.path, body); break;
      case Fault::kAgain: again_.push_back({call.path, std::string(body)}); break;
      case Fault::kGarbled:
        Ask(call.path, body);
        may_have_run_ = is_garbled_ = true;
        return Fail("not an etcd");
      case Fault::kNone: break;
    }
    if (!answers_.empty()) {
      answer = std::move(answers_.front());
      answers_.pop_front();
    } else {
      answer = Ask(call.path, body);
    }
    store_now_ms_ = has_clock ? (now_us + clock_ahead_us) / 1000000 * 1000 : 0;
    if (!call.reply.Parse(answer.http_status, answer.body)) {
      may_have_run_ = is_garbled_ = true;
      return Fail("not an etcd");
    }
    return;
  }
}

int ModelEtcdLink::Count(std::string_view path) const {
  int count = 0;
  for (const auto& exchange : sent)
    for (const Sent& it : exchange) count += it.path == path;
  return count;
}

void ModelEtcdLink::DeliverLate() {
  for (const Sent& it : std::exchange(late_, {})) Ask(it.path, it.body);
}

io::EtcdLink::State ModelEtcdLink::Step(int64_t now_us) noexcept {
  now_us_ = now_us;
  if (state_ == State::kBusy && now_us >= until_us_) Fail("timeout expired");
  return state_;
}

io::Wants ModelEtcdLink::wants(int64_t) const noexcept {
  return {.wake_boot_us = state_ == State::kBusy ? until_us_ : std::numeric_limits<int64_t>::max()};
}

void ModelEtcdLink::Fail(const char* problem) noexcept {
  state_ = State::kFailed;
  is_connected_ = false;
  problem_ = problem;
}

void ModelEtcdLink::Close() noexcept {
  NewExchange();
  is_connected_ = false;
}

}  // namespace idgen::sim
