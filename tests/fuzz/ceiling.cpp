// Records of the local file: a record reads as it was written, and with one bit flipped it is not a record.
#include "fuzz.h"

#include "wire/ceiling_record.h"

namespace {

using namespace idgen;
using fuzz::Require;
using Bytes = uint8_t[wire::kLeasedCeilingRecordBytes];

// A second implementation of the checksum: the polynomial of RFC 3720, reflected, bit by bit.
uint32_t Checksum(const uint8_t* bytes, size_t size) {
  uint32_t remainder = ~uint32_t{0};
  for (size_t bit = 0; bit < size * 8; ++bit) {
    const uint32_t low = (remainder ^ static_cast<uint32_t>(bytes[bit / 8] >> (bit % 8))) & 1;
    remainder >>= 1;
    if (low != 0) remainder ^= 0x82F63B78;
  }
  return ~remainder;
}

void CheckRecord(const wire::CeilingRecord& record, size_t bit) {
  Bytes bytes;
  const size_t size = wire::EncodeCeilingRecord(record, bytes);
  Require(wire::DecodeCeilingRecord(bytes, size) == record, "a record reads as it was written");
  Require(!wire::DecodeCeilingRecord(bytes, size - 1), "fewer bytes than a record are not a record");
  bit %= size * 8;
  bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  Require(!wire::DecodeCeilingRecord(bytes, size), "a record with a flipped bit is not a record");
}

// Any bytes with the right magic number and checksum are a record.
void CheckAnyBytes(const uint8_t* bytes, size_t size, const char* magic, size_t record_size, size_t bit) {
  Bytes made = {};
  std::copy_n(bytes, std::min(size, record_size), made);
  memcpy(made, magic, 8);
  if (record_size > wire::kCeilingRecordBytes) made[80] |= 1;  // a fence is not 0
  const uint32_t checksum = Checksum(made, record_size - 4);
  for (size_t i = 0; i < 4; ++i) made[record_size - 4 + i] = static_cast<uint8_t>(checksum >> 8 * i);
  const auto read = wire::DecodeCeilingRecord(made, record_size);
  Require(read.has_value(), "any bytes under the format's magic number and checksum are a record");
  CheckRecord(*read, bit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (const auto record = wire::DecodeCeilingRecord(bytes, size)) CheckRecord(*record, 0);

  fuzz::Input input(bytes, size);
  wire::CeilingRecord record;
  const size_t bit = input.Number(2);
  record.serial = input.Number();
  record.ceiling_ms = static_cast<int64_t>(input.Number());
  record.system_identifier = input.Number();
  record.inode = input.Number();
  record.timeline = static_cast<uint32_t>(input.Number(4));
  record.born_ns = input.Number();
  record.source = input.Number();
  record.past_ms = static_cast<int64_t>(input.Number());
  record.backup = input.Number();
  CheckRecord(record, bit);
  record.lease.worker = static_cast<uint32_t>(input.Number(4));
  record.lease.fence = std::max(input.Number(), uint64_t{1});
  for (char& c : record.lease.token) c = static_cast<char>(input.Number(1));
  record.lease.cluster = input.Number();
  record.lease.revision = input.Number();
  CheckRecord(record, bit);

  CheckAnyBytes(bytes, size, "idgencl2", wire::kCeilingRecordBytes, bit);
  CheckAnyBytes(bytes, size, "idgencl3", wire::kFormerLeasedRecordBytes, bit);
  CheckAnyBytes(bytes, size, "idgencl4", wire::kLeasedCeilingRecordBytes, bit);
  return 0;
}
