// FNV-1a, 64 bits (Fowler, Noll and Vo): a number for a few bytes that nobody chooses with bad intentions. Values of it are
// in records on disk.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idgen::core {

inline constexpr uint64_t kFnvStart = 0xcbf29ce484222325;

// Goes on from `hash`: first kFnvStart, then the previous result.
inline uint64_t Fnv(uint64_t hash, const void* bytes, size_t size) noexcept {
  for (size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3;
  return hash;
}

}  // namespace idgen::core
