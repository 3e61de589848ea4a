// The text forms of ids and UUIDs.
#include "core/text_form.h"

#include <array>
#include <cstring>

namespace idgen::core {
namespace {

constexpr uint8_t kNoDigit = 0xFF;

struct Alphabet {
  char digits[65] = {};
  std::array<uint8_t, 256> values{};  // of a character: its digit, or kNoDigit

  constexpr explicit Alphabet(std::string_view in_order) {
    values.fill(kNoDigit);
    for (size_t i = 0; i < in_order.size(); ++i) {
      digits[i] = in_order[i];
      values[static_cast<uint8_t>(in_order[i])] = static_cast<uint8_t>(i);
    }
  }
  constexpr Alphabet& ReadsToo(char character, char as) {
    values[static_cast<uint8_t>(character)] = values[static_cast<uint8_t>(as)];
    return *this;
  }
  constexpr Alphabet& ReadsEitherCase() {
    for (char upper = 'A'; upper <= 'Z'; ++upper) {
      const char lower = static_cast<char>(upper - 'A' + 'a');
      if (Value(upper) == kNoDigit) ReadsToo(upper, lower);
      if (Value(lower) == kNoDigit) ReadsToo(lower, upper);
    }
    return *this;
  }
  constexpr uint8_t Value(char character) const noexcept { return values[static_cast<uint8_t>(character)]; }
};

constexpr Alphabet kCrockford = Alphabet("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
                                    .ReadsToo('I', '1')
                                    .ReadsToo('L', '1')
                                    .ReadsToo('O', '0')
                                    .ReadsEitherCase();
constexpr Alphabet kBase58Digits{"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"};
constexpr Alphabet kBase62Digits{"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"};
constexpr Alphabet kHexDigits = Alphabet("0123456789abcdef").ReadsEitherCase();
constexpr Alphabet kDecimalDigits{"0123456789"};

constexpr size_t kBase32Chars = 13;
constexpr size_t kHexChars = 16;
constexpr size_t kDecimalMaxChars = 20;
static_assert(kDecimalMaxChars == kMaxTextChars);

constexpr size_t kElevenChars = 11;  // hold 64 bits in base 58 and 62

constexpr uint64_t Power(uint64_t base, size_t exponent) {
  return exponent == 0 ? 1 : base * Power(base, exponent - 1);
}

// Ids are split into chunks of 32 bits: divisions of these are cheap, and the CPU overlaps those of different chunks.
template <uint32_t kBase, size_t kChars>
inline void WriteChunk(const Alphabet& alphabet, uint64_t chunk, char* out) noexcept {
  static_assert(Power(kBase, kChars) <= UINT32_MAX);
  auto left = static_cast<uint32_t>(chunk);
  for (size_t i = kChars; i-- > 0; left /= kBase) out[i] = alphabet.digits[left % kBase];
}

// 1 + 5 + 5 digits.
template <uint32_t kBase>
inline void WriteEleven(const Alphabet& alphabet, uint64_t id, char* out) noexcept {
  constexpr uint64_t kChunk = Power(kBase, 5);
  static_assert(UINT64_MAX / kChunk / kChunk < kBase);
  const uint64_t upper = id / kChunk;
  WriteChunk<kBase, 1>(alphabet, upper / kChunk, out);
  WriteChunk<kBase, 5>(alphabet, upper % kChunk, out + 1);
  WriteChunk<kBase, 5>(alphabet, id % kChunk, out + 6);
}

// 4 + 8 + 8 digits.
inline void WriteTwenty(uint64_t id, char* out) noexcept {
  constexpr uint64_t kChunk = Power(10, 8);
  const uint64_t upper = id / kChunk;
  WriteChunk<10, 4>(kDecimalDigits, upper / kChunk, out);
  WriteChunk<10, 8>(kDecimalDigits, upper % kChunk, out + 4);
  WriteChunk<10, 8>(kDecimalDigits, id % kChunk, out + 12);
}

// Copies the digits without leading zeros; 0 itself keeps one.
inline size_t CopyShortest(const char* digits, size_t size, char zero, char* out) noexcept {
  size_t zeros = 0;
  while (zeros < size - 1 && digits[zeros] == zero) ++zeros;
  std::memcpy(out, digits + zeros, size - zeros);
  return size - zeros;
}

size_t WriteBase58(uint64_t id, char* out) noexcept {
  char digits[kElevenChars];
  WriteEleven<58>(kBase58Digits, id, digits);
  return CopyShortest(digits, sizeof digits, '1', out);
}

size_t WriteDecimal(uint64_t id, char* out) noexcept {
  char digits[kDecimalMaxChars];
  WriteTwenty(id, digits);
  return CopyShortest(digits, sizeof digits, '0', out);
}

// 65 bits: the upper five, then the lower sixty.
inline void WriteThirteen(uint64_t upper, uint64_t lower, char* out) noexcept {
  out[0] = kCrockford.digits[upper];
  for (size_t i = 1; i < kBase32Chars; ++i) out[i] = kCrockford.digits[lower >> (kBase32Chars - 1 - i) * 5 & 31];
}

void WriteHex(uint64_t id, char* out) noexcept {
  for (size_t i = 0; i < kHexChars; ++i) out[i] = kHexDigits.digits[id >> (kHexChars - 1 - i) * 4 & 15];
}

struct FaultAndPosition {
  TextFault what = TextFault::kNone;
  size_t position = 0;
};

// Only for invalid texts. Characters are checked before the length, so that a wrong length is one in characters, too.
[[gnu::cold, gnu::noinline]] FaultAndPosition FaultOf(const Alphabet& alphabet, std::string_view text,
                                                      bool fixed) noexcept {
  for (size_t i = 0; i < text.size(); ++i)
    if (alphabet.Value(text[i]) == kNoDigit) return {TextFault::kCharacter, i};
  if (!fixed && text.size() > 1 && alphabet.Value(text[0]) == 0) return {TextFault::kLeadingZero, 0};
  return {fixed || text.empty() ? TextFault::kLength : TextFault::kTooLarge, 0};
}

ReadId Refused(const Alphabet& alphabet, std::string_view text, bool fixed) noexcept {
  const FaultAndPosition fault = FaultOf(alphabet, text, fixed);
  return {.fault = fault.what, .position = fault.position};
}

// For bases that are not powers of two. kMaxChars digits hold 64 bits, and one digit less never overflows them.
template <uint32_t kBase, size_t kMaxChars, bool kFixed>
ReadId ReadDigits(const Alphabet& alphabet, std::string_view text) noexcept {
  static_assert(Power(kBase, kMaxChars - 2) <= UINT64_MAX / kBase && Power(kBase, kMaxChars - 1) > UINT64_MAX / kBase);
  if (kFixed ? text.size() != kMaxChars : text.empty() || text.size() > kMaxChars)
    return Refused(alphabet, text, kFixed);
  const size_t last = text.size() - 1;
  uint64_t id = 0;
  uint8_t seen = 0;
  for (size_t i = 0; i < last; ++i) {
    const uint8_t digit = alphabet.Value(text[i]);
    seen |= digit;
    id = id * kBase + digit;
  }
  const uint8_t digit = alphabet.Value(text[last]);
  seen |= digit;
  if (seen & 0x80 || (!kFixed && last > 0 && alphabet.Value(text[0]) == 0)) return Refused(alphabet, text, kFixed);
  if (__builtin_mul_overflow(id, kBase, &id) || __builtin_add_overflow(id, digit, &id))
    return {.fault = TextFault::kTooLarge};
  return {.id = id};
}
static_assert(kNoDigit & 0x80);

// Thirteen characters of base32: five bits of the first, sixty of the others; `seen` as in ReadDigits.
struct Thirteen {
  uint8_t upper;
  uint8_t seen;
  uint64_t lower;
};

inline Thirteen ReadThirteen(const char* text) noexcept {
  Thirteen read{.upper = kCrockford.Value(text[0]), .seen = 0, .lower = 0};
  read.seen = read.upper;
  for (size_t i = 1; i < kBase32Chars; ++i) {
    const uint8_t digit = kCrockford.Value(text[i]);
    read.seen |= digit;
    read.lower = read.lower << 5 | (digit & 31);
  }
  return read;
}

ReadId ReadBase32(std::string_view text) noexcept {
  if (text.size() != kBase32Chars) return Refused(kCrockford, text, true);
  const Thirteen read = ReadThirteen(text.data());
  if (read.seen & 0x80) return Refused(kCrockford, text, true);
  if (read.upper > 15) return {.fault = TextFault::kTooLarge};
  return {.id = uint64_t{read.upper} << 60 | read.lower};
}

ReadId ReadHex(std::string_view text) noexcept {
  if (text.size() != kHexChars) return Refused(kHexDigits, text, true);
  uint64_t id = 0;
  uint8_t seen = 0;
  for (const char c : text) {
    const uint8_t digit = kHexDigits.Value(c);
    seen |= digit;
    id = id << 4 | (digit & 15);
  }
  if (seen & 0x80) return Refused(kHexDigits, text, true);
  return {.id = id};
}

}  // namespace

size_t WriteText(TextForm form, uint64_t id, char* out) noexcept {
  switch (form) {
    case TextForm::kBase32: WriteThirteen(id >> 60, id, out); return kBase32Chars;
    case TextForm::kBase58: return WriteBase58(id, out);
    case TextForm::kBase62: WriteEleven<62>(kBase62Digits, id, out); return kElevenChars;
    case TextForm::kHex: WriteHex(id, out); return kHexChars;
    case TextForm::kUnsigned: return WriteDecimal(id, out);
  }
  return 0;
}

ReadId ReadText(TextForm form, std::string_view text) noexcept {
  switch (form) {
    case TextForm::kBase32: return ReadBase32(text);
    case TextForm::kBase58: return ReadDigits<58, kElevenChars, false>(kBase58Digits, text);
    case TextForm::kBase62: return ReadDigits<62, kElevenChars, true>(kBase62Digits, text);
    case TextForm::kHex: return ReadHex(text);
    case TextForm::kUnsigned: return ReadDigits<10, kDecimalMaxChars, false>(kDecimalDigits, text);
  }
  return {.fault = TextFault::kLength};
}

// 130 bits in 26 characters, so the first two are zero: 63 bits in the first thirteen, 65 in the others.
size_t WriteUlid(const Uuid& uuid, char* out) noexcept {
  const uint64_t high = HighHalf(uuid), low = LowHalf(uuid);
  WriteThirteen(high >> 61, high >> 1, out);
  WriteThirteen((high & 1) << 4 | low >> 60, low, out + kBase32Chars);
  return kUlidChars;
}

ReadUuid ReadUlid(std::string_view text) noexcept {
  Thirteen first{}, second{};
  if (text.size() == kUlidChars) {
    first = ReadThirteen(text.data());
    second = ReadThirteen(text.data() + kBase32Chars);
  }
  if (text.size() != kUlidChars || (first.seen | second.seen) & 0x80) {
    const FaultAndPosition fault = FaultOf(kCrockford, text, true);
    return {.fault = fault.what, .position = fault.position};
  }
  if (first.upper > 7) return {.fault = TextFault::kTooLarge};
  const uint64_t high = uint64_t{first.upper} << 60 | first.lower;
  return {.uuid = UuidOfHalves(high << 1 | second.upper >> 4, uint64_t{second.upper} << 60 | second.lower)};
}

}  // namespace idgen::core
