// Text forms: one text per id, both ways; what is refused, and why.
#include "core/text_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace idgen::core {
namespace {

constexpr TextForm kForms[] = {TextForm::kBase32, TextForm::kBase58, TextForm::kBase62, TextForm::kHex,
                               TextForm::kUnsigned};
constexpr uint64_t kLargest = UINT64_MAX;

std::string Written(TextForm form, uint64_t id) {
  // Guarded on both sides: a form writes its characters and nothing else.
  char out[kMaxTextChars + 2];
  std::memset(out, '#', sizeof out);
  const size_t size = WriteText(form, id, out + 1);
  EXPECT_EQ(out[0], '#');
  EXPECT_LE(size, kMaxTextChars);
  EXPECT_TRUE(std::all_of(out + 1 + size, out + sizeof out, [](char c) { return c == '#'; }));
  return {out + 1, size};
}

// Edges of every form, and values of all lengths from a fixed seed.
std::vector<uint64_t> Ids(size_t random) {
  std::vector<uint64_t> ids = {0, 1, kLargest, kLargest - 1};
  for (int bit = 1; bit < 64; ++bit)
    for (const int off : {-1, 0, 1}) ids.push_back((uint64_t{1} << bit) + static_cast<uint64_t>(off));
  for (const uint64_t base : {10u, 58u, 62u})
    for (uint64_t power = base;; power *= base) {
      for (const int off : {-1, 0, 1}) ids.push_back(power + static_cast<uint64_t>(off));
      if (power > kLargest / base) break;
    }
  std::mt19937_64 next(4);
  for (size_t i = 0; i < random; ++i) {
    const uint64_t id = next();
    ids.push_back(id >> (next() % 64));
  }
  return ids;
}

testing::AssertionResult Refuses(TextForm form, const std::string& text, TextFault fault, size_t position = 0) {
  const ReadId read = ReadText(form, text);
  if (read.fault == fault && read.position == position) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\": fault " << static_cast<int>(read.fault) << " at "
                                     << read.position << ", id " << read.id;
}

testing::AssertionResult Reads(TextForm form, const std::string& text, uint64_t id) {
  const ReadId read = ReadText(form, text);
  if (read.fault == TextFault::kNone && read.id == id) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\": fault " << static_cast<int>(read.fault) << " at "
                                     << read.position << ", id " << read.id;
}

TEST(TextForm, WritesPublishedExamples) {
  EXPECT_EQ(Written(TextForm::kBase32, 38390726480144748), "0123456789ABC");  // TSID
  EXPECT_EQ(Written(TextForm::kBase32, kLargest), "FZZZZZZZZZZZZ");
  EXPECT_EQ(Written(TextForm::kBase32, 1234), "000000000016J");  // Crockford base32: 16J
  EXPECT_EQ(Written(TextForm::kBase32, 123456), "0000000003RJ0");
  EXPECT_EQ(Written(TextForm::kBase58, 0), "1");
  EXPECT_EQ(Written(TextForm::kBase58, 57), "z");
  EXPECT_EQ(Written(TextForm::kBase58, 1428076403798048768), "4KGMNY8jT8b");
  EXPECT_EQ(Written(TextForm::kUnsigned, 1823039878637686785), "1823039878637686785");
}

TEST(TextForm, WritesTheEnds) {
  EXPECT_EQ(Written(TextForm::kBase32, 0), "0000000000000");
  EXPECT_EQ(Written(TextForm::kBase58, 58), "21");
  EXPECT_EQ(Written(TextForm::kBase58, kLargest), "jpXCZedGfVQ");
  EXPECT_EQ(Written(TextForm::kBase62, 0), "00000000000");
  EXPECT_EQ(Written(TextForm::kBase62, 61), "0000000000z");
  EXPECT_EQ(Written(TextForm::kBase62, kLargest), "LygHa16AHYF");
  EXPECT_EQ(Written(TextForm::kHex, 0), "0000000000000000");
  EXPECT_EQ(Written(TextForm::kHex, 0x0123456789ABCDEF), "0123456789abcdef");
  EXPECT_EQ(Written(TextForm::kHex, kLargest), "ffffffffffffffff");
  EXPECT_EQ(Written(TextForm::kUnsigned, 0), "0");
  EXPECT_EQ(Written(TextForm::kUnsigned, kLargest), "18446744073709551615");
}

TEST(TextForm, ReadsWhatItWrote) {
  for (const uint64_t id : Ids(1000000))
    for (const TextForm form : kForms) {
      char text[kMaxTextChars];
      const ReadId read = ReadText(form, {text, WriteText(form, id, text)});
      ASSERT_EQ(read.fault, TextFault::kNone) << id;
      ASSERT_EQ(read.id, id) << static_cast<int>(form);
    }
}

// Digit by digit with arbitrary precision, as a book would have it.
TEST(TextForm, WritesTheDigitsOfLongDivision) {
  const std::string base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const std::string base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::string base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto digits = [](const std::string& alphabet, uint64_t id, size_t at_least) {
    std::string text;
    for (; id > 0 || text.size() < at_least; id /= alphabet.size()) text.insert(0, 1, alphabet[id % alphabet.size()]);
    return text;
  };
  for (const uint64_t id : Ids(1000)) {
    EXPECT_EQ(Written(TextForm::kBase58, id), digits(base58, id, 1));
    EXPECT_EQ(Written(TextForm::kBase62, id), digits(base62, id, 11));
    EXPECT_EQ(Written(TextForm::kBase32, id), digits(base32, id, 13));
    EXPECT_EQ(Written(TextForm::kHex, id), digits("0123456789abcdef", id, 16));
    EXPECT_EQ(Written(TextForm::kUnsigned, id), std::to_string(id));
  }
}

TEST(TextForm, TextsOfFixedLengthSortLikeUnsignedIds) {
  std::vector<uint64_t> ids = Ids(20000);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const TextForm form : {TextForm::kBase32, TextForm::kBase62, TextForm::kHex})
    for (size_t i = 1; i < ids.size(); ++i) ASSERT_LT(Written(form, ids[i - 1]), Written(form, ids[i]));
}

TEST(TextForm, Base32ReadsLowerCaseAndLookAlikes) {
  EXPECT_TRUE(Reads(TextForm::kBase32, "0123456789AbC", 38390726480144748));
  EXPECT_TRUE(Reads(TextForm::kBase32, "0123456789ABl", 38390726480144737));
  for (const char one : {'I', 'i', 'L', 'l', '1'})
    EXPECT_TRUE(Reads(TextForm::kBase32, std::string("000000000000") + one, 1));
  for (const char zero : {'O', 'o', '0'}) EXPECT_TRUE(Reads(TextForm::kBase32, std::string("000000000001") + zero, 32));
  EXPECT_TRUE(Reads(TextForm::kBase32, "fzzzzzzzzzzzz", kLargest));
}

TEST(TextForm, HexReadsEitherCase) {
  EXPECT_TRUE(Reads(TextForm::kHex, "0123456789ABCDEF", 0x0123456789ABCDEF));
  EXPECT_TRUE(Reads(TextForm::kHex, "0123456789aBcDeF", 0x0123456789ABCDEF));
}

TEST(TextForm, CaseMattersInBase58AndBase62) {
  EXPECT_TRUE(Reads(TextForm::kBase58, "A", 9));
  EXPECT_TRUE(Reads(TextForm::kBase58, "a", 33));
  EXPECT_TRUE(Reads(TextForm::kBase62, "0000000000A", 10));
  EXPECT_TRUE(Reads(TextForm::kBase62, "0000000000a", 36));
}

// Every byte that is not a form's own is refused in every place, with its place.
TEST(TextForm, RefusesEveryOtherByteEverywhere) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const auto without = [](std::string all, const std::string& some) {
    std::erase_if(all, [&some](char c) { return some.find(c) != std::string::npos; });
    return all;
  };
  const struct {
    TextForm form;
    std::string legal;
  } cases[] = {{TextForm::kBase32, "0123456789" + without(letters, "Uu")},
               {TextForm::kBase58, "123456789" + without(letters, "IOl")},
               {TextForm::kBase62, "0123456789" + letters},
               {TextForm::kHex, "0123456789abcdefABCDEF"},
               {TextForm::kUnsigned, "0123456789"}};
  for (const auto& [form, legal] : cases) {
    const std::string sound = Written(form, uint64_t{1} << 62);
    for (size_t place = 0; place < sound.size(); ++place)
      for (int byte = 0; byte < 256; ++byte) {
        std::string text = sound;
        text[place] = static_cast<char>(byte);
        const bool is_legal = legal.find(static_cast<char>(byte)) != std::string::npos;
        const ReadId read = ReadText(form, text);
        ASSERT_EQ(read.fault == TextFault::kCharacter, !is_legal) << text;
        if (!is_legal) {
          ASSERT_EQ(read.position, place);
          ASSERT_TRUE(Refuses(form, "-" + text, TextFault::kCharacter, 0));
        }
      }
  }
}

TEST(TextForm, RefusesTheFirstBadCharacterWhateverTheLength) {
  EXPECT_TRUE(Refuses(TextForm::kBase32, "0123-4567-89ABC", TextFault::kCharacter, 4));
  EXPECT_TRUE(Refuses(TextForm::kBase32, "0123456789ABu", TextFault::kCharacter, 12));
  EXPECT_TRUE(Refuses(TextForm::kBase32, "U", TextFault::kCharacter, 0));
  EXPECT_TRUE(Refuses(TextForm::kBase58, "11!", TextFault::kCharacter, 2));
  EXPECT_TRUE(Refuses(TextForm::kBase58, std::string(100, 'z') + "0", TextFault::kCharacter, 100));
  EXPECT_TRUE(Refuses(TextForm::kBase62, "0000000000\xC3\xA9", TextFault::kCharacter, 10));
  EXPECT_TRUE(Refuses(TextForm::kHex, "0x0123456789abcdef", TextFault::kCharacter, 1));
  for (const char* text : {"-1", "+1", " 1"}) EXPECT_TRUE(Refuses(TextForm::kUnsigned, text, TextFault::kCharacter, 0));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "1 ", TextFault::kCharacter, 1));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "1.0", TextFault::kCharacter, 1));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, std::string("1\0", 2), TextFault::kCharacter, 1));
}

TEST(TextForm, RefusesEveryOtherLength) {
  for (const TextForm form : kForms) EXPECT_TRUE(Refuses(form, "", TextFault::kLength));
  for (const TextForm form : {TextForm::kBase32, TextForm::kBase62, TextForm::kHex}) {
    const size_t size = Written(form, 0).size();
    for (size_t other = 1; other < 40; ++other) {
      if (other == size) continue;
      EXPECT_TRUE(Refuses(form, std::string(other, '1'), TextFault::kLength)) << other;
    }
  }
}

TEST(TextForm, RefusesLeadingZerosIfTheLengthIsFree) {
  EXPECT_TRUE(Refuses(TextForm::kBase58, "11", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kBase58, "1z", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kBase58, "1111111111z", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kBase58, "1zzzzzzzzzzzzzzzzzzz", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "00", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "01", TextFault::kLeadingZero));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "018446744073709551615", TextFault::kLeadingZero));
}

TEST(TextForm, RefusesWhatIsAboveSixtyFourBits) {
  EXPECT_TRUE(Reads(TextForm::kBase58, "jpXCZedGfVQ", kLargest));
  EXPECT_TRUE(Reads(TextForm::kBase62, "LygHa16AHYF", kLargest));
  EXPECT_TRUE(Reads(TextForm::kUnsigned, "18446744073709551615", kLargest));
  for (const char* text : {"G000000000000", "ZZZZZZZZZZZZZ", "g000000000000"})
    EXPECT_TRUE(Refuses(TextForm::kBase32, text, TextFault::kTooLarge));
  for (const char* text : {"jpXCZedGfVR", "jpXCZedGfWQ", "zzzzzzzzzzz", "211111111111", "zzzzzzzzzzzzzzzzzzzzzzzzz"})
    EXPECT_TRUE(Refuses(TextForm::kBase58, text, TextFault::kTooLarge));
  for (const char* text : {"LygHa16AHYG", "LygHa16AHZF", "zzzzzzzzzzz"})
    EXPECT_TRUE(Refuses(TextForm::kBase62, text, TextFault::kTooLarge));
  for (const char* text : {"18446744073709551616", "18446744073709551620", "99999999999999999999",
                           "100000000000000000000", "999999999999999999999"})
    EXPECT_TRUE(Refuses(TextForm::kUnsigned, text, TextFault::kTooLarge));
  // 2^64 and a zero: the sum of all but the last digit is 0 once more.
  EXPECT_TRUE(Refuses(TextForm::kBase58, "jpXCZedGfVR1", TextFault::kTooLarge));
  EXPECT_TRUE(Refuses(TextForm::kUnsigned, "184467440737095516160", TextFault::kTooLarge));
}

// Of texts with the characters and the length of a form, exactly those that the form would write are read.
TEST(TextForm, WhatItReadsIsTheTextItWrites) {
  std::mt19937_64 next(5);
  const std::string base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const std::string base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const struct {
    TextForm form;
    std::string alphabet;
    size_t shortest, longest;
  } cases[] = {{TextForm::kBase58, base58, 1, 11},
               {TextForm::kBase62, base62, 11, 11},
               {TextForm::kUnsigned, "0123456789", 1, 20}};
  for (const auto& [form, alphabet, shortest, longest] : cases) {
    int read_count = 0;
    for (int i = 0; i < 100000; ++i) {
      std::string text;
      const size_t size = shortest + next() % (longest - shortest + 1);
      while (text.size() < size) text += alphabet[next() % alphabet.size()];
      const ReadId read = ReadText(form, text);
      if (read.fault != TextFault::kNone) continue;
      ++read_count;
      ASSERT_EQ(Written(form, read.id), text);
    }
    EXPECT_GT(read_count, 1000);
  }
}

Uuid UuidFrom(uint64_t high, uint64_t low) { return UuidOfHalves(high, low); }

std::string Ulid(const Uuid& uuid) {
  char out[kUlidChars];
  return {out, WriteUlid(uuid, out)};
}

TEST(Ulid, HasTheKnownTexts) {
  EXPECT_EQ(Ulid(UuidFrom(0, 0)), "00000000000000000000000000");
  EXPECT_EQ(Ulid(UuidFrom(kLargest, kLargest)), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(Ulid(UuidFrom(0, 1)), "00000000000000000000000001");
  EXPECT_EQ(Ulid(UuidFrom(0, uint64_t{1} << 60)), "00000000000001000000000000");
  EXPECT_EQ(Ulid(UuidFrom(1, 0)), "0000000000000G000000000000");
  EXPECT_EQ(Ulid(UuidFrom(2, 0)), "00000000000010000000000000");
  // ulid(1469918176385) is 01ARYZ6S41TSV4RRFFQ69G5FAV in the reference implementation's README: its ten of the time.
  EXPECT_EQ(Ulid(UuidFrom(uint64_t{1469918176385} << 16, 0)).substr(0, 10), "01ARYZ6S41");
}

TEST(Ulid, ReadsWhatItWrote) {
  std::mt19937_64 next(6);
  std::vector<Uuid> uuids = {UuidFrom(0, 0), UuidFrom(kLargest, kLargest), UuidFrom(kLargest, 0),
                             UuidFrom(0, kLargest)};
  for (int bit = 0; bit < 64; ++bit) {
    uuids.push_back(UuidFrom(uint64_t{1} << bit, 0));
    uuids.push_back(UuidFrom(0, uint64_t{1} << bit));
  }
  for (int i = 0; i < 1000000; ++i) {
    const uint64_t high = next();
    uuids.push_back(UuidFrom(high, next()));
  }
  for (const Uuid& uuid : uuids) {
    char text[kUlidChars];
    WriteUlid(uuid, text);
    const ReadUuid read = ReadUlid({text, kUlidChars});
    ASSERT_EQ(read.fault, TextFault::kNone);
    ASSERT_EQ(std::memcmp(read.uuid.bytes, uuid.bytes, sizeof uuid.bytes), 0);
  }
}

TEST(Ulid, SortsLikeTheUuid) {
  std::mt19937_64 next(7);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t high = next();
    const Uuid a = UuidFrom(high, next()), b = UuidFrom(i % 2 ? high : next(), next());
    ASSERT_EQ(Ulid(a) < Ulid(b), std::memcmp(a.bytes, b.bytes, sizeof a.bytes) < 0);
  }
}

TEST(Ulid, ReadsLowerCaseAndLookAlikes) {
  const ReadUuid read = ReadUlid("oiL0000000000000000000000z");
  EXPECT_EQ(read.fault, TextFault::kNone);
  EXPECT_EQ(Ulid(read.uuid), "0110000000000000000000000Z");
}

TEST(Ulid, RefusesInvalidTexts) {
  const auto fault = [](const std::string& text) { return ReadUlid(text).fault; };
  const std::string sound = "01ARYZ6S41TSV4RRFFQ69G5FAV";
  EXPECT_EQ(fault(sound), TextFault::kNone);
  EXPECT_EQ(fault(""), TextFault::kLength);
  EXPECT_EQ(fault(sound.substr(1)), TextFault::kLength);
  EXPECT_EQ(fault(sound + "0"), TextFault::kLength);
  EXPECT_EQ(fault("80000000000000000000000000"), TextFault::kTooLarge);
  EXPECT_EQ(fault("ZZZZZZZZZZZZZZZZZZZZZZZZZZ"), TextFault::kTooLarge);
  for (size_t place = 0; place < sound.size(); ++place)
    for (const char bad : {'U', 'u', '-', ' ', '\0', '\xC3'}) {
      std::string text = sound;
      text[place] = bad;
      const ReadUuid read = ReadUlid(text);
      EXPECT_EQ(read.fault, TextFault::kCharacter);
      EXPECT_EQ(read.position, place);
    }
  EXPECT_EQ(ReadUlid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f").position, 8u);
}

}  // namespace
}  // namespace idgen::core
