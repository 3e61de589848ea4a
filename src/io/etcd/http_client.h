// HTTP requests to one server, side by side, by libcurl. It never waits and never starts a thread; time is passed in,
// on the boot-time clock. A build without etcd leaves its functions empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "io/etcd/http_sockets.h"

namespace idgen::io {

// Close frees memory and descriptors. There is no destructor, since PostgreSQL may leave frames by longjmp.
class HttpClient {
 public:
  static constexpr int kMaxRequests = HttpSockets::kMax;
  static constexpr size_t kMaxReplyBytes = 4 * 1024 * 1024;
  // That are open at a time, with two of libcurl's own.
  static constexpr int kMaxDescriptors = HttpSockets::kMaxDescriptors + 2;

  // Whether this build has libcurl at all.
  static bool Built() noexcept;

  enum class Outcome : uint8_t {
    kNone,
    kRunning,
    kReplied,
    kFailed,   // no reply: see text()
    kGarbled,  // what answered does not speak HTTP, or sent more than kMaxReplyBytes: see text()
  };

  struct Target {
    Address address;        // where the server is
    const char* host = "";  // what it is called, in the request and in its certificate
    uint16_t port = 0;
    bool is_encrypted = false;
    TlsFiles files;  // borrowed until Close
  };

  // Sets the server of all further requests, after closing all connections. False if memory is short.
  bool Open(const Target& target) noexcept;
  bool is_open() const noexcept { return multi_ != nullptr; }
  // Sets the Authorization header of all requests until Close; empty: none. False if the token cannot be the value of a
  // header, or memory is short.
  bool Authorize(std::string_view token) noexcept;

  // Sends `body`, which is borrowed until the request has ended, to the path. Without `is_repeatable` the body leaves
  // at most once, even if the connection turns out to be dead. Step does the rest. False if memory is short.
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
  bool is_connected() const noexcept { return sockets_.IsConnected(); }
  Wants wants(int64_t now_us) const noexcept;
  // Gives up all requests and closes all connections.
  void Disconnect() noexcept;
  void Close() noexcept;

 private:
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
  bool MakeEasy(Request* request) noexcept;
  bool Receive(Request* request, std::string_view bytes) noexcept;
  void ReadHeader(std::string_view line) noexcept;
  int OpenSocket(int family, int type, int protocol, void* address) noexcept;
  void PollSockets() noexcept;
  void CollectFinished() noexcept;
  void Finish(Request* request, int code) noexcept;
  void Explain(const Request& request, int code) noexcept;

  void* multi_ = nullptr;       // CURLM
  void* headers_ = nullptr;     // curl_slist
  void* connect_to_ = nullptr;  // curl_slist
  Target target_;
  char origin_[300] = {};  // scheme, host and port of every URL
  Request requests_[kMaxRequests];
  HttpSockets sockets_;
  int last_wait_fd_ = -1;
  uint64_t connections_ = 0;
  int64_t now_us_ = 0;
  int64_t timer_us_ = kNever;
  int64_t date_ms_ = 0;
  char text_[320] = {};
};

}  // namespace idgen::io
