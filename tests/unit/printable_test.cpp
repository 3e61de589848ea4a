// Text from outside as one printable line.
#include "wire/printable.h"

#include <string>

#include <gtest/gtest.h>

namespace idgen::wire {
namespace {

std::string Printable(std::string_view text, size_t capacity = 1000) {
  std::string out(capacity + 1, '#');
  const size_t size = WritePrintable(text, out.data(), capacity);
  EXPECT_LT(size, capacity);
  EXPECT_EQ(out[size], '\0');
  EXPECT_EQ(out[capacity], '#') << "wrote past the end";
  return out.substr(0, size);
}

TEST(Printable, AsciiStaysAsItIs) {
  std::string all;
  for (char c = ' '; c < 127; ++c) all += c;
  EXPECT_EQ(Printable(all), all);
  EXPECT_EQ(Printable(""), "");
}

TEST(Printable, EveryOtherByteIsEscaped) {
  EXPECT_EQ(Printable("\x1b[31mred\x07\x7f"), "\\x1b[31mred\\x07\\x7f");
  EXPECT_EQ(Printable("two\r\nlines\t"), "two\\x0d\\x0alines\\x09");
  EXPECT_EQ(Printable("\xff\x80 gr\xc3\xbc\xc3\x9f"), "\\xff\\x80 gr\\xc3\\xbc\\xc3\\x9f");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, IsNotChangedAgain) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string once = Printable(all, PrintableBytes(all.size()));
  EXPECT_EQ(Printable(once, PrintableBytes(once.size())), once);
}

TEST(Printable, IsCutBeforeAnEscapeThatDoesNotFit) {
  EXPECT_EQ(Printable("abcdef", 4), "abc");
  EXPECT_EQ(Printable("ab\xff", 7), "ab\\xff");
  EXPECT_EQ(Printable("ab\xff", 6), "ab");
  EXPECT_EQ(Printable("ab\xffz", 6), "ab");
  EXPECT_EQ(Printable("abc", 1), "");
}

TEST(Printable, TheSizeForAnyTextSuffices) {
  const std::string worst(100, '\xff');
  EXPECT_EQ(Printable(worst, PrintableBytes(worst.size())).size(), 400u);
}

}  // namespace
}  // namespace idgen::wire
