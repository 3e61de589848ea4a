// An HTTP server in the test's own thread, which misbehaves as it is told: it says nothing, half of its reply, one byte
// at a time, or resets the connection. Encrypted if it is given a certificate.
#pragma once

#include <cstring>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef IDGEN_TLS
#include <openssl/ssl.h>
#else
struct SSL_CTX;
struct SSL;
#endif

namespace idgen {

struct FakeRequest {
  std::string path;
  std::string head;  // the request line and the headers
  std::string body;
};

struct FakeReply {
  enum class Then : uint8_t { kKeep, kClose, kReset };
  std::string bytes;
  Then then = Then::kKeep;
  bool is_slow = false;  // one byte at a time
  int after = 0;         // held back until so many requests have come
};

class FakeHttp {
 public:
  explicit FakeHttp(SSL_CTX* context = nullptr) : context_(context) { Listen(0); }
  FakeHttp(const FakeHttp&) = delete;
  FakeHttp& operator=(const FakeHttp&) = delete;
  ~FakeHttp() { Stop(); }

  std::function<FakeReply(const FakeRequest&)> handle;
  std::vector<FakeRequest> requests;
  int accepted = 0;

  int port() const { return port_; }
  int open() const { return static_cast<int>(connections_.size()); }

  // Packets with data that have come over the connections that are open.
  unsigned packets() const {
    unsigned sum = 0;
    for (const Connection& connection : connections_) {
      tcp_info info = {};
      socklen_t size = sizeof info;
      getsockopt(connection.fd, IPPROTO_TCP, TCP_INFO, &info, &size);
      sum += info.tcpi_data_segs_in;
    }
    return sum;
  }

  // A reply waits for requests that have not come, or a request for the rest of itself.
  bool is_withholding() const {
    for (const Connection& connection : connections_)
      if (!connection.in.empty() ||
          (!connection.out.empty() && static_cast<int>(requests.size()) < connection.out.front().reply.after))
        return true;
    return false;
  }

  // Connections are refused from now on.
  void Stop() {
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
    DropConnections();
  }
  void Restart() { Listen(port_); }
  void DropConnections() {
    while (!connections_.empty()) Drop(connections_.begin(), false);
  }

  void AddTo(std::vector<pollfd>* polled) const {
    if (listener_ >= 0) polled->push_back({.fd = listener_, .events = POLLIN, .revents = 0});
    for (const Connection& connection : connections_)
      polled->push_back({.fd = connection.fd, .events = POLLIN, .revents = 0});
  }

  // True if something happened.
  bool Step() {
    bool happened = false;
    for (int fd; listener_ >= 0 && (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      connections_.push_back({.fd = fd});
      Encrypt(&connections_.back());
      ++accepted;
      happened = true;
    }
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto connection = at++;
      bool is_open = true;
      happened |= Read(&*connection, &is_open);
      while (is_open && TakeRequest(&*connection)) happened = true;
      if (is_open)
        happened |= Write(connection);
      else
        Drop(connection, false);
    }
    return happened;
  }

 private:
  struct Pending {
    FakeReply reply;
    size_t written = 0;
  };
  struct Connection {
    int fd = -1;
    SSL* session = nullptr;
    std::string in = {};
    std::list<Pending> out = {};
  };
  using At = std::list<Connection>::iterator;

  void Listen(int port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.sin_port = htons(static_cast<uint16_t>(port));
    socklen_t size = sizeof own;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&own), size) != 0 || listen(listener_, 16) != 0) abort();
    getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size);
    port_ = ntohs(own.sin_port);
  }

  void Encrypt([[maybe_unused]] Connection* connection) {
#ifdef IDGEN_TLS
    if (context_ == nullptr) return;
    connection->session = SSL_new(context_);
    SSL_set_fd(connection->session, connection->fd);
    SSL_set_accept_state(connection->session);
#endif
  }

  bool Read(Connection* connection, bool* is_open) {
    char bytes[65536];
    bool happened = false;
    while (true) {
      ssize_t size = 0;
#ifdef IDGEN_TLS
      if (connection->session != nullptr) {
        size = SSL_read(connection->session, bytes, sizeof bytes);
        const int error = SSL_get_error(connection->session, static_cast<int>(size));
        if (size <= 0) *is_open = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
      }
#endif
      if (connection->session == nullptr) {
        size = recv(connection->fd, bytes, sizeof bytes, 0);
        if (size <= 0) *is_open = size < 0 && errno == EAGAIN;
      }
      if (size <= 0) return happened;
      connection->in.append(bytes, static_cast<size_t>(size));
      happened = true;
    }
  }

  bool TakeRequest(Connection* connection) {
    const size_t head_end = connection->in.find("\r\n\r\n");
    if (head_end == std::string::npos) return false;
    FakeRequest request;
    request.head = connection->in.substr(0, head_end + 2);
    const size_t length_at = request.head.find("Content-Length: ");
    const size_t length = length_at == std::string::npos ? 0 : std::stoul(request.head.substr(length_at + 16));
    if (connection->in.size() < head_end + 4 + length) return false;
    request.body = connection->in.substr(head_end + 4, length);
    connection->in.erase(0, head_end + 4 + length);
    const size_t path_at = request.head.find(' ') + 1;
    request.path = request.head.substr(path_at, request.head.find(' ', path_at) - path_at);
    requests.push_back(request);
    connection->out.push_back({.reply = handle(request)});
    return true;
  }

  bool Write(At connection) {
    if (connection->out.empty()) return false;
    Pending& pending = connection->out.front();
    const FakeReply& reply = pending.reply;
    if (static_cast<int>(requests.size()) < reply.after) return false;
    size_t size = reply.bytes.size() - pending.written;
    if (reply.is_slow && size > 1) size = 1;
    if (size > 0) {
      const char* from = reply.bytes.data() + pending.written;
      ssize_t sent = -1;
#ifdef IDGEN_TLS
      if (connection->session != nullptr) sent = SSL_write(connection->session, from, static_cast<int>(size));
#endif
      if (connection->session == nullptr) sent = send(connection->fd, from, size, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      pending.written += static_cast<size_t>(sent);
    }
    if (pending.written < reply.bytes.size()) return true;
    if (reply.then != FakeReply::Then::kKeep) {
      Drop(connection, reply.then == FakeReply::Then::kReset);
    } else {
      connection->out.pop_front();
    }
    return true;
  }

  void Drop(At connection, bool reset) {
#ifdef IDGEN_TLS
    SSL_free(connection->session);
#endif
    const linger hard = {.l_onoff = 1, .l_linger = 0};
    if (reset) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(connection->fd);
    connections_.erase(connection);
  }

  SSL_CTX* context_;
  int listener_ = -1;
  int port_ = 0;
  std::list<Connection> connections_;
};

}  // namespace idgen
