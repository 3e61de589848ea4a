// Names in the store. The value of a key stands at K = prefix{length:key}, its generation at K:g, the number of the
// segment that was taken last at K:s. The braces are what a Redis Cluster hashes, so that all are in one slot; lengths
// are in bytes, so that no two keys meet.
#pragma once

#include <cstddef>
#include <string_view>

namespace idgen::sequencer {

inline constexpr size_t kMaxKeyBytes = 512;
inline constexpr size_t kMaxPrefixBytes = 255;  // of one that was chosen
inline constexpr size_t kPrefixBuffer = 512;    // holds any, and a zero
inline constexpr std::string_view kGenerationSuffix = ":g";
inline constexpr std::string_view kSegmentSuffix = ":s";

// A prefix may be chosen as long as it has no braces: "{}" would be what a Cluster looks for, and find empty.
bool MayBePrefix(std::string_view prefix) noexcept;

// Whether a list of prefixes, separated by commas, allows one: if one of them is the beginning of it. What begins with
// kOwnPrefix is another database's, perhaps: only a prefix in the list that begins so, too, reaches there.
inline constexpr std::string_view kOwnPrefix = "idgen:seq:";
bool IsPrefixAllowed(std::string_view prefix, std::string_view list) noexcept;
// Whether all of the list's prefixes could be chosen.
bool MayBePrefixList(std::string_view list) noexcept;

// idgen:seq:<length>:<database>:<length>:<sequencer>: with %, { and } of the names as %25, %7B, %7D. Names are those of
// PostgreSQL, of up to 63 bytes. Ends in a zero.
void WriteDefaultPrefix(std::string_view database, std::string_view sequencer, char (&prefix)[kPrefixBuffer]) noexcept;

// The name of a generation; without its last kGenerationSuffix.size() bytes, that of the value.
struct StoreKey {
  const char* bytes;
  size_t size;

  std::string_view value() const noexcept { return {bytes, size - kGenerationSuffix.size()}; }
  std::string_view generation() const noexcept { return {bytes, size}; }
  // To `out`, of kMaxStoreKeyBytes.
  std::string_view WriteSegment(char* out) const noexcept;
};

// How long it is at the most.
inline constexpr size_t kMaxStoreKeyBytes = kPrefixBuffer + kMaxKeyBytes + 16;

// Writes to `out`, of kMaxStoreKeyBytes. The key has 1 to kMaxKeyBytes bytes, the prefix less than kPrefixBuffer.
StoreKey WriteStoreKey(std::string_view prefix, std::string_view key, char* out) noexcept;

}  // namespace idgen::sequencer
