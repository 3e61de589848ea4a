// Integers as decimal texts, and back.
#include "core/decimal.h"

#include <gtest/gtest.h>

#include <string>

namespace idgen::core {
namespace {

TEST(Decimal, GoesBothWays) {
  for (const int64_t number : {int64_t{0}, int64_t{7}, int64_t{10}, int64_t{9007199254740993}, INT64_MAX}) {
    char text[kDecimalBytes];
    const std::string written(text, static_cast<size_t>(WriteDecimal(text, number) - text));
    EXPECT_EQ(written, std::to_string(number));
    int64_t read = -1;
    EXPECT_TRUE(ReadDecimal(written, &read));
    EXPECT_EQ(read, number);
  }
  char text[kDecimalBytes];
  EXPECT_EQ(std::string(text, static_cast<size_t>(WriteDecimal(text, INT64_MIN) - text)), std::to_string(INT64_MIN));
}

TEST(Decimal, ReadsNothingElse) {
  int64_t read;
  for (const char* text : {"", "-1", "+1", "01", "00", " 1", "1 ", "1.0", "1e3", "9223372036854775808",
                           "18446744073709551617", "99999999999999999999", "x"})
    EXPECT_FALSE(ReadDecimal(text, &read)) << text;
}

TEST(Decimal, DigitsMayBeginWithZerosAndEndAtTheMaximum) {
  int64_t read = -1;
  EXPECT_TRUE(ReadDigits("0000000000000000000000000000065535", 65535, &read));
  EXPECT_EQ(read, 65535);
  EXPECT_TRUE(ReadDigits("0", 0, &read));
  EXPECT_EQ(read, 0);
  EXPECT_TRUE(ReadDigits("9223372036854775807", INT64_MAX, &read));
  EXPECT_EQ(read, INT64_MAX);
  EXPECT_FALSE(ReadDigits("65536", 65535, &read));
  EXPECT_FALSE(ReadDigits("8", 7, &read));
  EXPECT_FALSE(ReadDigits("9223372036854775808", INT64_MAX, &read));
  EXPECT_FALSE(ReadDigits("", INT64_MAX, &read));
  EXPECT_FALSE(ReadDigits("-1", INT64_MAX, &read));
  EXPECT_EQ(read, INT64_MAX);
}

}  // namespace
}  // namespace idgen::core
