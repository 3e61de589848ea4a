// Finding a server of a store that can be reached: the hosts of its URL in turn, the addresses of each host in turn,
// and how long an attempt and the whole exchange may take. It opens no connection; a link does that with the address
// that it is given, and says what became of it.
#pragma once

#include <span>

#include "io/store_access.h"
#include "wire/url_parts.h"

namespace idgen::io {

// Room for the line of a password file.
struct PasswordLine {
  char text[512];
};

class ServerSearch {
 public:
  // An address that has worked, for the times when no name server answers.
  struct KnownAddress {
    wire::Endpoint endpoint;
    Address address;
  };

  // What the link does next.
  enum class Next : uint8_t {
    kWait,     // wait for wants(), then call Step
    kConnect,  // connect to address()
    kNoMore,   // leave the server: all its addresses have failed
  };

  // `room` is where it keeps the addresses that have worked. Both must outlive it.
  ServerSearch(Resolver& resolver, std::span<KnownAddress> room) noexcept : resolver_(resolver), known_(room) {}
  ServerSearch(const ServerSearch&) = delete;
  ServerSearch& operator=(const ServerSearch&) = delete;

  // Begins with the first of `host_count` hosts, and forgets what it knew about others.
  void Configure(const StoreAccess& access, int host_count) noexcept;
  const StoreAccess& access() const noexcept { return access_; }

  // An exchange begins, and fails at `until_us`; 0: after the timeout of the settings.
  void Begin(int64_t now_us, int64_t until_us) noexcept;
  // Whether the exchange's time is up, in which case problem() says so.
  bool IsOver(int64_t now_us, bool is_awaiting_reply) noexcept;
  int64_t begun_us() const noexcept { return begun_us_; }
  int64_t until_us() const noexcept { return until_us_; }

  // The URL's hosts, by number. In a round each of them has one turn; Begin begins a round.
  int host() const noexcept { return host_; }
  int hosts_left() const noexcept { return host_count_ - hosts_tried_; }  // of the round, with the current one
  bool NextHost() noexcept;                                               // false: each has had its turn
  void SkipHost() noexcept;  // the next attempt begins with the next host, whatever the round says
  void BeginRound() noexcept { hosts_tried_ = 0; }

  // Begins to find the addresses of a server, which need not be one of the hosts. Messages name it from now on.
  Next Approach(const wire::Endpoint& server, int64_t now_us) noexcept;
  Next ApproachPath(const char* path, int64_t now_us) noexcept;
  Next Step(int64_t now_us) noexcept;
  // The address failed. The next exchange begins with the one after it.
  Next NextAddress(int64_t now_us) noexcept;
  const wire::Endpoint& target() const noexcept { return target_; }
  const Address& address() const noexcept { return is_resolved_ ? resolver_.address(address_) : only_address_; }
  // The address works.
  void Remember() noexcept;
  // Stops resolving a name.
  void Cancel() noexcept;

  // When the attempt is given up, unless the exchange is over before.
  void BeginAttempt(int64_t now_us) noexcept { attempt_until_us_ = now_us + access_.connect_timeout_us; }
  void LimitAttempt(int64_t until_us) noexcept { attempt_until_us_ = until_us; }
  bool IsAttemptOver(int64_t now_us) const noexcept { return now_us >= attempt_until_us_; }
  // Gives it up, and says that nobody has answered.
  Next GiveUpAttempt(int64_t now_us) noexcept;

  // What the search waits for, or if it waits for nothing, what the connection does; and the limits.
  Wants wants(int64_t now_us, const Wants& of_connection) const noexcept;

  // The password to log in with: the password file's, if there is such a file, else the URL's. nullptr, with problem()
  // set, if the file is of no use.
  const char* ReadPassword(const char* of_url, PasswordLine* line) noexcept;

  void Explain(const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));
  // Keeps the problem, which tells more than those of the servers after it will; and uses what was kept last, if
  // anything was in this exchange.
  void KeepProblem() noexcept;
  bool UseKeptProblem() noexcept;
  // Adds to the problem.
  void Append(const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));
  // The last failure of the exchange, or "", with the server's host and port.
  const char* problem() const noexcept { return problem_.text; }
  // The same without host and port, which not every user may see.
  const char* reason() const noexcept { return problem_.text + problem_.reason_at; }

 private:
  Next ConnectOnly(const Address& address, int64_t now_us) noexcept;
  Next ConnectKnown(int64_t now_us) noexcept;

  Resolver& resolver_;
  const std::span<KnownAddress> known_;
  size_t known_next_ = 0;
  StoreAccess access_;
  int host_count_ = 0;
  int host_ = 0;
  int hosts_tried_ = 0;

  wire::Endpoint target_;
  bool is_resolving_ = false;
  bool is_resolved_ = false;  // the resolver has the addresses; otherwise there is only one
  Address only_address_;
  int address_ = 0;
  int first_address_ = 0;  // with which the next attempt begins
  int addresses_tried_ = 0;

  int64_t begun_us_ = 0;
  int64_t until_us_ = 0;
  int64_t attempt_until_us_ = kNever;
  struct Problem {
    char text[512] = {};
    size_t reason_at = 0;
  };
  Problem problem_;
  Problem kept_;
};

}  // namespace idgen::io
