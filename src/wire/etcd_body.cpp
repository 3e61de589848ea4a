// Writing the JSON bodies of calls to etcd.
#include "wire/etcd_body.h"

#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "core/decimal.h"

namespace idgen::wire {
namespace {

constexpr const char* kRelations[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
struct RevisionNames {
  const char* target;
  const char* field;
};
constexpr RevisionNames kRevisions[] = {
    {"CREATE", "createRevision"}, {"MOD", "modRevision"}, {"VERSION", "version"}, {"LEASE", "lease"}};
constexpr const char* kPartNames[] = {"compare", "success", "failure"};

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

bool EtcdBody::Grow(size_t size) noexcept {
  if (problem_ != nullptr) return false;
  if (size <= capacity_ - size_) return true;
  size_t capacity = capacity_ == 0 ? 1024 : capacity_;
  while (capacity - size_ < size) capacity *= 2;
  char* bytes = static_cast<char*>(realloc(bytes_, capacity));
  if (bytes == nullptr) {
    problem_ = "out of memory";
    return false;
  }
  bytes_ = bytes;
  capacity_ = capacity;
  return true;
}

void EtcdBody::Add(std::string_view text) noexcept {
  if (!Grow(text.size())) return;
  memcpy(bytes_ + size_, text.data(), text.size());
  size_ += text.size();
}

void EtcdBody::AddText(std::string_view text) noexcept {
  static constexpr char kHex[] = "0123456789abcdef";
  Add("\"");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == '"' || byte == '\\') {
      const char escaped[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      Add({escaped, sizeof escaped});
    } else {
      Add({&c, 1});
    }
  }
  Add("\"");
}

void EtcdBody::AddBase64(std::string_view bytes) noexcept {
  if (!Grow((bytes.size() + 2) / 3 * 4 + 2)) return;
  char* to = bytes_ + size_;
  *to++ = '"';
  const auto at = [&bytes](size_t i) -> uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    *to++ = kBase64[three >> 18];
    *to++ = kBase64[three >> 12 & 63];
    *to++ = i + 1 < bytes.size() ? kBase64[three >> 6 & 63] : '=';
    *to++ = i + 2 < bytes.size() ? kBase64[three & 63] : '=';
  }
  *to++ = '"';
  size_ = static_cast<size_t>(to - bytes_);
}

void EtcdBody::AddNumber(int64_t number) noexcept {
  char digits[core::kDecimalBytes];
  Add("\"");
  Add({digits, core::WriteDecimal(digits, number)});
  Add("\"");
}

// Moves on to a part of the innermost transaction.
void EtcdBody::EnterPart(Part part) noexcept {
  if (depth_ == 0 || problem_ != nullptr) return;
  Level& level = levels_[depth_ - 1];
  IDGEN_CHECK(level.part < part);
  if (level.has_items) Add("],");
  level = {.part = part, .has_items = false};
}

// The array of the part begins with its first item.
void EtcdBody::BeginItem(Part first, Part last) noexcept {
  if (depth_ == 0 || problem_ != nullptr) return;
  Level& level = levels_[depth_ - 1];
  IDGEN_CHECK(first <= level.part && level.part <= last);
  if (level.has_items) return Add(",");
  level.has_items = true;
  Add("\"");
  Add(kPartNames[static_cast<int>(level.part)]);
  Add("\":[");
}

void EtcdBody::BeginOperation(const char* kind) noexcept {
  if (depth_ == 0) return;
  BeginItem(Part::kThen, Part::kElse);
  Add("{\"");
  Add(kind);
  Add("\":");
}

void EtcdBody::EndOperation() noexcept {
  if (depth_ > 0) Add("}");
}

void EtcdBody::BeginTxn() noexcept {
  if (depth_ == kMaxTxnDepth) problem_ = "too many transactions within each other";
  if (problem_ != nullptr) return;
  BeginOperation("requestTxn");
  Add("{");
  levels_[depth_++] = {.part = Part::kCompare, .has_items = false};
}

void EtcdBody::Then() noexcept { EnterPart(Part::kThen); }
void EtcdBody::Else() noexcept { EnterPart(Part::kElse); }

void EtcdBody::EndTxn() noexcept {
  if (problem_ != nullptr) return;
  IDGEN_CHECK(depth_ > 0);
  if (levels_[depth_ - 1].has_items) {
    Add("]");
  } else if (size_ > 0 && bytes_[size_ - 1] == ',') {
    --size_;  // no item followed a part that had some
  }
  Add("}");
  --depth_;
  EndOperation();
}

void EtcdBody::CompareRevision(std::string_view key, Revision which, Relation relation, int64_t number) noexcept {
  CompareRange(key, {}, which, relation, number);
}

void EtcdBody::CompareRange(std::string_view key, std::string_view range_end, Revision which, Relation relation,
                            int64_t number) noexcept {
  const RevisionNames& names = kRevisions[static_cast<int>(which)];
  BeginItem(Part::kCompare, Part::kCompare);
  Add("{\"key\":");
  AddBase64(key);
  if (!range_end.empty()) {
    Add(",\"rangeEnd\":");
    AddBase64(range_end);
  }
  Add(",\"target\":\"");
  Add(names.target);
  Add("\",\"result\":\"");
  Add(kRelations[static_cast<int>(relation)]);
  Add("\",\"");
  Add(names.field);
  Add("\":");
  AddNumber(number);
  Add("}");
}

void EtcdBody::CompareValue(std::string_view key, Relation relation, std::string_view value) noexcept {
  BeginItem(Part::kCompare, Part::kCompare);
  Add("{\"key\":");
  AddBase64(key);
  Add(",\"target\":\"VALUE\",\"result\":\"");
  Add(kRelations[static_cast<int>(relation)]);
  Add("\",\"value\":");
  AddBase64(value);
  Add("}");
}

void EtcdBody::Put(std::string_view key, std::string_view value, int64_t lease) noexcept {
  BeginOperation("requestPut");
  Add("{\"key\":");
  AddBase64(key);
  Add(",\"value\":");
  AddBase64(value);
  if (lease != 0) {
    Add(",\"lease\":");
    AddNumber(lease);
  }
  Add("}");
  EndOperation();
}

void EtcdBody::Touch(std::string_view key) noexcept {
  BeginOperation("requestPut");
  Add("{\"key\":");
  AddBase64(key);
  Add(",\"ignoreValue\":true,\"ignoreLease\":true,\"prevKv\":true}");
  EndOperation();
}

void EtcdBody::AddRange(std::string_view key, std::string_view range_end) noexcept {
  Add("{\"key\":");
  AddBase64(key);
  if (range_end.empty()) return;
  Add(",\"rangeEnd\":");
  AddBase64(range_end);
}

void EtcdBody::Range(std::string_view key, std::string_view range_end, int64_t limit, bool keys_only) noexcept {
  BeginOperation("requestRange");
  AddRange(key, range_end);
  if (limit != 0) {
    Add(",\"limit\":");
    AddNumber(limit);
  }
  if (keys_only) Add(",\"keysOnly\":true");
  Add("}");
  EndOperation();
}

void EtcdBody::Delete(std::string_view key, std::string_view range_end) noexcept {
  BeginOperation("requestDeleteRange");
  AddRange(key, range_end);
  Add("}");
  EndOperation();
}

void EtcdBody::LeaseGrant(int64_t id, int64_t ttl_s) noexcept {
  Add("{\"ID\":");
  AddNumber(id);
  Add(",\"TTL\":");
  AddNumber(ttl_s);
  Add("}");
}

void EtcdBody::Lease(int64_t id) noexcept {
  Add("{\"ID\":");
  AddNumber(id);
  Add("}");
}

void EtcdBody::Authenticate(std::string_view user, std::string_view password) noexcept {
  Add("{\"name\":");
  AddText(user);
  Add(",\"password\":");
  AddText(password);
  Add("}");
}

void EtcdBody::Empty() noexcept { Add("{}"); }

void EtcdBody::Clear() noexcept {
  size_ = 0;
  depth_ = 0;
  problem_ = nullptr;
}

void EtcdBody::Free() noexcept {
  free(bytes_);
  *this = EtcdBody();
}

std::string_view EndOfPrefix(std::string_view prefix, char* end) noexcept {
  memcpy(end, prefix.data(), prefix.size());
  for (size_t size = prefix.size(); size > 0; --size) {
    const auto last = static_cast<unsigned char>(end[size - 1]);
    if (last == 0xff) continue;
    end[size - 1] = static_cast<char>(last + 1);
    return {end, size};
  }
  return {};
}

}  // namespace idgen::wire
