// Ids as text, and back: Crockford base32, base58, base62, hex, unsigned decimal; UUIDs as ULIDs.
//
// An id here is 64 bits without a sign: a negative bigint is an id from 2^63 on, and has a text like any other. Each id
// has one text in each form. What is read is that text, and in base32, ULID and hex the same in the other case; base32
// and ULID read the look-alikes I and L as 1 and O as 0, as Crockford's text has it. All else is refused.
//
//   form       characters         alphabet                            texts sort like unsigned ids (COLLATE "C")
//   base32     13, as a TSID      0-9A-Z without I, L, O, U           yes
//   base58     1 to 11            Bitcoin's: 1-9A-Za-z without I O l  no
//   base62     11                 0-9A-Za-z                           yes
//   hex        16                 0-9a-f                              yes
//   unsigned   1 to 20            0-9                                 no
//   ULID       26                 as base32                           yes, like UUIDs
//
// Sources: crockford.com/base32.html, the specification at github.com/ulid/spec, the alphabet in Bitcoin's base58.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/uuid7.h"

namespace idgen::core {

enum class TextForm : uint8_t { kBase32, kBase58, kBase62, kHex, kUnsigned };

inline constexpr size_t kMaxTextChars = 20;  // of an id in any form
inline constexpr size_t kUlidChars = 26;

enum class TextFault : uint8_t {
  kNone,
  kCharacter,    // one that the form doesn't have, at `position`
  kLeadingZero,  // of a form without a fixed length: the same id has a shorter text
  kLength,       // every character is one of the form's, so that they are as many as bytes
  kTooLarge,     // well formed, and above 2^64 - 1; a ULID above 2^128 - 1
};

struct ReadId {
  uint64_t id = 0;
  TextFault fault = TextFault::kNone;
  size_t position = 0;  // of the first character at fault, in bytes from 0; none before it is longer than a byte
};

struct ReadUuid {
  Uuid uuid{};
  TextFault fault = TextFault::kNone;
  size_t position = 0;
};

// Write at most kMaxTextChars or exactly kUlidChars characters, no terminating zero; the result says how many.
size_t WriteText(TextForm form, uint64_t id, char* out) noexcept;
size_t WriteUlid(const Uuid& uuid, char* out) noexcept;

ReadId ReadText(TextForm form, std::string_view text) noexcept;
ReadUuid ReadUlid(std::string_view text) noexcept;

}  // namespace idgen::core
