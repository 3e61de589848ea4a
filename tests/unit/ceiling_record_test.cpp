// The local file's records as bytes.
#include "wire/ceiling_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>

namespace idgen::wire {
namespace {

constexpr CeilingRecord kRecord{.serial = 0x0102030405060708,
                                .ceiling_ms = 1767225600123,
                                .system_identifier = 0x1112131415161718,
                                .timeline = 0x31323334,
                                .inode = 0x2122232425262728,
                                .born_ns = 0x4142434445464748,
                                .source = 0x5152535455565758,
                                .past_ms = 1767225600456,
                                .backup = 0x6162636465666768};

// "idgencl2", then little-endian serial, ceiling, system identifier, inode, timeline, birth, source, past, backup;
// zeros; CRC-32C of it all. Made by another program. Files in the field are read by it.
constexpr uint8_t kBytes[kCeilingRecordBytes] = {
    0x69, 0x64, 0x67, 0x65, 0x6E, 0x63, 0x6C, 0x32, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
    0x7B, 0xA8, 0xDA, 0x76, 0x9B, 0x01, 0x00, 0x00, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
    0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47, 0x46, 0x45,
    0x44, 0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0xC8, 0xA9, 0xDA, 0x76,
    0x9B, 0x01, 0x00, 0x00, 0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4F, 0xDB, 0x84, 0x21};

// The same with a lease: "idgencl4", and after the backup worker id, fence, token, cluster and revision. Made by
// another program, too.
constexpr CeilingRecord kLeased = [] {
  CeilingRecord record = kRecord;
  record.lease = {
      .worker = 0x71727374, .fence = 0x8182838485868788, .cluster = 0x9192939495969798, .revision = 0xA1A2A3A4A5A6A7A8};
  for (size_t i = 0; i < RecordedLease::kTokenBytes; ++i)
    record.lease.token[i] = "11111111-2222-3333-4444-555555555555"[i];
  return record;
}();
constexpr uint8_t kLeasedBytes[kLeasedCeilingRecordBytes] = {
    0x69, 0x64, 0x67, 0x65, 0x6E, 0x63, 0x6C, 0x34, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x7B, 0xA8,
    0xDA, 0x76, 0x9B, 0x01, 0x00, 0x00, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25,
    0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57,
    0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0xC8, 0xA9, 0xDA, 0x76, 0x9B, 0x01, 0x00, 0x00, 0x68, 0x67, 0x66, 0x65,
    0x64, 0x63, 0x62, 0x61, 0x74, 0x73, 0x72, 0x71, 0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81, 0x31, 0x31,
    0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x2D, 0x32, 0x32, 0x32, 0x32, 0x2D, 0x33, 0x33, 0x33, 0x33, 0x2D, 0x34,
    0x34, 0x34, 0x34, 0x2D, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x98, 0x97,
    0x96, 0x95, 0x94, 0x93, 0x92, 0x91, 0xA8, 0xA7, 0xA6, 0xA5, 0xA4, 0xA3, 0xA2, 0xA1, 0x7D, 0x17, 0xD1, 0x49};

// The former form: "idgencl3", without cluster and revision. Files in the field have it.
constexpr uint8_t kFormerBytes[kFormerLeasedRecordBytes] = {
    0x69, 0x64, 0x67, 0x65, 0x6E, 0x63, 0x6C, 0x33, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x7B, 0xA8, 0xDA,
    0x76, 0x9B, 0x01, 0x00, 0x00, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23,
    0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54,
    0x53, 0x52, 0x51, 0xC8, 0xA9, 0xDA, 0x76, 0x9B, 0x01, 0x00, 0x00, 0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
    0x74, 0x73, 0x72, 0x71, 0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31, 0x31,
    0x31, 0x2D, 0x32, 0x32, 0x32, 0x32, 0x2D, 0x33, 0x33, 0x33, 0x33, 0x2D, 0x34, 0x34, 0x34, 0x34, 0x2D, 0x35, 0x35,
    0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x5D, 0x37, 0x8B, 0x0C};

TEST(CeilingRecord, IsWrittenAsTheFormatSays) {
  uint8_t bytes[kCeilingRecordBytes];
  std::memset(bytes, 0xEE, sizeof bytes);
  EXPECT_EQ(EncodeCeilingRecord(kRecord, bytes), sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; ++i) EXPECT_EQ(bytes[i], kBytes[i]) << "byte " << i;
}

TEST(CeilingRecord, IsReadAsTheFormatSays) { EXPECT_EQ(DecodeCeilingRecord(kBytes, sizeof kBytes), kRecord); }

TEST(CeilingRecord, ALeaseIsWrittenAsTheFormatSays) {
  uint8_t bytes[kLeasedCeilingRecordBytes];
  std::memset(bytes, 0xEE, sizeof bytes);
  EXPECT_EQ(EncodeCeilingRecord(kLeased, bytes), sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; ++i) EXPECT_EQ(bytes[i], kLeasedBytes[i]) << "byte " << i;
}

TEST(CeilingRecord, ALeaseIsReadAsTheFormatSays) {
  EXPECT_EQ(DecodeCeilingRecord(kLeasedBytes, sizeof kLeasedBytes), kLeased);
}

TEST(CeilingRecord, ALeaseInTheFormerFormIsReadWithoutItsStoresClusterAndRevision) {
  CeilingRecord former = kLeased;
  former.lease.cluster = former.lease.revision = 0;
  EXPECT_EQ(DecodeCeilingRecord(kFormerBytes, sizeof kFormerBytes), former);
}

// A file may hold records of two forms: a shorter one is overwritten in place by a longer one and the other way round.
TEST(CeilingRecord, WhatFollowsARecordDoesNotMatter) {
  uint8_t bytes[kLeasedCeilingRecordBytes];
  EncodeCeilingRecord(kLeased, bytes);
  EncodeCeilingRecord(kRecord, bytes);
  EXPECT_EQ(DecodeCeilingRecord(bytes, sizeof bytes), kRecord);
}

TEST(CeilingRecord, ALeaseWithoutAFenceIsNone) {
  CeilingRecord record = kLeased;
  record.lease.fence = 0;
  uint8_t bytes[kLeasedCeilingRecordBytes];
  EXPECT_EQ(EncodeCeilingRecord(record, bytes), kCeilingRecordBytes);
  EXPECT_EQ(DecodeCeilingRecord(bytes, sizeof bytes)->lease, RecordedLease());
}

TEST(CeilingRecord, EveryFieldMayBeAtItsEnds) {
  for (const CeilingRecord& record : {CeilingRecord{}, CeilingRecord{.serial = UINT64_MAX,
                                                       .ceiling_ms = INT64_MAX,
                                                       .system_identifier = UINT64_MAX,
                                                       .timeline = UINT32_MAX,
                                                       .inode = UINT64_MAX,
                                                       .born_ns = UINT64_MAX,
                                                       .source = UINT64_MAX,
                                                       .past_ms = INT64_MAX,
                                                       .backup = UINT64_MAX}}) {
    uint8_t bytes[kCeilingRecordBytes];
    EncodeCeilingRecord(record, bytes);
    EXPECT_EQ(DecodeCeilingRecord(bytes, sizeof bytes), record);
  }
}

TEST(CeilingRecord, AnyFlippedBitIsNoticed) {
  for (const auto& [record, size] :
       {std::pair{kBytes, sizeof kBytes}, {kLeasedBytes, sizeof kLeasedBytes}, {kFormerBytes, sizeof kFormerBytes}}) {
    for (size_t byte = 0; byte < size; ++byte) {
      for (int bit = 0; bit < 8; ++bit) {
        uint8_t bytes[kLeasedCeilingRecordBytes] = {};
        std::memcpy(bytes, record, size);
        bytes[byte] = static_cast<uint8_t>(bytes[byte] ^ 1 << bit);
        EXPECT_FALSE(DecodeCeilingRecord(bytes, sizeof bytes)) << "byte " << byte << " bit " << bit;
      }
    }
  }
}

// Its checksum is right, but it is not ours to understand.
TEST(CeilingRecord, ARecordOfAnotherFormatIsNone) {
  uint8_t bytes[kCeilingRecordBytes];
  std::memcpy(bytes, kBytes, sizeof bytes);
  bytes[7] = '5';
  const uint8_t checksum[] = {0x40, 0xEA, 0xEE, 0x9A};
  std::memcpy(bytes + kCeilingRecordBytes - 4, checksum, sizeof checksum);
  EXPECT_FALSE(DecodeCeilingRecord(bytes, sizeof bytes));
}

TEST(CeilingRecord, AShortRecordIsNone) {
  for (size_t size = 0; size < sizeof kBytes; ++size) EXPECT_FALSE(DecodeCeilingRecord(kBytes, size)) << size;
  for (size_t size = 0; size < sizeof kLeasedBytes; ++size)
    EXPECT_FALSE(DecodeCeilingRecord(kLeasedBytes, size)) << size;
  for (size_t size = 0; size < sizeof kFormerBytes; ++size)
    EXPECT_FALSE(DecodeCeilingRecord(kFormerBytes, size)) << size;
}

TEST(CeilingRecord, EmptySectorsAreNone) {
  uint8_t bytes[kCeilingRecordBytes];
  for (const int filler : {0x00, 0xFF}) {
    std::memset(bytes, filler, sizeof bytes);
    EXPECT_FALSE(DecodeCeilingRecord(bytes, sizeof bytes)) << filler;
  }
}

}  // namespace
}  // namespace idgen::wire
