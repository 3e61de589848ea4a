// Reading worker ids from host names, environment variables and addresses.
#include "lease/worker_number.h"

#include <cstring>

#include "core/decimal.h"
#include "core/check.h"
#include "core/identity.h"

namespace idgen::lease {
namespace {

std::optional<uint32_t> NumberOfDigits(const char* begin, const char* end) noexcept {
  int64_t number;
  if (!core::ReadDigits({begin, end}, core::kMaxWorker, &number)) return std::nullopt;
  return static_cast<uint32_t>(number);
}

}  // namespace

std::optional<uint32_t> NumberOfText(const char* text) noexcept { return NumberOfDigits(text, text + strlen(text)); }

std::optional<uint32_t> NumberOfHostname(const char* hostname) noexcept {
  const char* end = hostname + strcspn(hostname, ".");
  const char* begin = end;
  while (begin != hostname && begin[-1] != '-') --begin;
  if (begin == hostname) return std::nullopt;  // no '-' at all
  return NumberOfDigits(begin, end);
}

bool IsPrivate(uint32_t address) noexcept {
  return address >> 24 == 10 || address >> 20 == (172u << 4 | 1) || address >> 16 == (192u << 8 | 168) ||
         address >> 16 == (169u << 8 | 254);
}

AddressNumber NumberOfAddresses(const uint32_t* addresses, size_t count, unsigned width) noexcept {
  IDGEN_CHECK(width < 32);
  AddressNumber result;
  bool agree = true;
  for (size_t i = 0; i < count; ++i) {
    if (!IsPrivate(addresses[i])) continue;
    const uint32_t number = addresses[i] & ((uint32_t{1} << width) - 1);
    if (result.private_count++ > 0 && number != *result.number) agree = false;
    result.number = number;
    result.address = addresses[i];
  }
  if (!agree) result.number.reset();
  return result;
}

}  // namespace idgen::lease
