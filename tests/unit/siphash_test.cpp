// SipHash against the vectors that its authors publish (vectors_sip128 of the reference implementation).
#include "core/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace idgen::core {
namespace {

std::string Hex(const SipHash& hash) {
  char text[33];
  const auto bytes = [](uint64_t number) { return static_cast<unsigned long long>(__builtin_bswap64(number)); };
  snprintf(text, sizeof text, "%016llx%016llx", bytes(hash.low), bytes(hash.high));
  return text;
}

// Of the bytes 0, 1, 2, …, under the key 00 01 … 0f.
std::string Of(size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(i));
  return Hex(SipHash128(text, {.low = 0x0706050403020100, .high = 0x0F0E0D0C0B0A0908}));
}

TEST(SipHash, EqualsTheReference) {
  EXPECT_EQ(Of(0), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(Of(1), "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(Of(2), "8177228da4a45dc7fca38bdef60affe4");
  EXPECT_EQ(Of(7), "a1f1ebbed8dbc153c0b84aa61ff08239");
  EXPECT_EQ(Of(8), "3b62a9ba6258f5610f83e264f31497b4");
  EXPECT_EQ(Of(15), "5493e99933b0a8117e08ec0f97cfc3d9");
  EXPECT_EQ(Of(63), "5150d1772f50834a503e069a973fbd7c");
}

TEST(SipHash, DiffersUnderAnotherKey) {
  EXPECT_NE(Hex(SipHash128("k", {.low = 1, .high = 0})), Hex(SipHash128("k", {.low = 0, .high = 1})));
}

}  // namespace
}  // namespace idgen::core
