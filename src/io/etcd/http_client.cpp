// Driving libcurl's multi interface by its sockets and its timer.
#include "io/etcd/http_client.h"

#ifdef IDGEN_ETCD

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#ifdef IDGEN_TLS
#include <openssl/x509.h>
#endif
#include <poll.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

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
        static_cast<HttpClient*>(self)->Watch(fd, what != CURL_POLL_REMOVE,
                                              what == CURL_POLL_IN || what == CURL_POLL_INOUT,
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
    static_cast<HttpClient*>(self)->CloseSocket(fd);
    return 0;
  };
  bool ok = Set(easy, CURLOPT_NOSIGNAL, 1L) && Set(easy, CURLOPT_PRIVATE, request) && Set(easy, CURLOPT_POST, 1L) &&
            Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) && Set(easy, CURLOPT_PROXY, "") &&
            Set(easy, CURLOPT_NOPROXY, "*") && Set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
            Set(easy, CURLOPT_CONNECT_TO, connect_to_) && Set(easy, CURLOPT_ERRORBUFFER, request->error) &&
            Set(easy, CURLOPT_READFUNCTION, send) && Set(easy, CURLOPT_READDATA, request) &&
            Set(easy, CURLOPT_SEEKFUNCTION, rewind) && Set(easy, CURLOPT_SEEKDATA, request) &&
            Set(easy, CURLOPT_WRITEFUNCTION, receive) && Set(easy, CURLOPT_WRITEDATA, request) &&
            Set(easy, CURLOPT_HEADERFUNCTION, header) && Set(easy, CURLOPT_HEADERDATA, request) &&
            Set(easy, CURLOPT_OPENSOCKETFUNCTION, open) && Set(easy, CURLOPT_OPENSOCKETDATA, this) &&
            Set(easy, CURLOPT_CLOSESOCKETFUNCTION, close) && Set(easy, CURLOPT_CLOSESOCKETDATA, this);
  if (!target_.is_encrypted) return ok;
  const TlsFiles& files = target_.files;
  ok = ok && Set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
       Set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && Set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  // These authorities and no others: libcurl may have a directory with the system's, and would trust those as well.
  if (*files.ca.path != '\0')
    ok = ok && Set(easy, CURLOPT_CAINFO, files.ca.path) && Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  if (*files.certificate.path != '\0')
    ok = ok && Set(easy, CURLOPT_SSLCERT, files.certificate.path) && Set(easy, CURLOPT_SSLKEY, files.key.path) &&
         Set(easy, CURLOPT_KEYPASSWD, "");  // a key with a password would be asked for at the terminal
  return ok;
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
  Cork();
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
  Uncork();
  CollectFinished();
  const int fd = WaitFd();
  if (fd >= 0 && fd != last_wait_fd_) {
    last_wait_fd_ = fd;
    ++connections_;
  }
}

// libcurl sends a body that it reads by a callback after the header, on its own. Each packet wakes etcd, so the kernel
// is told to hold the header back until the body is there: a value takes a tenth less time. Connections that are being
// made are left alone, since a TLS handshake must not be held back.
void HttpClient::Cork() noexcept {
#ifdef TCP_CORK
  for (Watched& socket : sockets_) {
    if (socket.fd < 0 || socket.is_watched || socket.is_corked) continue;
    const int on = 1;
    socket.is_corked = setsockopt(socket.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
  }
#endif
}

void HttpClient::Uncork() noexcept {
#ifdef TCP_CORK
  for (const Request& request : requests_)
    if (request.outcome == Outcome::kRunning && !request.is_sent) return;
  for (Watched& socket : sockets_) {
    if (!socket.is_corked) continue;
    const int off = 0;
    setsockopt(socket.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    socket.is_corked = false;
  }
#endif
}

void HttpClient::PollSockets() noexcept {
  struct pollfd polled[kMaxSockets];
  nfds_t count = 0;
  for (const Watched& socket : sockets_)
    if (socket.is_watched && (socket.read || socket.write))
      polled[count++] = {.fd = socket.fd,
                         .events = static_cast<short>((socket.read ? POLLIN : 0) | (socket.write ? POLLOUT : 0)),
                         .revents = 0};
  if (count == 0 || poll(polled, count, 0) <= 0) return;
  for (nfds_t i = 0; i < count; ++i) {
    const short got = polled[i].revents;
    const bool is_watched = std::any_of(std::begin(sockets_), std::end(sockets_), [&](const Watched& socket) {
      return socket.fd == polled[i].fd && socket.is_watched;
    });
    if (got == 0 || !is_watched) continue;
    int running;
    curl_multi_socket_action(MultiOf(multi_), polled[i].fd,
                             ((got & POLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                                 ((got & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                                 ((got & (POLLERR | POLLHUP)) != 0 ? CURL_CSELECT_ERR : 0),
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
  Watched* room = nullptr;
  for (Watched& socket : sockets_)
    if (socket.fd < 0) room = &socket;
  if (room == nullptr || family != target_.address.storage.ss_family) return -1;
  if (family == AF_INET6)
    static_cast<struct sockaddr_in6*>(address)->sin6_scope_id =
        reinterpret_cast<const struct sockaddr_in6&>(target_.address.storage).sin6_scope_id;
  const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -1;
  *room = {.fd = fd};
  ++connections_;
  return fd;
}

void HttpClient::CloseSocket(int fd) noexcept {
  for (Watched& socket : sockets_)
    if (socket.fd == fd) socket = Watched();
  close(fd);
}

void HttpClient::Watch(int fd, bool is_watched, bool read, bool write) noexcept {
  int watched = 0;
  for (Watched& socket : sockets_) {
    if (socket.fd != fd) {
      if (socket.is_watched) ++watched;
      continue;
    }
    const bool was_watched = socket.is_watched;
    socket = {.fd = fd, .is_watched = is_watched, .read = read, .write = write, .is_corked = socket.is_corked};
    if (epoll_fd_ < 0) continue;
    struct epoll_event event = {};
    event.events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u);
    event.data.fd = fd;
    epoll_ctl(epoll_fd_, !is_watched ? EPOLL_CTL_DEL : was_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  }
  if (is_watched && watched > 0) UseEpoll();
}

void HttpClient::UseEpoll() noexcept {
  if (epoll_fd_ >= 0) return;
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  for (const Watched& socket : sockets_) {
    if (epoll_fd_ < 0 || !socket.is_watched) continue;
    struct epoll_event event = {};
    event.events = (socket.read ? EPOLLIN : 0u) | (socket.write ? EPOLLOUT : 0u);
    event.data.fd = socket.fd;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, socket.fd, &event);
  }
}

int HttpClient::WaitFd() const noexcept {
  if (epoll_fd_ >= 0) return epoll_fd_;
  for (const Watched& socket : sockets_)
    if (socket.is_watched) return socket.fd;
  return -1;
}

Wants HttpClient::wants(int64_t now_us) const noexcept {
  constexpr int64_t kLookAgainUs = 5 * core::kUsPerMs;  // if there is no descriptor for all sockets
  Wants wants{.fd = WaitFd(), .wake_boot_us = timer_us_};
  int watched = 0;
  for (const Watched& socket : sockets_) {
    if (!socket.is_watched) continue;
    ++watched;
    wants.read = wants.read || socket.read;
    wants.write = wants.write || socket.write;
  }
  if (watched == 0) return {.wake_boot_us = timer_us_};
  if (epoll_fd_ >= 0) {
    wants.read = true;
    wants.write = false;
  } else if (watched > 1) {
    wants.wake_boot_us = std::min(timer_us_, now_us + kLookAgainUs);
  }
  return wants;
}

bool HttpClient::is_connected() const noexcept {
  bool is_open = false;
  for (const Watched& socket : sockets_) {
    if (socket.fd < 0) continue;
    is_open = true;
    char byte;
    const ssize_t got = recv(socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return false;
  }
  return is_open;
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
  if (epoll_fd_ >= 0) close(epoll_fd_);
  epoll_fd_ = last_wait_fd_ = -1;
  for (Watched& socket : sockets_) socket = Watched();
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
bool HttpClient::is_connected() const noexcept { return false; }
Wants HttpClient::wants(int64_t) const noexcept { return {}; }
void HttpClient::Disconnect() noexcept {}
void HttpClient::Close() noexcept {}

}  // namespace idgen::io

#endif
