// Driving libcurl's multi interface by its sockets and its timer.
#include "io/etcd/http_client.h"

#ifdef IDGEN_ETCD

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#ifdef IDGEN_TLS
#include <openssl/x509.h>
#endif
#include <strings.h>

#include "core/identity.h"
#include "core/time.h"

namespace idgen::io {
namespace {

constexpr size_t kKeptBytes = 64 * 1024;  // of a buffer for replies

CURLM* MultiOf(void* multi) noexcept { return static_cast<CURLM*>(multi); }
CURL* EasyOf(void* easy) noexcept { return static_cast<CURL*>(easy); }
curl_slist* ListOf(void* list) noexcept { return static_cast<curl_slist*>(list); }

// Adds to a list, which may be null. False, with the list freed, if there is no memory.
bool Append(void** list, const char* line) noexcept {
  curl_slist* longer = curl_slist_append(ListOf(*list), line);
  if (longer == nullptr) curl_slist_free_all(ListOf(*list));
  *list = longer;
  return longer != nullptr;
}

void FreeList(void** list) noexcept {
  curl_slist_free_all(ListOf(*list));
  *list = nullptr;
}

// Of OpenSSL's result of a verification.
const char* ReasonOf([[maybe_unused]] long verified) noexcept {
#ifdef IDGEN_TLS
  return X509_verify_cert_error_string(verified);
#else
  return "verification failed";
#endif
}

template <class Value>
bool Set(CURL* easy, CURLoption option, Value value) noexcept {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool SetTls(CURL* easy, const TlsFiles& files) noexcept {
  bool ok = Set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
            Set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && Set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  // These authorities and no others: libcurl may have a directory with the system's, and would trust those as well.
  if (*files.ca.path != '\0')
    ok = ok && Set(easy, CURLOPT_CAINFO, files.ca.path) && Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  if (*files.certificate.path != '\0')
    ok = ok && Set(easy, CURLOPT_SSLCERT, files.certificate.path) && Set(easy, CURLOPT_SSLKEY, files.key.path) &&
         Set(easy, CURLOPT_KEYPASSWD, "");  // a key with a password would be asked for at the terminal
  return ok;
}

}  // namespace

bool HttpClient::Built() noexcept { return true; }

bool HttpClient::Open(const Target& target) noexcept {
  Disconnect();
  // The counts of libcurl's users in a process are its own: others in this backend may use it, too.
  static bool is_initialised = false;
  if (!is_initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return false;
  is_initialised = true;

  target_ = target;
  char numeric[NI_MAXHOST];
  if (getnameinfo(reinterpret_cast<const struct sockaddr*>(&target.address.storage), target.address.size, numeric,
                  sizeof numeric, nullptr, 0, NI_NUMERICHOST) != 0)
    return false;
  numeric[strcspn(numeric, "%")] = '\0';  // OpenSocket adds the scope
  char connect_to[NI_MAXHOST + 16];
  snprintf(connect_to, sizeof connect_to, target.address.storage.ss_family == AF_INET6 ? "::[%s]:%u" : "::%s:%u",
           numeric, static_cast<unsigned>(target.port));
  const bool in_brackets = strchr(target.host, ':') != nullptr;
  snprintf(origin_, sizeof origin_, "http%s://%s%.*s%s:%u", target.is_encrypted ? "s" : "", in_brackets ? "[" : "",
           static_cast<int>(strcspn(target.host, "%")), target.host, in_brackets ? "]" : "",
           static_cast<unsigned>(target.port));

  CURLM* multi = curl_multi_init();
  multi_ = multi;
  if (multi == nullptr || !Append(&connect_to_, connect_to) || (headers_ == nullptr && !Authorize({}))) return false;
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(kMaxRequests));
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(
      multi, CURLMOPT_SOCKETFUNCTION, +[](CURL*, curl_socket_t fd, int what, void* self, void*) -> int {
        HttpSockets& sockets = static_cast<HttpClient*>(self)->sockets_;
        if (what == CURL_POLL_REMOVE)
          sockets.Unwatch(fd);
        else
          sockets.Watch(fd, what == CURL_POLL_IN || what == CURL_POLL_INOUT,
                        what == CURL_POLL_OUT || what == CURL_POLL_INOUT);
        return 0;
      });
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(
      multi, CURLMOPT_TIMERFUNCTION, +[](CURLM*, long timeout_ms, void* self) -> int {
        auto* client = static_cast<HttpClient*>(self);
        client->timer_us_ = timeout_ms < 0 ? kNever : client->now_us_ + timeout_ms * core::kUsPerMs;
        return 0;
      });
  return true;
}

bool HttpClient::Authorize(std::string_view token) noexcept {
  constexpr size_t kMaxTokenBytes = 8 * 1024;
  FreeList(&headers_);
  // Without the empty header libcurl may wait for a "100 Continue" before it sends the body.
  if (!Append(&headers_, "Content-Type: application/json") || !Append(&headers_, "Expect:")) return false;
  if (token.empty()) return true;
  if (token.size() > kMaxTokenBytes) return false;
  for (const char c : token)
    if (c <= ' ' || c >= 127) return false;
  constexpr std::string_view kName = "Authorization: ";
  char* line = static_cast<char*>(malloc(kName.size() + token.size() + 1));
  if (line == nullptr) return false;
  memcpy(line, kName.data(), kName.size());
  memcpy(line + kName.size(), token.data(), token.size());
  line[kName.size() + token.size()] = '\0';
  const bool added = Append(&headers_, line);
  free(line);
  return added;
}

// What all requests have in common.
bool HttpClient::MakeEasy(Request* request) noexcept {
  CURL* easy = curl_easy_init();
  request->easy = easy;
  if (easy == nullptr) return false;
  request->client = this;
  using Read = size_t (*)(char*, size_t, size_t, void*);
  const Read send = [](char* to, size_t size, size_t count, void* of) -> size_t {
    auto* self = static_cast<Request*>(of);
    const size_t taken = std::min(size * count, self->body.size() - self->taken);
    memcpy(to, self->body.data() + self->taken, taken);
    self->taken += taken;
    if (self->taken == self->body.size()) self->is_sent = true;
    return taken;
  };
  // libcurl repeats a request by itself if a connection that it has kept turns out to be dead.
  const auto rewind = +[](void* of, curl_off_t offset, int origin) -> int {
    auto* self = static_cast<Request*>(of);
    if (!self->is_repeatable || offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_FAIL;
    self->taken = 0;
    return CURL_SEEKFUNC_OK;
  };
  const Read receive = [](char* bytes, size_t size, size_t count, void* of) -> size_t {
    auto* self = static_cast<Request*>(of);
    return self->client->Receive(self, {bytes, size * count}) ? size * count : 0;
  };
  const Read header = [](char* bytes, size_t size, size_t count, void* of) -> size_t {
    static_cast<Request*>(of)->client->ReadHeader({bytes, size * count});
    return size * count;
  };
  const auto open = +[](void* self, curlsocktype, struct curl_sockaddr* address) -> curl_socket_t {
    return static_cast<HttpClient*>(self)->OpenSocket(address->family, address->socktype, address->protocol,
                                                      &address->addr);
  };
  const auto close = +[](void* self, curl_socket_t fd) -> int {
    static_cast<HttpClient*>(self)->sockets_.Close(fd);
    return 0;
  };
  const bool ok =
      Set(easy, CURLOPT_NOSIGNAL, 1L) && Set(easy, CURLOPT_PRIVATE, request) && Set(easy, CURLOPT_POST, 1L) &&
      Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) && Set(easy, CURLOPT_PROXY, "") &&
      Set(easy, CURLOPT_NOPROXY, "*") && Set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
      Set(easy, CURLOPT_CONNECT_TO, connect_to_) && Set(easy, CURLOPT_ERRORBUFFER, request->error) &&
      Set(easy, CURLOPT_READFUNCTION, send) && Set(easy, CURLOPT_READDATA, request) &&
      Set(easy, CURLOPT_SEEKFUNCTION, rewind) && Set(easy, CURLOPT_SEEKDATA, request) &&
      Set(easy, CURLOPT_WRITEFUNCTION, receive) && Set(easy, CURLOPT_WRITEDATA, request) &&
      Set(easy, CURLOPT_HEADERFUNCTION, header) && Set(easy, CURLOPT_HEADERDATA, request) &&
      Set(easy, CURLOPT_OPENSOCKETFUNCTION, open) && Set(easy, CURLOPT_OPENSOCKETDATA, this) &&
      Set(easy, CURLOPT_CLOSESOCKETFUNCTION, close) && Set(easy, CURLOPT_CLOSESOCKETDATA, this);
  return ok && (!target_.is_encrypted || SetTls(easy, target_.files));
}

bool HttpClient::Post(int index, const char* path, std::string_view body, bool is_repeatable, int64_t now_us) noexcept {
  Request* request = &requests_[index];
  now_us_ = now_us;
  if (request->easy == nullptr && !MakeEasy(request)) return false;
  if (request->received_capacity > kKeptBytes) {
    free(request->received);
    request->received = nullptr;
    request->received_capacity = 0;
  }
  request->received_size = 0;
  request->body = body;
  request->taken = 0;
  request->is_repeatable = is_repeatable;
  request->is_sent = request->is_too_large = false;
  request->error[0] = '\0';
  request->outcome = Outcome::kNone;
  char url[sizeof origin_ + 64];
  snprintf(url, sizeof url, "%s%s", origin_, path);
  CURL* easy = EasyOf(request->easy);
  if (!Set(easy, CURLOPT_URL, url) || !Set(easy, CURLOPT_HTTPHEADER, headers_) ||
      !Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size())))
    return false;
  if (curl_multi_add_handle(MultiOf(multi_), easy) != CURLM_OK) return false;
  sockets_.Cork();
  request->outcome = Outcome::kRunning;
  return true;
}

void HttpClient::Step(int64_t now_us) noexcept {
  if (multi_ == nullptr) return;
  now_us_ = now_us;
  PollSockets();
  // A timer that is due at once goes on with what has just been begun.
  constexpr int kEnough = 16;
  for (int i = 0; i < kEnough && timer_us_ <= now_us; ++i) {
    timer_us_ = kNever;
    int running;
    curl_multi_socket_action(MultiOf(multi_), CURL_SOCKET_TIMEOUT, 0, &running);
  }
  if (std::none_of(std::begin(requests_), std::end(requests_),
                   [](const Request& request) { return request.outcome == Outcome::kRunning && !request.is_sent; }))
    sockets_.Uncork();
  CollectFinished();
  const int fd = sockets_.WaitFd();
  if (fd >= 0 && fd != last_wait_fd_) {
    last_wait_fd_ = fd;
    ++connections_;
  }
}

void HttpClient::PollSockets() noexcept {
  HttpSockets::Event events[HttpSockets::kMax];
  const int count = sockets_.Poll(events);
  for (int i = 0; i < count; ++i) {
    const HttpSockets::Event& event = events[i];
    // What happened on an earlier one may have ended this one.
    if (!sockets_.IsWatched(event.fd)) continue;
    int running;
    curl_multi_socket_action(MultiOf(multi_), event.fd,
                             (event.read ? CURL_CSELECT_IN : 0) | (event.write ? CURL_CSELECT_OUT : 0) |
                                 (event.error ? CURL_CSELECT_ERR : 0),
                             &running);
  }
}

void HttpClient::CollectFinished() noexcept {
  int left;
  while (CURLMsg* message = curl_multi_info_read(MultiOf(multi_), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    Request* request = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    curl_multi_remove_handle(MultiOf(multi_), easy);
    Finish(request, code);
  }
}

void HttpClient::Finish(Request* request, int code) noexcept {
  request->outcome = Outcome::kReplied;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(EasyOf(request->easy), CURLINFO_RESPONSE_CODE, &status);
    request->status = static_cast<int>(status);
    return;
  }
  const bool is_garbled = request->is_too_large || code == CURLE_WEIRD_SERVER_REPLY ||
                          code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_BAD_CONTENT_ENCODING;
  request->outcome = is_garbled ? Outcome::kGarbled : Outcome::kFailed;
  Explain(*request, code);
}

// libcurl's own texts have host, port and paths in them.
void HttpClient::Explain(const Request& request, int code) noexcept {
  const TlsFiles& files = target_.files;
  const auto say = [this](const char* format, const char* first = "", const char* second = "") {
    snprintf(text_, sizeof text_, format, first, second);
  };
  long error = 0;
  curl_easy_getinfo(EasyOf(request.easy), CURLINFO_OS_ERRNO, &error);
  switch (code) {
    case CURLE_OUT_OF_MEMORY: return say("out of memory");
    case CURLE_SSL_CACERT_BADFILE: return say("could not load the TLS authorities (\"%s\")", files.ca.setting);
    case CURLE_SSL_CERTPROBLEM:
      return say("could not load the TLS certificate (\"%s\") or its key (\"%s\")", files.certificate.setting,
                 files.key.setting);
    case CURLE_PEER_FAILED_VERIFICATION: {
      long verified = 0;  // 1 is what libcurl begins with
      curl_easy_getinfo(EasyOf(request.easy), CURLINFO_SSL_VERIFYRESULT, &verified);
      return say("the TLS certificate is not trusted: %s", verified <= 1 ? "hostname mismatch" : ReasonOf(verified));
    }
    case CURLE_WRITE_ERROR: return say(request.is_too_large ? "the reply is larger than 4 MiB" : "out of memory");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return say("the server does not speak HTTP");
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND: return say("the connection was closed by the other side");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // OpenSSL's reason is after the last colon of "error:0A000152:SSL routines::...".
      if (const char* reason = strstr(request.error, "SSL routines:"); reason != nullptr) {
        char text[kErrorBytes];
        reason = strrchr(reason, ':') + 1;
        snprintf(text, sizeof text, "%.*s", static_cast<int>(strcspn(reason, ",")), reason);
        return say("TLS: %s", text);
      }
      if (error == 0)
        return say(code == CURLE_SSL_CONNECT_ERROR ? "the TLS handshake failed"
                                                   : "the connection was closed by the other side");
      [[fallthrough]];
    case CURLE_COULDNT_CONNECT:
      if (error != 0) return say("%s", strerror(static_cast<int>(error)));
      return say("could not connect");
    default: return say("%s", curl_easy_strerror(static_cast<CURLcode>(code)));
  }
}

bool HttpClient::Receive(Request* request, std::string_view bytes) noexcept {
  const size_t size = request->received_size + bytes.size();
  if (size > kMaxReplyBytes) {
    request->is_too_large = true;
    return false;
  }
  if (size > request->received_capacity) {
    constexpr size_t kFirst = 4096;
    const size_t capacity = std::max({kFirst, request->received_capacity * 2, size});
    char* longer = static_cast<char*>(realloc(request->received, capacity));
    if (longer == nullptr) return false;
    request->received = longer;
    request->received_capacity = capacity;
  }
  if (!bytes.empty()) memcpy(request->received + request->received_size, bytes.data(), bytes.size());
  request->received_size = size;
  return true;
}

void HttpClient::ReadHeader(std::string_view line) noexcept {
  constexpr std::string_view kName = "Date:";
  char date[64];
  if (line.size() <= kName.size() || strncasecmp(line.data(), kName.data(), kName.size()) != 0) return;
  line.remove_prefix(kName.size());
  snprintf(date, sizeof date, "%.*s", static_cast<int>(std::min(line.size(), sizeof date - 1)), line.data());
  // A year that no ceiling can have would overflow in microseconds.
  constexpr int64_t kMaxSeconds = core::kMaxCeilingMs / core::kMsPerSecond;
  const int64_t seconds = curl_getdate(date, nullptr);
  date_ms_ = seconds > 0 && seconds <= kMaxSeconds ? seconds * core::kMsPerSecond : 0;
}

int HttpClient::OpenSocket(int family, int type, int protocol, void* address) noexcept {
  if (family != target_.address.storage.ss_family) return -1;
  if (family == AF_INET6)
    static_cast<struct sockaddr_in6*>(address)->sin6_scope_id =
        reinterpret_cast<const struct sockaddr_in6&>(target_.address.storage).sin6_scope_id;
  const int fd = sockets_.Open(family, type, protocol);
  if (fd >= 0) ++connections_;
  return fd;
}

Wants HttpClient::wants(int64_t now_us) const noexcept {
  Wants wants = sockets_.wants(now_us);
  wants.wake_boot_us = std::min(wants.wake_boot_us, timer_us_);
  return wants;
}

void HttpClient::Disconnect() noexcept {
  for (Request& request : requests_) {
    if (request.outcome == Outcome::kRunning) curl_multi_remove_handle(MultiOf(multi_), EasyOf(request.easy));
    if (request.easy != nullptr) curl_easy_cleanup(EasyOf(request.easy));
    free(request.received);
    request = Request();
  }
  if (multi_ != nullptr) curl_multi_cleanup(MultiOf(multi_));
  multi_ = nullptr;
  FreeList(&connect_to_);
  sockets_.Reset();
  last_wait_fd_ = -1;
  timer_us_ = kNever;
}

void HttpClient::Close() noexcept {
  Disconnect();
  FreeList(&headers_);
}

}  // namespace idgen::io

#else

namespace idgen::io {

bool HttpClient::Built() noexcept { return false; }
bool HttpClient::Open(const Target&) noexcept { return false; }
bool HttpClient::Authorize(std::string_view) noexcept { return false; }
bool HttpClient::Post(int, const char*, std::string_view, bool, int64_t) noexcept { return false; }
void HttpClient::Step(int64_t) noexcept {}
Wants HttpClient::wants(int64_t) const noexcept { return {}; }
void HttpClient::Disconnect() noexcept {}
void HttpClient::Close() noexcept {}

}  // namespace idgen::io

#endif
