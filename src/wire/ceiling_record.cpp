// Encoding and decoding of the local file's records.
#include "wire/ceiling_record.h"

#include <cstring>

namespace idgen::wire {
namespace {

constexpr char kMagic[8] = {'i', 'd', 'g', 'e', 'n', 'c', 'l', '2'};
constexpr char kLeasedMagic[8] = {'i', 'd', 'g', 'e', 'n', 'c', 'l', '4'};
constexpr char kFormerLeasedMagic[8] = {'i', 'd', 'g', 'e', 'n', 'c', 'l', '3'};
constexpr size_t kChecksumBytes = 4;  // at the end, of everything before it

// Of the forms with a lease; the rest is as in the one without.
constexpr size_t kWorkerAt = 76, kFenceAt = 80, kTokenAt = 88, kClusterAt = 124, kRevisionAt = 132;
static_assert(kTokenAt + RecordedLease::kTokenBytes + kChecksumBytes == kFormerLeasedRecordBytes);
static_assert(kRevisionAt + 8 + kChecksumBytes == kLeasedCeilingRecordBytes);

// The record's size by its first bytes; 0 if they are not those of a record.
size_t SizeOf(const uint8_t* bytes) noexcept {
  if (std::memcmp(bytes, kMagic, sizeof kMagic) == 0) return kCeilingRecordBytes;
  if (std::memcmp(bytes, kLeasedMagic, sizeof kLeasedMagic) == 0) return kLeasedCeilingRecordBytes;
  return std::memcmp(bytes, kFormerLeasedMagic, sizeof kFormerLeasedMagic) == 0 ? kFormerLeasedRecordBytes : 0;
}

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), bit by bit: a hundred bytes a few times a minute need no table.
uint32_t Crc32c(const uint8_t* bytes, size_t size) noexcept {
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0x82F63B78 & (0 - (crc & 1)));
  }
  return ~crc;
}

void Put(uint8_t* out, uint64_t value, size_t bytes) noexcept {
  for (size_t i = 0; i < bytes; ++i, value >>= 8) out[i] = static_cast<uint8_t>(value);
}

uint64_t Get(const uint8_t* in, size_t bytes) noexcept {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | in[i];
  return value;
}

}  // namespace

size_t EncodeCeilingRecord(const CeilingRecord& record, uint8_t* out) noexcept {
  const bool leased = record.lease.fence != 0;
  const size_t size = leased ? kLeasedCeilingRecordBytes : kCeilingRecordBytes;
  std::memset(out, 0, size);
  std::memcpy(out, leased ? kLeasedMagic : kMagic, sizeof kMagic);
  Put(out + 8, record.serial, 8);
  Put(out + 16, static_cast<uint64_t>(record.ceiling_ms), 8);
  Put(out + 24, record.system_identifier, 8);
  Put(out + 32, record.inode, 8);
  Put(out + 40, record.timeline, 4);
  Put(out + 44, record.born_ns, 8);
  Put(out + 52, record.source, 8);
  Put(out + 60, static_cast<uint64_t>(record.past_ms), 8);
  Put(out + 68, record.backup, 8);
  if (leased) {
    Put(out + kWorkerAt, record.lease.worker, 4);
    Put(out + kFenceAt, record.lease.fence, 8);
    std::memcpy(out + kTokenAt, record.lease.token, RecordedLease::kTokenBytes);
    Put(out + kClusterAt, record.lease.cluster, 8);
    Put(out + kRevisionAt, record.lease.revision, 8);
  }
  Put(out + size - kChecksumBytes, Crc32c(out, size - kChecksumBytes), kChecksumBytes);
  return size;
}

std::optional<CeilingRecord> DecodeCeilingRecord(const uint8_t* bytes, size_t available) noexcept {
  if (available < sizeof kMagic) return std::nullopt;
  const size_t size = SizeOf(bytes);
  if (size == 0 || available < size) return std::nullopt;
  const bool leased = size != kCeilingRecordBytes;
  if (Get(bytes + size - kChecksumBytes, kChecksumBytes) != Crc32c(bytes, size - kChecksumBytes)) return std::nullopt;
  if (leased && Get(bytes + kFenceAt, 8) == 0) return std::nullopt;
  CeilingRecord record;
  record.serial = Get(bytes + 8, 8);
  record.ceiling_ms = static_cast<int64_t>(Get(bytes + 16, 8));
  record.system_identifier = Get(bytes + 24, 8);
  record.inode = Get(bytes + 32, 8);
  record.timeline = static_cast<uint32_t>(Get(bytes + 40, 4));
  record.born_ns = Get(bytes + 44, 8);
  record.source = Get(bytes + 52, 8);
  record.past_ms = static_cast<int64_t>(Get(bytes + 60, 8));
  record.backup = Get(bytes + 68, 8);
  if (leased) {
    record.lease.worker = static_cast<uint32_t>(Get(bytes + kWorkerAt, 4));
    record.lease.fence = Get(bytes + kFenceAt, 8);
    std::memcpy(record.lease.token, bytes + kTokenAt, RecordedLease::kTokenBytes);
  }
  if (size == kLeasedCeilingRecordBytes) {
    record.lease.cluster = Get(bytes + kClusterAt, 8);
    record.lease.revision = Get(bytes + kRevisionAt, 8);
  }
  return record;
}

}  // namespace idgen::wire
