// HTTP requests to one server, side by side, by libcurl. It never waits and never starts a thread; time is passed in,
// on the boot-time clock. The only file besides wire/etcd_reply.cpp that a build without etcd leaves empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "io/transport.h"

namespace idgen::io {

// Close frees memory and descriptors. There is no destructor, since PostgreSQL may leave frames by longjmp.
class HttpClient {
 public:
  static constexpr int kMaxRequests = 5;
  static constexpr size_t kMaxReplyBytes = 4 * 1024 * 1024;
  // That are open at a time: a socket for each request, one to wait for all of them, and two of libcurl's own.
  static constexpr int kMaxDescriptors = kMaxRequests + 3;

  // Whether this build has libcurl at all.
  static bool Built() noexcept;

  enum class Outcome : uint8_t {
    kNone,
    kRunning,
    kReplied,
    kFailed,   // no reply: see text()
    kGarbled,  // what answered does not speak HTTP, or says too much: see text()
  };

  struct Target {
    Address address;        // where the server is
    const char* host = "";  // what it is called, in the request and in its certificate
    uint16_t port = 0;
    bool is_encrypted = false;
    TlsFiles files;  // borrowed until Close
  };

  // Where requests go from now on. Closes connections to elsewhere. False if there is no memory for it.
  bool Open(const Target& target) noexcept;
  bool is_open() const noexcept { return multi_ != nullptr; }
  // The value of the Authorization header of all requests until Close; empty: none. False if it cannot be one.
  bool Authorize(std::string_view token) noexcept;

  // Sends `body`, which is borrowed until the request has ended, to the path. Without `is_repeatable` the body leaves
  // at most once, even if the connection turns out to be dead. Step does the rest. False if there is no memory for it.
  bool Post(int request, const char* path, std::string_view body, bool is_repeatable, int64_t now_us) noexcept;
  void Step(int64_t now_us) noexcept;
  Outcome outcome(int request) const noexcept { return requests_[request].outcome; }
  // The whole body was handed to the connection.
  bool is_sent(int request) const noexcept { return requests_[request].is_sent; }

  // After kReplied.
  int status(int request) const noexcept { return requests_[request].status; }
  std::string_view body(int request) const noexcept {
    return {requests_[request].received, requests_[request].received_size};
  }
  // After kFailed and kGarbled, without host and port.
  const char* text() const noexcept { return text_; }
  // The server's clock in the last reply, in whole seconds; 0 if it did not say.
  int64_t date_ms() const noexcept { return date_ms_; }

  // The number of the latest connection. wants().fd changes only together with it.
  uint64_t connection() const noexcept { return connections_; }
  // Whether a connection is open, which the other side has not closed.
  bool is_connected() const noexcept;
  Wants wants(int64_t now_us) const noexcept;
  // Gives up all requests and closes all connections.
  void Disconnect() noexcept;
  void Close() noexcept;

 private:
  static constexpr int kMaxSockets = kMaxRequests;
  static constexpr size_t kErrorBytes = 256;  // libcurl's CURL_ERROR_SIZE
  struct Request {
    HttpClient* client = nullptr;
    void* easy = nullptr;  // CURL
    Outcome outcome = Outcome::kNone;
    bool is_repeatable = false;
    bool is_sent = false;
    bool is_too_large = false;
    int status = 0;
    std::string_view body;
    size_t taken = 0;  // of the body
    char* received = nullptr;
    size_t received_size = 0;
    size_t received_capacity = 0;
    char error[kErrorBytes] = {};
  };
  struct Watched {
    int fd = -1;
    bool is_watched = false;
    bool read = false;
    bool write = false;
    bool is_corked = false;
  };

  bool MakeEasy(Request* request) noexcept;
  bool Receive(Request* request, std::string_view bytes) noexcept;
  void ReadHeader(std::string_view line) noexcept;
  void Watch(int fd, bool is_watched, bool read, bool write) noexcept;
  int OpenSocket(int family, int type, int protocol, void* address) noexcept;
  void CloseSocket(int fd) noexcept;
  void PollSockets() noexcept;
  void Cork() noexcept;
  void Uncork() noexcept;
  void CollectFinished() noexcept;
  void Finish(Request* request, int code) noexcept;
  void Explain(const Request& request, int code) noexcept;
  void UseEpoll() noexcept;
  int WaitFd() const noexcept;

  void* multi_ = nullptr;       // CURLM
  void* headers_ = nullptr;     // curl_slist
  void* connect_to_ = nullptr;  // curl_slist
  Target target_;
  char origin_[300] = {};  // scheme, host and port of every URL
  Request requests_[kMaxRequests];
  // All sockets that are open, which are few.
  Watched sockets_[kMaxSockets];
  // Of the sockets in use once requests have gone out side by side, since a sleeper waits for one descriptor.
  int epoll_fd_ = -1;
  int last_wait_fd_ = -1;
  uint64_t connections_ = 0;
  int64_t now_us_ = 0;
  int64_t timer_us_ = kNever;
  int64_t date_ms_ = 0;
  char text_[320] = {};
};

}  // namespace idgen::io
