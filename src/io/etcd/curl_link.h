// The link to a real etcd: finds an endpoint that answers, logs in, and decides which calls may be sent again. It
// leaves HTTP to HttpClient.
#pragma once

#include "io/etcd/http_client.h"
#include "io/etcd/link.h"
#include "io/server_search.h"
#include "wire/etcd_url.h"

namespace idgen::io {

class CurlEtcdLink final : public EtcdLink {
 public:
  explicit CurlEtcdLink(Resolver& resolver) noexcept : search_(resolver, known_) {}
  CurlEtcdLink(const CurlEtcdLink&) = delete;
  CurlEtcdLink& operator=(const CurlEtcdLink&) = delete;

  // Whether this build has etcd as a store.
  static bool Built() noexcept { return HttpClient::Built(); }

  void Configure(const StoreAccess& access) noexcept override;
  std::string_view key_prefix() const noexcept override { return url_.prefix; }
  void NewExchange() noexcept override;
  wire::EtcdBody& AddCall(const char* path, bool is_repeatable) noexcept override;
  void Begin(int64_t now_us, int64_t until_us) noexcept override;
  State Step(int64_t now_us) noexcept override;
  const wire::EtcdReply& reply(int index) const noexcept override { return calls_[index].reply; }
  int64_t store_now_ms() const noexcept override { return http_.date_ms(); }
  bool may_have_run() const noexcept override { return may_have_run_; }
  bool is_garbled() const noexcept override { return is_garbled_; }
  uint64_t connection() const noexcept override { return http_.connection(); }
  bool is_connected() noexcept override;
  bool is_exchanging() const noexcept override { return state_ == State::kBusy && stage_ == Stage::kCalling; }
  Wants wants(int64_t now_us) const noexcept override;
  const char* problem() const noexcept override { return search_.problem(); }
  const char* reason() const noexcept override { return search_.reason(); }
  void Close() noexcept override;

 private:
  enum class Stage : uint8_t { kIdle, kResolving, kLoggingIn, kCalling, kPausing };
  // What became of one attempt at a call.
  enum class Verdict : uint8_t {
    kPending,
    kReplied,
    kNotRun,       // it did not reach an etcd that could carry it out
    kNotLoggedIn,  // it needs a new token first
    kLost,         // it may have been carried out
  };
  struct Call {
    const char* path = "";
    bool is_repeatable = false;
    bool was_lost = false;  // in some attempt of the exchange
    Verdict verdict = Verdict::kPending;
    wire::EtcdBody body;
    wire::EtcdReply reply;
  };
  static constexpr int kLogin = kMaxCalls;  // the index of the link's own call
  static_assert(kLogin < HttpClient::kMaxRequests);

  void Approach(int64_t now_us) noexcept;
  void Proceed(ServerSearch::Next next, int64_t now_us) noexcept;
  void Connect(int64_t now_us) noexcept;
  void Start(int64_t now_us) noexcept;
  bool WriteLogin() noexcept;
  void StartCalls(int64_t now_us) noexcept;
  bool Post(int index, int64_t now_us) noexcept;
  void StepLogin(int64_t now_us) noexcept;
  void StepCalls(int64_t now_us) noexcept;
  void Judge(Call* call, int index) noexcept;
  void EndAttempt(int64_t now_us) noexcept;
  void CheckTime(int64_t now_us) noexcept;
  bool IsWaitingForUnrepeatable() const noexcept;
  void NextEndpoint(int64_t now_us) noexcept;
  void FailEverywhere() noexcept;
  void Fail() noexcept;
  void Disconnect() noexcept;
  void ExplainError(const wire::EtcdReply& reply) noexcept;

  ServerSearch::KnownAddress known_[wire::kMaxEndpoints];
  ServerSearch search_;
  HttpClient http_;
  wire::EtcdUrl url_;
  State state_ = State::kIdle;
  Stage stage_ = Stage::kIdle;
  Call calls_[kMaxCalls + 1];
  int call_count_ = 0;

  bool is_kept_ = false;       // the attempt uses a connection of an earlier exchange
  bool is_sent_ = false;       // every call of the attempt was sent
  bool has_answered_ = false;  // the endpoint has replied to a call of the attempt, if only by an error
  // An endpoint is alive if it has answered or may have received a call.
  bool is_alive_ = false;          // the current one
  bool is_another_alive_ = false;  // one before it in this round
  int unreached_ = 0;              // how many are not, in this round
  int unreached_before_ = 0;       // in the previous round
  bool has_token_ = false;         // the link has logged in, or has no user
  bool has_renewed_ = false;       // the exchange has replaced the token once
  bool may_have_run_ = false;
  bool is_garbled_ = false;
  uint64_t attempts_ = 0;
  int64_t pause_us_ = 0;
};

}  // namespace idgen::io
