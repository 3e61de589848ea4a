// Names in the store. The value of a key is stored at K = prefix{length:key}, its generation at K:g, the number of the
// latest segment at K:s. A Redis Cluster hashes what is in the braces, so that all three are on one node; the length,
// in bytes, keeps keys apart.
#pragma once

#include <cstddef>
#include <string_view>

namespace idgen::sequencer {

inline constexpr size_t kMaxKeyBytes = 512;
inline constexpr size_t kMaxPrefixBytes = 255;  // of a chosen prefix
inline constexpr size_t kPrefixBuffer = 512;    // for any prefix, with a terminating zero
inline constexpr std::string_view kGenerationSuffix = ":g";
inline constexpr std::string_view kSegmentSuffix = ":s";

// Whether a prefix can be chosen. It has no braces: a Cluster would hash what is in those.
bool MayBePrefix(std::string_view prefix) noexcept;

// Whether a list of prefixes, separated by commas, allows a prefix: it begins with one of them. What begins with
// kOwnPrefix may belong to another database, so only an entry that begins with it, too, allows it.
inline constexpr std::string_view kOwnPrefix = "idgen:seq:";
bool IsPrefixAllowed(std::string_view prefix, std::string_view list) noexcept;
// Whether every prefix in the list can be chosen.
bool MayBePrefixList(std::string_view list) noexcept;

// idgen:seq:<length>:<database>:<length>:<sequencer>: with %, { and } in the names written as %25, %7B, %7D. Names have
// at most 63 bytes. Writes a terminating zero.
void WriteDefaultPrefix(std::string_view database, std::string_view sequencer, char (&prefix)[kPrefixBuffer]) noexcept;

// The name of the generation; without the suffix it is the name of the value. The bytes belong to the caller.
struct StoreKey {
  const char* bytes;
  size_t size;

  std::string_view value() const noexcept { return {bytes, size - kGenerationSuffix.size()}; }
  std::string_view generation() const noexcept { return {bytes, size}; }
  // Writes to `out`, which has kMaxStoreKeyBytes.
  std::string_view WriteSegment(char* out) const noexcept;
};

inline constexpr size_t kMaxStoreKeyBytes = kPrefixBuffer + kMaxKeyBytes + 16;

// Writes to `out`, which has kMaxStoreKeyBytes and is borrowed by the result. The key has 1 to kMaxKeyBytes bytes, the
// prefix less than kPrefixBuffer.
StoreKey WriteStoreKey(std::string_view prefix, std::string_view key, char* out) noexcept;

}  // namespace idgen::sequencer
