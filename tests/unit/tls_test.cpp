// TLS over a real socket: what has been decrypted and not yet been received is not waited for.
#ifdef IDGEN_TLS
#include "io/tls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "certificate.h"
#include "io/socket.h"

namespace idgen::io {
namespace {

// A server with a certificate of its own for 127.0.0.1, in the same thread as its client.
class Server {
 public:
  Server() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* own = reinterpret_cast<sockaddr_in*>(&address_.storage);
    own->sin_family = AF_INET;
    own->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.size = sizeof *own;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(own), address_.size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(own), &address_.size), 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    SSL_free(session_);
    close(fd_);
    close(listener_);
  }

  void Accept() {
    fd_ = accept(listener_, nullptr, nullptr);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    session_ = SSL_new(certificate_.context());
    SSL_set_fd(session_, fd_);
    SSL_set_accept_state(session_);
  }
  void Step() { SSL_do_handshake(session_); }
  int Write(const std::string& bytes) { return SSL_write(session_, bytes.data(), static_cast<int>(bytes.size())); }

  const Address& address() const { return address_; }
  const char* certificate() const { return certificate_.path(); }

 private:
  Certificate certificate_{"IP:127.0.0.1"};
  SSL* session_ = nullptr;
  Address address_;
  int listener_ = -1;
  int fd_ = -1;
};

TEST(Tls, DecryptedBytesAreNotWaitedFor) {
  Server server;
  Socket socket;
  ASSERT_EQ(socket.Open(server.address()), 0);
  server.Accept();
  ASSERT_EQ(socket.Encrypt({.ca = {.path = server.certificate()}}, "127.0.0.1"), 0) << socket.problem();
  int connected = 0;
  for (int turns = 0; turns < 1000 && connected == 0; ++turns) {
    connected = socket.Connected();
    server.Step();
    usleep(1000);
  }
  ASSERT_EQ(connected, 1) << socket.problem();
  ASSERT_EQ(server.Write(std::string(16000, 'x')), 16000) << "one record";
  std::vector<char> bytes(8000);
  int64_t size = 0;
  for (int turns = 0; turns < 1000 && size == 0; ++turns) {
    size = socket.Receive(bytes.data(), bytes.size());
    if (size == 0) usleep(1000);
  }
  ASSERT_EQ(size, 8000);
  EXPECT_EQ(socket.wants(false).wake_boot_us, 0) << "the socket has nothing more";
  ASSERT_EQ(socket.Receive(bytes.data(), bytes.size()), 8000);
  EXPECT_EQ(socket.wants(false).wake_boot_us, kNever);
  socket.Close();
}

}  // namespace
}  // namespace idgen::io
#endif
