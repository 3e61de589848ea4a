// Attempts at an exchange: which endpoint, when to leave it, and what may be sent again.
#include "io/etcd/curl_link.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/time.h"

namespace idgen::io {
namespace {

using wire::EtcdReply;

// Between two rounds over all endpoints.
constexpr int64_t kFirstPauseUs = 50 * core::kUsPerMs;
constexpr int64_t kMaxPauseUs = 400 * core::kUsPerMs;

bool Says(const EtcdReply& reply, const char* text) noexcept { return strstr(reply.error(), text) != nullptr; }

// etcd's own words. The gateway's may name hosts, or repeat a password.
bool IsOfServer(const EtcdReply& reply) noexcept {
  return strncmp(reply.error(), "etcdserver: ", strlen("etcdserver: ")) == 0;
}

// The token has expired, or the cluster has been told to ask for one.
bool IsAboutLogin(const EtcdReply& reply) noexcept {
  return reply.error_code() == wire::kEtcdUnauthenticated || Says(reply, "revision of auth store is old") ||
         Says(reply, "user name is empty");
}

// etcd has looked at the call and not carried it out. Other errors leave that open.
bool IsRefusal(const EtcdReply& reply) noexcept {
  switch (reply.error_code()) {
    case wire::kEtcdInvalidArgument:
    case wire::kEtcdNotFound:
    case wire::kEtcdAlreadyExists:
    case wire::kEtcdPermissionDenied:
    case wire::kEtcdResourceExhausted:
    case wire::kEtcdFailedPrecondition:
    case wire::kEtcdOutOfRange:
    case wire::kEtcdUnimplemented:
    case wire::kEtcdUnauthenticated: return true;
    default: return false;
  }
}

}  // namespace

void CurlEtcdLink::Configure(const StoreAccess& access) noexcept {
  Close();
  wire::ParseEtcdUrl(access.url, &url_);
  search_.Configure(access, url_.endpoint_count);
}

void CurlEtcdLink::NewExchange() noexcept {
  if (state_ == State::kBusy) Disconnect();
  state_ = State::kIdle;
  for (Call& call : calls_) {
    call.reply.Free();
    call.body.Clear();
  }
  call_count_ = 0;
}

wire::EtcdBody& CurlEtcdLink::AddCall(const char* path, bool is_repeatable) noexcept {
  IDGEN_CHECK(call_count_ < kMaxCalls);
  Call& call = calls_[call_count_++];
  call.path = path;
  call.is_repeatable = is_repeatable;
  call.was_lost = false;
  call.verdict = Verdict::kPending;
  return call.body;
}

void CurlEtcdLink::Begin(int64_t now_us, int64_t until_us) noexcept {
  state_ = State::kBusy;
  search_.Begin(now_us, until_us);
  pause_us_ = kFirstPauseUs;
  is_alive_ = is_another_alive_ = has_renewed_ = may_have_run_ = is_garbled_ = false;
  unreached_ = unreached_before_ = 0;
  for (int i = 0; i < call_count_; ++i) {
    if (calls_[i].body.problem() == nullptr) continue;
    search_.Explain("%s", calls_[i].body.problem());
    return Fail();
  }
  // Some versions of libcurl do not look whether the other side has closed a connection before they use it again.
  if (http_.is_open() && !http_.is_connected()) http_.Disconnect();
  if (!http_.is_open()) return Approach(now_us);
  is_kept_ = true;
  Start(now_us);
}

CurlEtcdLink::State CurlEtcdLink::Step(int64_t now_us) noexcept {
  // An attempt that fails at once is followed by the next one. Each round over the endpoints has a pause.
  uint64_t attempts;
  do {
    if (state_ != State::kBusy) return state_;
    attempts = attempts_;
    switch (stage_) {
      case Stage::kResolving: Proceed(search_.Step(now_us), now_us); break;
      case Stage::kLoggingIn: StepLogin(now_us); break;
      case Stage::kCalling: StepCalls(now_us); break;
      case Stage::kIdle:
      case Stage::kPausing: break;
    }
    if (state_ == State::kBusy) CheckTime(now_us);
  } while (attempts != attempts_);
  return state_;
}

void CurlEtcdLink::Approach(int64_t now_us) noexcept {
  ++attempts_;
  is_kept_ = false;
  Proceed(search_.Approach(url_.endpoints[search_.host()], now_us), now_us);
}

void CurlEtcdLink::Proceed(ServerSearch::Next next, int64_t now_us) noexcept {
  switch (next) {
    case ServerSearch::Next::kWait: stage_ = Stage::kResolving; return;
    case ServerSearch::Next::kConnect: return Connect(now_us);
    case ServerSearch::Next::kNoMore: return NextEndpoint(now_us);
  }
}

void CurlEtcdLink::Connect(int64_t now_us) noexcept {
  const HttpClient::Target there = {.address = search_.address(),
                                    .host = search_.target().host,
                                    .port = search_.target().port,
                                    .is_encrypted = url_.tls,
                                    .files = search_.access().tls};
  if (http_.Open(there)) return Start(now_us);
  search_.Explain("out of memory");
  Fail();
}

void CurlEtcdLink::Start(int64_t now_us) noexcept {
  ++attempts_;
  search_.BeginAttempt(now_us);
  if (*url_.user == '\0') has_token_ = true;
  if (has_token_) return StartCalls(now_us);
  stage_ = Stage::kLoggingIn;
  if (!WriteLogin()) return Fail();
  if (Post(kLogin, now_us)) return;
  search_.Explain("out of memory");
  Fail();
}

bool CurlEtcdLink::WriteLogin() noexcept {
  PasswordLine line;
  const char* password = search_.ReadPassword(url_.password, &line);
  if (password == nullptr) return false;
  Call& call = calls_[kLogin];
  call.path = kEtcdAuthenticate;
  call.is_repeatable = true;
  call.body.Clear();
  call.body.Authenticate(url_.user, password);
  return true;
}

void CurlEtcdLink::StartCalls(int64_t now_us) noexcept {
  stage_ = Stage::kCalling;
  is_sent_ = has_answered_ = false;
  for (int i = 0; i < call_count_; ++i) {
    if (calls_[i].verdict == Verdict::kReplied) continue;
    calls_[i].verdict = Verdict::kPending;
    if (Post(i, now_us)) continue;
    search_.Explain("out of memory");
    return Fail();
  }
}

bool CurlEtcdLink::Post(int index, int64_t now_us) noexcept {
  const Call& call = calls_[index];
  return http_.Post(index, call.path, call.body.text(), call.is_repeatable, now_us);
}

void CurlEtcdLink::StepLogin(int64_t now_us) noexcept {
  http_.Step(now_us);
  const HttpClient::Outcome outcome = http_.outcome(kLogin);
  if (outcome == HttpClient::Outcome::kRunning) return;
  is_garbled_ = outcome == HttpClient::Outcome::kGarbled;
  if (outcome != HttpClient::Outcome::kReplied) {
    search_.Explain("%s", http_.text());
    return Proceed(search_.NextAddress(now_us), now_us);
  }
  EtcdReply& reply = calls_[kLogin].reply;
  if (!reply.Parse(http_.status(kLogin), http_.body(kLogin))) {
    // Not shown, since it may repeat the password.
    search_.Explain("unexpected reply to the log-in (HTTP status %d)", http_.status(kLogin));
    is_garbled_ = is_alive_ = true;
    return NextEndpoint(now_us);
  }
  const bool is_needless = Says(reply, "authentication is not enabled");
  if (reply.error_code() == wire::kEtcdOk || is_needless) {
    has_token_ = is_needless || (!reply.auth_token().empty() && http_.Authorize(reply.auth_token()));
    reply.Free();
    if (has_token_) {
      ++attempts_;
      search_.BeginAttempt(now_us);
      return StartCalls(now_us);
    }
    search_.Explain("the log-in returned no token");
    is_garbled_ = true;
    return Fail();
  }
  search_.Explain("log-in failed: %s", IsOfServer(reply) ? reply.error() : "unknown error");
  if (IsRefusal(reply)) return Fail();
  is_alive_ = true;
  NextEndpoint(now_us);
}

void CurlEtcdLink::StepCalls(int64_t now_us) noexcept {
  http_.Step(now_us);
  bool all_ended = true, all_sent = true;
  for (int i = 0; i < call_count_; ++i) {
    Call* call = &calls_[i];
    if (call->verdict != Verdict::kPending) continue;
    if (http_.outcome(i) == HttpClient::Outcome::kRunning) {
      all_ended = false;
      all_sent = all_sent && http_.is_sent(i);
      continue;
    }
    Judge(call, i);
    if (call->verdict == Verdict::kLost && !call->is_repeatable) return Fail();
  }
  if (all_ended) return EndAttempt(now_us);
  if (is_sent_ || !all_sent) return;
  is_sent_ = true;
  // An endpoint that stays silent has its share of the time, if the others could do what this one was asked.
  search_.LimitAttempt(now_us + (search_.until_us() - now_us) / std::max(search_.hosts_left(), 1));
}

void CurlEtcdLink::Judge(Call* call, int index) noexcept {
  const HttpClient::Outcome outcome = http_.outcome(index);
  const bool was_sent = http_.is_sent(index);
  is_garbled_ = outcome == HttpClient::Outcome::kGarbled;
  call->verdict = was_sent ? Verdict::kLost : Verdict::kNotRun;
  if (outcome != HttpClient::Outcome::kReplied) {
    search_.Explain("%s", http_.text());
  } else if (!call->reply.Parse(http_.status(index), http_.body(index))) {
    // Its text may name hosts, which not every user may see.
    search_.Explain("unexpected reply (HTTP status %d)", http_.status(index));
    is_garbled_ = true;
  } else {
    has_answered_ = true;
    const EtcdReply& reply = call->reply;
    if (IsAboutLogin(reply))
      call->verdict = Verdict::kNotLoggedIn;
    else if (reply.error_code() == wire::kEtcdOk || IsRefusal(reply))
      call->verdict = Verdict::kReplied;
    else if (Says(reply, "no leader"))
      call->verdict = Verdict::kNotRun;
    if (call->verdict != Verdict::kReplied) ExplainError(reply);
  }
  if (call->verdict == Verdict::kLost) call->was_lost = true;
}

// No call of the attempt is under way any more, and what was lost may be repeated.
void CurlEtcdLink::EndAttempt(int64_t now_us) noexcept {
  bool all_replied = true, needs_login = false;
  for (int i = 0; i < call_count_; ++i) {
    all_replied = all_replied && calls_[i].verdict == Verdict::kReplied;
    needs_login = needs_login || calls_[i].verdict == Verdict::kNotLoggedIn;
    is_alive_ = is_alive_ || calls_[i].verdict == Verdict::kLost;
  }
  if (all_replied) {
    if (!is_kept_) search_.Remember();
    state_ = State::kDone;
    stage_ = Stage::kIdle;
    return;
  }
  if (needs_login) {
    if (*url_.user == '\0')
      search_.Explain("etcd requires a user and a password: set them in \"%s\"", search_.access().url_setting);
    if (has_renewed_ || *url_.user == '\0' || !http_.Authorize({})) return Fail();
    has_renewed_ = true;
    has_token_ = false;
    return Start(now_us);
  }
  if (has_answered_) {
    is_alive_ = true;
    return NextEndpoint(now_us);
  }
  if (!is_kept_) return Proceed(search_.NextAddress(now_us), now_us);
  // What was kept from the last exchange is of no use any more.
  Disconnect();
  Approach(now_us);
}

// A call that must not be repeated is on its way.
bool CurlEtcdLink::IsWaitingForUnrepeatable() const noexcept {
  for (int i = 0; i < call_count_ && stage_ == Stage::kCalling; ++i)
    if (calls_[i].verdict == Verdict::kPending && !calls_[i].is_repeatable && http_.is_sent(i)) return true;
  return false;
}

void CurlEtcdLink::CheckTime(int64_t now_us) noexcept {
  // Logging in is a request to the whole cluster, too.
  const bool is_login_sent = stage_ == Stage::kLoggingIn && http_.is_sent(kLogin);
  const bool are_calls_sent = stage_ == Stage::kCalling && is_sent_;
  if (search_.IsOver(now_us, is_login_sent || are_calls_sent)) {
    is_alive_ = is_alive_ || is_login_sent || are_calls_sent;
    return FailEverywhere();
  }
  if (!search_.IsAttemptOver(now_us)) return;
  if (stage_ == Stage::kPausing) return Approach(now_us);
  if (IsWaitingForUnrepeatable()) return search_.LimitAttempt(search_.until_us());
  is_alive_ = is_alive_ || is_login_sent;
  for (int i = 0; i < call_count_ && stage_ == Stage::kCalling; ++i) {
    if (calls_[i].verdict != Verdict::kPending || !http_.is_sent(i)) continue;
    calls_[i].was_lost = true;
    is_alive_ = true;
  }
  if (!are_calls_sent) return Proceed(search_.GiveUpAttempt(now_us), now_us);
  search_.Explain("no answer within %.3f s", static_cast<double>(now_us - search_.begun_us()) / 1e6);
  NextEndpoint(now_us);
}

// Tries the next endpoint, until each has had its turn. Another round makes sense only if one of them is alive.
void CurlEtcdLink::NextEndpoint(int64_t now_us) noexcept {
  Disconnect();
  if (is_alive_)
    search_.KeepProblem();
  else
    ++unreached_;
  is_another_alive_ = is_another_alive_ || is_alive_;
  is_alive_ = false;
  if (search_.NextHost()) return Approach(now_us);
  // A round that begins just before the time is up would only leave it open whether a call was carried out.
  if (!is_another_alive_ || now_us + pause_us_ >= search_.until_us()) return FailEverywhere();
  is_another_alive_ = false;
  unreached_before_ = unreached_;
  unreached_ = 0;
  search_.SkipHost();
  search_.BeginRound();
  stage_ = Stage::kPausing;
  search_.LimitAttempt(now_us + pause_us_);
  pause_us_ = std::min(2 * pause_us_, kMaxPauseUs);
}

void CurlEtcdLink::Fail() noexcept {
  for (int i = 0; i < call_count_; ++i) {
    const Call& call = calls_[i];
    const bool is_under_way = stage_ == Stage::kCalling && call.verdict == Verdict::kPending && http_.is_sent(i);
    if (call.was_lost || is_under_way) may_have_run_ = true;
  }
  Disconnect();
  // Nothing says that this endpoint will do better next time.
  search_.SkipHost();
  state_ = State::kFailed;
}

// No endpoint has done what it was asked. A cluster without quorum has members that are down and members that take
// calls and stay silent: these say more.
void CurlEtcdLink::FailEverywhere() noexcept {
  const int unreached = std::max(unreached_, unreached_before_);
  if ((is_alive_ || search_.UseKeptProblem()) && unreached > 0)
    search_.Append("; %d of %d endpoints could not be reached%s", unreached, url_.endpoint_count,
                   2 * unreached >= url_.endpoint_count ? ", so that etcd may have no quorum" : "");
  Fail();
}

void CurlEtcdLink::ExplainError(const EtcdReply& reply) noexcept {
  if (IsOfServer(reply))
    search_.Explain("%s", reply.error());
  else
    search_.Explain("the gateway of etcd reports an error (gRPC code %d)", reply.error_code());
}

bool CurlEtcdLink::is_connected() noexcept {
  if (state_ == State::kBusy || !http_.is_open()) return false;
  if (http_.is_connected()) return true;
  http_.Disconnect();
  return false;
}

Wants CurlEtcdLink::wants(int64_t now_us) const noexcept {
  if (state_ != State::kBusy) return {};
  return search_.wants(now_us, stage_ == Stage::kPausing ? Wants() : http_.wants(now_us));
}

void CurlEtcdLink::Disconnect() noexcept {
  http_.Disconnect();
  search_.Cancel();
  stage_ = Stage::kIdle;
}

void CurlEtcdLink::Close() noexcept {
  Disconnect();
  http_.Close();
  for (Call& call : calls_) {
    call.reply.Free();
    call.body.Free();
  }
  call_count_ = 0;
  has_token_ = false;
  state_ = State::kIdle;
}

}  // namespace idgen::io
