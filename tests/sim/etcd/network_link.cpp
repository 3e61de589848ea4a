// Sending calls, sending them again, and what comes back.
#include "etcd/network_link.h"

#include <algorithm>

namespace idgen::sim {

NetworkEtcdLink::~NetworkEtcdLink() {
  for (Call& call : calls_) {
    call.body.Free();
    call.reply.Free();
  }
}

void NetworkEtcdLink::Configure(const io::StoreAccess& access) noexcept {
  NewExchange();
  if (access.timeout_us > 0) timeout_us_ = access.timeout_us;
}

void NetworkEtcdLink::NewExchange() noexcept {
  count_ = 0;
  state_ = State::kIdle;
  may_have_run_ = broken_ = false;
}

wire::EtcdBody& NetworkEtcdLink::AddCall(const char* path, bool is_repeatable) noexcept {
  Call& call = calls_[count_++];
  call.path = path;
  call.is_repeatable = is_repeatable;
  call.answered = call.refused = call.may_run = false;
  call.message = 0;
  call.body.Clear();
  return call.body;
}

void NetworkEtcdLink::Begin(int64_t now_us, int64_t until_us) noexcept {
  state_ = State::kBusy;
  until_us_ = until_us == 0 ? now_us + timeout_us_ : until_us;
  for (int i = 0; i < count_; ++i) {
    if (calls_[i].body.problem() != nullptr) network_.Violate(calls_[i].body.problem());
    SendCall(calls_[i], now_us);
  }
}

void NetworkEtcdLink::SendCall(Call& call, int64_t now_us) {
  call.refused = false;
  call.may_run = true;
  call.again_us = call.is_repeatable ? now_us + kSilentUs : io::kNever;
  call.message = network_.Send(call.path, call.body.text()) + 1;
}

io::EtcdLink::State NetworkEtcdLink::Step(int64_t now_us) noexcept {
  if (state_ != State::kBusy) return state_;
  bool all = true, lost = false;
  for (int i = 0; i < count_; ++i) {
    Call& call = calls_[i];
    if (call.answered) continue;
    all = false;
    // After a reset nobody knows whether a call was carried out.
    if (broken_ && !call.refused) {
      call.message = 0;
      if (call.is_repeatable)
        call.again_us = now_us;
      else
        lost = true;
    }
  }
  broken_ = false;
  if (all) return state_ = State::kDone;
  if (now_us >= until_us_ || lost) {
    for (int i = 0; i < count_; ++i) {
      may_have_run_ = may_have_run_ || (!calls_[i].answered && calls_[i].may_run);
      calls_[i].message = 0;
    }
    ++connection_;
    return state_ = State::kFailed;
  }
  for (int i = 0; i < count_; ++i)
    if (!calls_[i].answered && now_us >= calls_[i].again_us) SendCall(calls_[i], now_us);
  return state_;
}

io::Wants NetworkEtcdLink::wants(int64_t) const noexcept {
  if (state_ != State::kBusy) return {};
  int64_t wake_us = until_us_;
  for (int i = 0; i < count_; ++i)
    if (!calls_[i].answered) wake_us = std::min(wake_us, calls_[i].again_us);
  return {.wake_boot_us = wake_us};
}

bool NetworkEtcdLink::Deliver(uint64_t message, const EtcdModel::Answer& answer, int64_t date_ms) {
  for (int i = 0; state_ == State::kBusy && i < count_; ++i) {
    Call& call = calls_[i];
    if (call.message != message + 1 || call.answered) continue;  // it was given up, or sent again
    call.message = 0;
    if (answer.http_status == 0) {
      call.refused = true;
      call.again_us = network_.NowUs() + kRefusedUs;
    } else {
      call.answered = true;
      date_ms_ = date_ms;
      if (answer.http_status == 501 || !call.reply.Parse(answer.http_status, answer.body))
        network_.Violate("a call to etcd that the model does not know, or an answer that cannot be read: " +
                         answer.body);
    }
    network_.Wake();
    return true;
  }
  return false;
}

void NetworkEtcdLink::Break() {
  ++connection_;
  if (state_ != State::kBusy) return;
  broken_ = true;
  network_.Wake();
}

}  // namespace idgen::sim
