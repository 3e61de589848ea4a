// Writing names in the store.
#include "sequencer/key.h"

#include <cstring>

#include "core/decimal.h"

namespace idgen::sequencer {
namespace {

char* Append(char* at, std::string_view text) noexcept {
  memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* AppendLength(char* at, std::string_view text) noexcept {
  at = core::WriteDecimal(at, static_cast<int64_t>(text.size()));
  *at = ':';
  return at + 1;
}

char* AppendName(char* at, std::string_view name) noexcept {
  at = AppendLength(at, name);
  for (const char c : name) {
    if (c == '%')
      at = Append(at, "%25");
    else if (c == '{')
      at = Append(at, "%7B");
    else if (c == '}')
      at = Append(at, "%7D");
    else
      *at++ = c;
  }
  *at = ':';
  return at + 1;
}

// Removes the part before the first comma from the list, and returns it without the spaces around it.
std::string_view NextOfList(std::string_view* list) noexcept {
  const size_t comma = list->find(',');
  std::string_view part = list->substr(0, comma);
  list->remove_prefix(comma == std::string_view::npos ? list->size() : comma + 1);
  while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
  while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
  return part;
}

}  // namespace

bool MayBePrefix(std::string_view prefix) noexcept {
  return !prefix.empty() && prefix.size() <= kMaxPrefixBytes && prefix.find_first_of("{}") == std::string_view::npos;
}

bool IsPrefixAllowed(std::string_view prefix, std::string_view list) noexcept {
  const bool is_own = prefix.starts_with(kOwnPrefix);
  while (!list.empty()) {
    const std::string_view allowed = NextOfList(&list);
    if (!allowed.empty() && prefix.starts_with(allowed) && (!is_own || allowed.starts_with(kOwnPrefix))) return true;
  }
  return false;
}

bool MayBePrefixList(std::string_view list) noexcept {
  while (!list.empty())
    if (const std::string_view allowed = NextOfList(&list); !allowed.empty() && !MayBePrefix(allowed)) return false;
  return true;
}

void WriteDefaultPrefix(std::string_view database, std::string_view sequencer, char (&prefix)[kPrefixBuffer]) noexcept {
  char* at = Append(prefix, kOwnPrefix);
  at = AppendName(at, database);
  at = AppendName(at, sequencer);
  *at = '\0';
}

StoreKey WriteStoreKey(std::string_view prefix, std::string_view key, char* out) noexcept {
  char* at = Append(out, prefix);
  *at++ = '{';
  at = AppendLength(at, key);
  at = Append(at, key);
  *at++ = '}';
  at = Append(at, kGenerationSuffix);
  return {out, static_cast<size_t>(at - out)};
}

std::string_view StoreKey::WriteSegment(char* out) const noexcept {
  static_assert(kSegmentSuffix.size() == kGenerationSuffix.size());
  char* at = Append(Append(out, value()), kSegmentSuffix);
  return {out, static_cast<size_t>(at - out)};
}

}  // namespace idgen::sequencer
