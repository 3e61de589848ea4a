// A server's way to its store: requests go out, replies come back as events of the world, or never do.
#include "leases/server.h"

namespace idgen::sim {

void SimStore::Begin(const lease::StoreRequest& request, int64_t now_us) noexcept {
  Call call;
  call.request = request;
  call.prefix = world_.servers_[static_cast<size_t>(server_)]->prefix();
  call.holder = world_.plan_.twins ? server_ / 2 : server_;
  call.min_worker = world_.plan_.min_worker;
  call.max_workers = world_.plan_.min_worker + world_.plan_.workers;
  call.ttl_ms = world_.plan_.ttl_ms;
  call.durable = world_.plan_.store == StoreKind::kLinearizable;
  call.first = !connected_;
  answered_ = false;
  asked_ = request.kind;
  deadline_us_ = now_us + 2 * kSecond;
  pending_ = world_.Send(server_, call) + 1;
}

bool SimStore::Step(int64_t now_us, lease::StoreReply* reply) noexcept {
  if (answered_) {
    answered_ = false;
    *reply = reply_;
    connected_ = reply_.outcome != lease::StoreOutcome::kFailed;
    if (reply_.outcome == lease::StoreOutcome::kOk)
      world_.servers_[static_cast<size_t>(server_)]->NoteGranted(asked_, reply_);
    return true;
  }
  if (now_us < deadline_us_) return false;
  pending_ = 0;
  connected_ = false;
  *reply = lease::StoreReply();
  return true;
}

void SimStore::Deliver(uint64_t message, const lease::StoreReply& reply) {
  if (pending_ != message + 1) return;  // it was given up
  pending_ = 0;
  answered_ = true;
  reply_ = reply;
  world_.servers_[static_cast<size_t>(server_)]->WakeWorkerAt(world_.now_us_);
}

void SimStore::Break() {
  if (pending_ == 0) return;
  pending_ = 0;
  answered_ = true;
  reply_ = lease::StoreReply();
  world_.servers_[static_cast<size_t>(server_)]->WakeWorkerAt(world_.now_us_);
}

}  // namespace idgen::sim
