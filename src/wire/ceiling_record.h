// One record of the local file as bytes: little-endian, fixed size, checksummed. See docs/architecture/ids.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace idgen::wire {

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

  bool operator==(const CeilingRecord&) const noexcept = default;
};

inline constexpr size_t kCeilingRecordBytes = 96;

// `out` has room for kCeilingRecordBytes.
void EncodeCeilingRecord(const CeilingRecord& record, uint8_t* out) noexcept;

// Nothing if the bytes are not a complete record of this format.
std::optional<CeilingRecord> DecodeCeilingRecord(const uint8_t* bytes, size_t size) noexcept;

}  // namespace idgen::wire
