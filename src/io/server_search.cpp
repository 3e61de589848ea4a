// Hosts, addresses and limits of an exchange with a store.
#include "io/server_search.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "io/first_line.h"
#include "wire/printable.h"

namespace idgen::io {
namespace {

double Seconds(int64_t us) noexcept { return static_cast<double>(us) / 1e6; }

}  // namespace

void ServerSearch::Configure(const StoreAccess& access, int host_count) noexcept {
  Cancel();
  access_ = access;
  host_count_ = std::max(host_count, 1);
  host_ = hosts_tried_ = 0;
  first_address_ = 0;
  known_next_ = 0;
  for (KnownAddress& known : known_) known.address.size = 0;
}

void ServerSearch::Begin(int64_t now_us, int64_t until_us) noexcept {
  problem_ = kept_ = Problem();
  begun_us_ = now_us;
  until_us_ = until_us != 0 ? until_us : now_us + access_.timeout_us;
  BeginRound();
}

bool ServerSearch::IsOver(int64_t now_us, bool is_awaiting_reply) noexcept {
  if (now_us < until_us_) return false;
  // Why no server could be reached is worth more than that none was.
  if (is_awaiting_reply)
    Explain("no reply within %.3f s", Seconds(until_us_ - begun_us_));
  else if (problem_.text[0] == '\0')
    Explain("no connection within %.3f s", Seconds(until_us_ - begun_us_));
  return true;
}

bool ServerSearch::NextHost() noexcept {
  if (++hosts_tried_ >= host_count_) return false;
  SkipHost();
  return true;
}

void ServerSearch::SkipHost() noexcept { host_ = (host_ + 1) % std::max(host_count_, 1); }

ServerSearch::Next ServerSearch::Approach(const wire::Endpoint& server, int64_t now_us) noexcept {
  Cancel();
  target_ = server;
  Address address;
  if (AddressOfDigits(server.host, server.port, &address)) return ConnectOnly(address, now_us);
  is_resolving_ = true;
  is_resolved_ = false;
  BeginAttempt(now_us);
  resolver_.Begin(server.host, server.port);
  return Next::kWait;
}

ServerSearch::Next ServerSearch::ApproachPath(const char* path, int64_t now_us) noexcept {
  Cancel();
  target_ = wire::Endpoint();
  snprintf(target_.host, sizeof target_.host, "%s", path);
  Address address;
  if (AddressOfPath(path, &address)) return ConnectOnly(address, now_us);
  Explain("the path of the socket is too long");
  return Next::kNoMore;
}

ServerSearch::Next ServerSearch::Step(int64_t now_us) noexcept {
  if (!is_resolving_) return Next::kWait;
  switch (resolver_.Step()) {
    case Resolver::State::kDone:
      is_resolving_ = false;
      is_resolved_ = true;
      addresses_tried_ = 0;
      address_ = first_address_ % resolver_.count();
      BeginAttempt(now_us);
      return Next::kConnect;
    case Resolver::State::kFailed:
      Explain("the host name could not be resolved: %s", resolver_.problem());
      return ConnectKnown(now_us);
    case Resolver::State::kBusy:
    case Resolver::State::kIdle: break;
  }
  return Next::kWait;
}

ServerSearch::Next ServerSearch::NextAddress(int64_t now_us) noexcept {
  if (!is_resolved_) return Next::kNoMore;
  first_address_ = address_ = (address_ + 1) % resolver_.count();
  if (++addresses_tried_ >= resolver_.count()) return Next::kNoMore;
  BeginAttempt(now_us);
  return Next::kConnect;
}

ServerSearch::Next ServerSearch::GiveUpAttempt(int64_t now_us) noexcept {
  if (is_resolving_) {
    Explain("the host name could not be resolved within %.3f s", Seconds(access_.connect_timeout_us));
    return ConnectKnown(now_us);
  }
  Explain("no answer within %.3f s", Seconds(access_.connect_timeout_us));
  return NextAddress(now_us);
}

ServerSearch::Next ServerSearch::ConnectOnly(const Address& address, int64_t now_us) noexcept {
  is_resolved_ = false;
  only_address_ = address;
  BeginAttempt(now_us);
  return Next::kConnect;
}

// No name server answers or knows the host any more: uses the last address that worked.
ServerSearch::Next ServerSearch::ConnectKnown(int64_t now_us) noexcept {
  Cancel();
  for (const KnownAddress& known : known_)
    if (known.address.size != 0 && known.endpoint == target_) return ConnectOnly(known.address, now_us);
  return Next::kNoMore;
}

void ServerSearch::Remember() noexcept {
  if (!is_resolved_) return;
  const auto same = std::find_if(known_.begin(), known_.end(), [this](const KnownAddress& known) {
    return known.address.size != 0 && known.endpoint == target_;
  });
  if (same != known_.end()) {
    same->address = address();
    return;
  }
  known_[known_next_] = {target_, address()};
  known_next_ = (known_next_ + 1) % known_.size();
}

void ServerSearch::Cancel() noexcept {
  is_resolving_ = false;
  resolver_.Cancel();
}

Wants ServerSearch::wants(int64_t now_us, const Wants& of_connection) const noexcept {
  Wants wants = is_resolving_ ? resolver_.wants(now_us) : of_connection;
  wants.wake_boot_us = std::min({wants.wake_boot_us, attempt_until_us_, until_us_});
  return wants;
}

const char* ServerSearch::ReadPassword(const char* of_url, PasswordLine* line) noexcept {
  const NamedFile& file = access_.password_file;
  if (*file.path == '\0') return of_url;
  if (ReadFirstLine(file.path, line->text, sizeof line->text)) return line->text;
  Explain("the password file (\"%s\") cannot be read, or its first line is too long", file.setting);
  return nullptr;
}

void ServerSearch::Explain(const char* format, ...) noexcept {
  char what[360];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  wire::MakePrintable(what);  // may contain text from a server
  char with[128] = "";
  if (target_.port != 0)
    snprintf(with, sizeof with, strchr(target_.host, ':') != nullptr ? "[%.100s]:%u: " : "%.100s:%u: ", target_.host,
             static_cast<unsigned>(target_.port));
  else if (target_.host[0] != '\0')
    snprintf(with, sizeof with, "%.104s: ", target_.host);
  wire::MakePrintable(with);
  problem_.reason_at = strlen(with);
  snprintf(problem_.text, sizeof problem_.text, "%s%s", with, what);
}

void ServerSearch::KeepProblem() noexcept { kept_ = problem_; }

bool ServerSearch::UseKeptProblem() noexcept {
  if (kept_.text[0] == '\0') return false;
  problem_ = kept_;
  return true;
}

void ServerSearch::Append(const char* format, ...) noexcept {
  const size_t used = strlen(problem_.text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem_.text + used, sizeof problem_.text - used, format, arguments);
  va_end(arguments);
}

}  // namespace idgen::io
