// What a server may do, according to the answers of its store or file, tracked independently of the code under test;
// and whether it keeps to that.
#include <cstdio>
#include <cstdlib>

#include "leases/server.h"

namespace idgen::sim {

void Server::CheckRequest(const lease::SourceRequest& request) {
  Held& held = life_->held;
  life_->highest_clock_us = std::max(life_->highest_clock_us, Now().wall_us + LeadUs());
  // By now nothing more may be reserved.
  if (request.kind == lease::SourceRequest::Kind::kRelease) {
    held.any = false;
    world_.NoteReleased(index_);
  }
  const Plan& plan = world_.plan_;
  const int64_t window_ms = leased() ? plan.window_ms : kStaticWindowMs;
  if (request.kind == lease::SourceRequest::Kind::kRaise &&
      request.ceiling_ms > std::max(held.floor_ms, core::MsOf(life_->highest_clock_us)) + plan.max_ahead_ms + window_ms)
    world_.Violate("a ceiling runs away from the id clock");
}

void Server::NoteGranted(lease::StoreRequest::Kind kind, const lease::StoreReply& reply) {
  Held& held = life_->held;
  if (kind == lease::StoreRequest::Kind::kAcquire) {
    held = {.worker = reply.worker,
            // What comes after the server's number: see MakeToken.
            .acquisition = strtoull(life_->memo.token + 6, nullptr, 10),
            .floor_ms = reply.floor_ms};
  } else if (kind == lease::StoreRequest::Kind::kRenew) {
    held.any = true;
    held.ceiling_ms = std::max(held.ceiling_ms, reply.granted_ms);
  }
}

// The static source's answers: what was read from the file, or is durable in it.
void Server::NoteFile(const lease::SourceAnswer& answer) {
  Held& held = life_->held;
  if (!answer.ok()) return;
  if (answer.request.kind == lease::SourceRequest::Kind::kClaim) {
    held = {.floor_ms = answer.past == lease::Past::kKnown ? answer.floor_ms : 0};
  } else if (answer.request.kind == lease::SourceRequest::Kind::kRaise) {
    held.any = true;
    held.ceiling_ms = std::max(held.ceiling_ms, answer.request.ceiling_ms);
  }
}

void Server::Reserved(int backend, const core::Reservation& reservation, int layout) {
  const Held& held = life_->held;
  const core::Position end = reservation.start + reservation.count;
  const core::Identity published(life_->state->identity.load());
  // Withdrawn, but not sealed yet, it is still the server's.
  const bool another =
      published ? published.worker() != reservation.worker : leased() && held.worker != reservation.worker;
  if (in_recovery_) world_.Violate("positions are reserved during recovery");
  if (!held.any || another) world_.Violate("positions are reserved under a worker id that was given up");
  if (reservation.start < core::PositionAt(kSimLayouts[layout], held.floor_ms))
    world_.Violate("positions are reserved below the floor");
  if (end > core::PositionAt(kSimLayouts[layout], held.ceiling_ms))
    world_.Violate("positions are reserved above the durable ceiling");
  if (reservation.start < life_->reserved_to[layout]) world_.Violate("ids go backwards");
  life_->reserved_to[layout] = end;
  Issue other;
  if (!world_.ledger_.Reserve(LineOf(reservation.worker, layout), reservation.start, end, index_, life_number_,
                              held.acquisition, world_.now_us_, &other))
    Repeated(Rule::kTime, reservation.start, reservation.worker, layout, backend, other);
}

void Server::Repeated(Rule rule, core::Position position, uint32_t worker, int layout, int backend,
                      const Issue& before) {
  char text[300];
  snprintf(
      text, sizeof text,
      "worker %u, layout %d, position %llu (%lld), of server %d in its life %d (backend %d), %s by server %d in its "
      "life %d, from %.6f s on",
      worker, layout, static_cast<unsigned long long>(position),
      static_cast<long long>(core::TimeOf(kSimLayouts[layout], position)), index_, life_number_, backend,
      rule == Rule::kId ? "was issued" : "lies among those reserved", before.server, before.life,
      static_cast<double>(before.at_us - kBeginUs) / kSecond);
  world_.Violate(text, rule);
}

void Server::Issued(int backend, core::Position first, core::Position past, uint32_t worker, int layout) {
  Figures& figures = world_.figures_;
  figures.ids += past - first;
  Issue before;
  if (!world_.ledger_.Add(LineOf(worker, layout), first, past, index_, life_number_, world_.now_us_, &before))
    Repeated(Rule::kId, first, worker, layout, backend, before);
  if (world_.now_us_ < spike_until_us_ && life_number_ == spike_life_ &&
      core::TimeOf(kSimLayouts[layout], past - 1) > core::MsOf(spike_limit_us_))
    world_.Violate("an id has the time of a clock that was wrong for a moment");
  // (Position 0 under worker 0 is id 0: ids of a layout were requested in the very tick of its epoch.)
  if ((first > 0 && core::Compose(kSimLayouts[layout], first, worker) <= 0) ||
      core::Compose(kSimLayouts[layout], past - 1, worker) < 0)
    world_.Violate("an id is not positive");
  issued_in_life_ = true;
  figures.longest_outage_us = std::max(figures.longest_outage_us, world_.now_us_ - last_issue_us_);
  last_issue_us_ = world_.now_us_;
}

}  // namespace idgen::sim
