// A lease whose ceilings are recorded in the local file, too. The store keeps ids of different holders of a lease
// apart; the file keeps them apart from ids that the same server issues earlier or later under a static worker id, or
// under another store or prefix. Every ceiling is durable in the file before it is granted. With it goes the lease
// itself, if its store fences: after a crash the server swaps it for a new one instead of waiting until it expires.
// During recovery, when no ids are issued, only that lease is read from the file; kSettle reads the rest and writes it
// after the promotion.
#pragma once

#include "io/ceiling_file.h"
#include "lease/identity_source.h"

namespace idgen::lease {

// Where leases come from, and how to read the file.
struct NoteRules {
  uint64_t source = 0;            // the number of store and prefix, not 0
  int64_t margin_ms = 0;          // recorded beyond the ceiling, so that not every renewal waits for the disk
  int64_t uncertain_lead_ms = 0;  // see StartRule
};

// What the file says of ids that its server, or the server that it was copied from, issued under other sources.
struct NotedPast {
  Past past = Past::kKnown;
  int64_t past_ms = 0;    // the ceiling of other sources: no ids are issued below it
  int64_t former_ms = 0;  // this source's ceiling in an earlier run; the store keeps those ids apart
  int error = 0;          // errno if the file could not be read
};

class NotedSource final : public IdentitySource {
 public:
  NotedSource(IdentitySource& source, io::CeilingFile& file, const io::ClusterId& cluster) noexcept
      : source_(source), file_(file), cluster_(cluster) {}

  // If the source changes, the file is read again before the next claim.
  void SetRules(const NoteRules& rules) noexcept;
  // After a promotion: the server is on another timeline.
  void SetCluster(const io::ClusterId& cluster) noexcept { cluster_ = cluster; }
  // During recovery: what kSettle would find if the server were promoted now.
  NotedPast PastIfPromoted(const core::Instant& now) noexcept;

  void Submit(const SourceRequest& request, const core::Instant& now) noexcept override;
  bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept override;

 private:
  NotedPast PastIn(const io::FileView& view, const core::Instant& now) const noexcept;
  bool Read(const core::Instant& now) noexcept;
  FencedLease LeaseIn(const io::FileView& view, bool in_recovery) const noexcept;
  void KeepLease(const SourceAnswer& answer) noexcept;
  void Settle(const SourceRequest& request, const core::Instant& now) noexcept;
  void Note(const SourceAnswer& raised, const core::Instant& now) noexcept;
  void NoteRelease(int64_t ceiling_ms) noexcept;
  int Write(int64_t ceiling_ms) noexcept;

  IdentitySource& source_;
  io::CeilingFile& file_;
  io::ClusterId cluster_;
  NoteRules rules_;
  bool known_ = false;        // the file was read
  bool claimed_ = false;      // a claim was granted since then, so requested ceilings are above its floor
  int error_ = 0;             // errno of the last read or write
  Past past_ = Past::kKnown;  // reported with the first claim that is granted
  int64_t past_ms_ = 0;       // see NotedPast
  int64_t former_ms_ = 0;
  int64_t noted_ms_ = 0;     // durable in the file; 0: nothing was recorded yet
  int64_t noted_fence_ = 0;  // of the lease in the file
  FencedLease lease_;        // the last one from this source that is known to be this server's
  SourceAnswer own_;  // to a request that the lease does not answer: a settle, or a claim without a readable file
};

}  // namespace idgen::lease
