// Shared by the harnesses: reading values from an input, and reporting a property that does not hold. A harness is a
// file with LLVMFuzzerTestOneInput, so that both libFuzzer and driver.cpp can run it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace idgen::fuzz {

// Ends the process; libFuzzer or driver.cpp keeps the input.
inline void Require(bool holds, const char* property) {
  if (holds) return;
  fprintf(stderr, "property violated: %s\n", property);
  abort();
}

inline bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 127; });
}

// Reads values from the front of the input. Past its end there are zeros.
class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : left_(reinterpret_cast<const char*>(bytes), size) {}

  uint8_t Byte() { return static_cast<uint8_t>(Number(1)); }
  // Of so many bytes, least significant first.
  uint64_t Number(size_t bytes = 8) {
    uint64_t number = 0;
    const std::string_view text = Text(bytes);
    for (size_t i = text.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(text[i]);
    return number;
  }
  // Numbers of every magnitude: a random number of the 64 bits is used.
  int64_t Any() {
    const unsigned shift = Byte() & 63;
    return static_cast<int64_t>(Number() >> shift);
  }
  // At most as many bytes as there are.
  std::string_view Text(size_t size) {
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(text.size());
    return text;
  }
  std::string_view Rest() { return Text(left_.size()); }
  bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

}  // namespace idgen::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);
