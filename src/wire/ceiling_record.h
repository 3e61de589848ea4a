// One record of the local file as bytes: little-endian, fixed size, checksummed. See docs/architecture/ids.md.
// A record with a lease whose store fences it is longer than one without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace idgen::wire {

// The lease under which a ceiling was granted, if its store fences leases: what a server needs to prove, after a crash,
// that the lease is its own.
struct RecordedLease {
  static constexpr size_t kTokenBytes = 36;

  uint32_t worker = 0;
  uint64_t fence = 0;  // 0: no lease
  char token[kTokenBytes] = {};
  uint64_t cluster = 0;   // the store's; 0: unknown
  uint64_t revision = 0;  // the highest of the store's that the server had seen; 0: unknown

  bool operator==(const RecordedLease&) const noexcept = default;
};

struct CeilingRecord {
  uint64_t serial = 0;     // grows with every write; the higher of two valid records is the newer
  int64_t ceiling_ms = 0;  // Unix ms; 0 if no ceiling was ever given: the server is new
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  // Of the file that it was written to: another inode, or another time of birth, means a copy.
  uint64_t inode = 0;
  uint64_t born_ns = 0;  // 0: not known
  uint64_t source = 0;   // whose ceiling it is: 0 a static worker id's, else the number of a lease's store and prefix
  int64_t past_ms = 0;   // the highest ceiling that other sources have had; no id under `source` lies below
  uint64_t backup = 0;   // of the backup that the data directory was restored from; 0: of none
  RecordedLease lease = {};

  bool operator==(const CeilingRecord&) const noexcept = default;
};

inline constexpr size_t kCeilingRecordBytes = 96;         // without a lease
inline constexpr size_t kLeasedCeilingRecordBytes = 144;  // with one
inline constexpr size_t kFormerLeasedRecordBytes = 128;   // with one, but without the store's cluster and revision

// `out` has room for kLeasedCeilingRecordBytes. Returns the record's size, which is one of the first two: the third
// form is only read.
size_t EncodeCeilingRecord(const CeilingRecord& record, uint8_t* out) noexcept;

// Nothing if the bytes do not begin with a complete record of one of the forms.
std::optional<CeilingRecord> DecodeCeilingRecord(const uint8_t* bytes, size_t available) noexcept;

}  // namespace idgen::wire
