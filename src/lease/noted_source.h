// A lease whose ceilings are noted in the local file as well. The store keeps this server's ids of one lease apart; the
// file keeps them apart from those that the same server issues under a static worker id, or under another store or
// prefix, before and after. No ceiling is granted that the file does not hold durably.
#pragma once

#include "io/ceiling_file.h"
#include "lease/identity_source.h"

namespace idgen::lease {

// Where leases come from, and how the file is to be read.
struct NoteRules {
  uint64_t source = 0;            // the number of store and prefix: not 0
  int64_t margin_ms = 0;          // noted beyond what is asked for, so that not every renewal waits for the disk
  int64_t uncertain_lead_ms = 0;  // see StartRule
};

class NotedSource final : public IdentitySource {
 public:
  NotedSource(IdentitySource& lease, io::CeilingFile& file, const io::ClusterId& cluster) noexcept
      : lease_(lease), file_(file), cluster_(cluster) {}

  // Of another source: the file is read again before that one is claimed from.
  void SetRules(const NoteRules& rules) noexcept;

  void Submit(const SourceRequest& request, const core::Instant& now) noexcept override;
  bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept override;

 private:
  bool Read(const core::Instant& now) noexcept;
  void Note(const SourceAnswer& raised, const core::Instant& now) noexcept;
  void NoteRelease(int64_t ceiling_ms) noexcept;
  int Write(int64_t ceiling_ms) noexcept;

  IdentitySource& lease_;
  io::CeilingFile& file_;
  io::ClusterId cluster_;
  NoteRules rules_;
  bool known_ = false;        // the file was read
  bool claimed_ = false;      // since then a claim was granted: its floor bounds what is asked for
  int error_ = 0;             // errno of the last read or write
  Past past_ = Past::kKnown;  // told with the first claim that is granted
  int64_t past_ms_ = 0;       // nothing is issued below: what other sources have had
  int64_t former_ms_ = 0;     // this source's ceiling in lives before; the store sees to what was issued under it
  int64_t noted_ms_ = 0;      // durable in the file; 0: nothing was noted yet
  SourceRequest unread_;      // a claim that waits for nobody: the file could not be read
};

}  // namespace idgen::lease
