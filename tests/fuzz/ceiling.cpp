// Records of the local file: a record reads as it was written, and with one bit flipped it is not a record.
#include "fuzz.h"

#include "wire/ceiling_record.h"

namespace {

using namespace idgen;
using fuzz::Require;
using Bytes = uint8_t[wire::kCeilingRecordBytes];

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
  wire::EncodeCeilingRecord(record, bytes);
  Require(wire::DecodeCeilingRecord(bytes, sizeof bytes) == record, "a record reads as it was written");
  Require(!wire::DecodeCeilingRecord(bytes, sizeof bytes - 1), "fewer bytes than a record are not a record");
  bit %= sizeof bytes * 8;
  bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  Require(!wire::DecodeCeilingRecord(bytes, sizeof bytes), "a record with a flipped bit is not a record");
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

  // Any bytes with the right magic number and checksum are a record.
  Bytes made = {};
  std::copy_n(bytes, std::min(size, sizeof made), made);
  memcpy(made, "idgencl2", 8);
  constexpr size_t kChecked = sizeof made - 4;
  const uint32_t checksum = Checksum(made, kChecked);
  for (size_t i = 0; i < 4; ++i) made[kChecked + i] = static_cast<uint8_t>(checksum >> 8 * i);
  const auto read = wire::DecodeCeilingRecord(made, sizeof made);
  Require(read.has_value(), "any bytes under the format's magic number and checksum are a record");
  CheckRecord(*read, bit);
  return 0;
}
