// A table of kinds of stores, and storage for a store of any of them: a store is made in its owner's memory, because
// what a backend holds has no destructor and uses no heap.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

#include "io/store_access.h"

namespace idgen::io {

inline constexpr size_t kMaxStoreBytes = 24 * 1024;
inline constexpr size_t kStoreAlignment = alignof(uint64_t);  // PostgreSQL aligns what it allocates no further

template <class Store>
struct StoreKind {
  const UrlKind* urls;
  Store* (*make)(void* memory) noexcept;  // of kMaxStoreBytes
};

// A line of a table: stores of this kind are `Made`s.
template <class Store, class Made>
constexpr StoreKind<Store> KindOf(const UrlKind& urls) noexcept {
  static_assert(sizeof(Made) <= kMaxStoreBytes && alignof(Made) <= kStoreAlignment);
  static_assert(std::is_trivially_destructible_v<Made>);
  return {&urls, [](void* memory) noexcept -> Store* { return new (memory) Made(); }};
}

// The store that the latest URL names. Until then, and if no kind has its scheme, the store that fails every request.
template <class Store>
class StoreHolder {
 public:
  explicit StoreHolder(Store& none) noexcept : none_(none), store_(&none) {}
  StoreHolder(const StoreHolder&) = delete;
  StoreHolder& operator=(const StoreHolder&) = delete;

  Store& store() const noexcept { return *store_; }

  // Makes the store of the kind that the URL names, unless it is there. True if it took the place of another, which is
  // closed.
  template <size_t kCount>
  bool Choose(const StoreKind<Store> (&kinds)[kCount], const char* url) noexcept {
    const StoreKind<Store>* found = nullptr;
    for (const StoreKind<Store>& kind : kinds)
      if (kind.urls->has_scheme(url)) found = &kind;
    if (found == kind_) return false;
    store_->Close();
    kind_ = found;
    store_ = found != nullptr ? found->make(memory_) : &none_;
    return true;
  }

 private:
  Store& none_;
  Store* store_;
  const StoreKind<Store>* kind_ = nullptr;
  alignas(kStoreAlignment) unsigned char memory_[kMaxStoreBytes];
};

}  // namespace idgen::io
