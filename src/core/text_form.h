// Text forms of ids (Crockford base32, base58, base62, hex, unsigned decimal), and of UUIDs as ULIDs.
//
// An id is 64 bits without a sign: a negative bigint is an id of 2^63 or above. Each id has exactly one text in each
// form. Only that text is accepted, except that base32, ULID and hex accept either case, and base32 and ULID accept the
// look-alikes I and L for 1 and O for 0, as Crockford specifies.
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
  kCharacter,    // the character at `position` is not in the alphabet
  kLeadingZero,  // in a form of variable length: the same id has a shorter text
  kLength,       // wrong length; all characters are in the alphabet, so each is one byte
  kTooLarge,     // well formed, but above 2^64 - 1, or 2^128 - 1 for a ULID
};

struct ReadId {
  uint64_t id = 0;
  TextFault fault = TextFault::kNone;
  size_t position =
      0;  // of the invalid character, from 0; in bytes and in characters, as all before it are one byte long
};

struct ReadUuid {
  Uuid uuid{};
  TextFault fault = TextFault::kNone;
  size_t position = 0;
};

// Write at most kMaxTextChars or exactly kUlidChars characters, without a terminating zero, and return their number.
size_t WriteText(TextForm form, uint64_t id, char* out) noexcept;
size_t WriteUlid(const Uuid& uuid, char* out) noexcept;

ReadId ReadText(TextForm form, std::string_view text) noexcept;
ReadUuid ReadUlid(std::string_view text) noexcept;

}  // namespace idgen::core
