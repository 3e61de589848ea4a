// Determines the worker id from the settings. An unusable number is refused, never replaced by another.
#include "pg/worker/worker_id.h"

#include "core/layout.h"
#include "io/host.h"
#include "lease/worker_number.h"
#include "pg/base/settings.h"
#include "wire/printable.h"

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace idgen::pg {
namespace {

constexpr const core::Field& kField = core::kDefaultLayout.worker;

void Refuse(WorkerId& id, const char* format, ...) pg_attribute_printf(2, 3);
void Refuse(WorkerId& id, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(id.problem, sizeof id.problem, format, arguments);
  va_end(arguments);
  wire::MakePrintable(id.problem);
  id.had = false;
}

void Accept(WorkerId& id, std::optional<uint32_t> number) {
  id.had = number.has_value();
  if (id.had) id.number = *number;
}

void FromSetting(WorkerId& id) {
  strlcpy(id.source, WorkerIdIsChosen() ? "idgen.worker_id" : "built-in default", sizeof id.source);
  Accept(id, StaticWorkerId());
}

void FromHostname(WorkerId& id) {
  char hostname[io::kMaxHostname];
  if (const int error = io::ReadHostname(hostname); error != 0)
    return Refuse(id, "Could not read the host name: %s.", strerror(-error));
  snprintf(id.source, sizeof id.source, "host name %.100s", hostname);
  Accept(id, lease::NumberOfHostname(hostname));
  if (!id.had) Refuse(id, "Host name \"%s\" does not end in a hyphen and a number.", hostname);
}

void FromEnvironment(WorkerId& id) {
  const char* name = WorkerEnv();
  const char* text = getenv(name);
  if (text == nullptr) return Refuse(id, "Environment variable \"%s\" is not set for the postmaster.", name);
  snprintf(id.source, sizeof id.source, "environment variable %.90s", name);
  Accept(id, lease::NumberOfText(text));
  if (!id.had) Refuse(id, "Environment variable \"%s\" is \"%.64s\", which is not a worker id.", name, text);
}

void FromAddress(WorkerId& id) {
  uint32_t addresses[io::kMaxAddresses];
  const int count = io::ReadAddresses(WorkerInterface(), addresses);
  if (count < 0) return Refuse(id, "Could not read the host's addresses: %s.", strerror(-count));
  const lease::AddressNumber found = lease::NumberOfAddresses(addresses, static_cast<size_t>(count), kField.width);
  const uint32_t a = found.address;
  snprintf(id.source, sizeof id.source, "low %d bits of %u.%u.%u.%u", kField.width, a >> 24, a >> 16 & 255,
           a >> 8 & 255, a & 255);
  Accept(id, found.number);
  if (id.had) return;
  if (found.private_count == 0)
    *WorkerInterface() == '\0'
        ? Refuse(id, "No active network interface has a private IPv4 address.")
        : Refuse(id, "Network interface \"%s\" is down or has no private IPv4 address.", WorkerInterface());
  else
    Refuse(id,
           "The host has %zu private IPv4 addresses with different low %d bits; choose one with "
           "\"idgen.worker_interface\".",
           found.private_count, kField.width);
}

}  // namespace

WorkerId ResolveWorkerId() {
  WorkerId id = {};
  switch (WorkerNumberSource()) {
    case lease::NumberSource::kStatic: FromSetting(id); break;
    case lease::NumberSource::kHostname: FromHostname(id); break;
    case lease::NumberSource::kEnv: FromEnvironment(id); break;
    case lease::NumberSource::kIp: FromAddress(id); break;
    case lease::NumberSource::kLease: break;  // comes from the store
  }
  wire::MakePrintable(id.source);
  if (id.had && !kField.Fits(id.number))
    Refuse(id, "Worker id %u (from %s) does not fit the layout's worker field, whose %d bits hold 0 to %llu.",
           id.number, id.source, kField.width, static_cast<unsigned long long>(kField.MaxValue()));
  return id;
}

}  // namespace idgen::pg
