// TLS for the connection to a store, TLS 1.2 and later.
#include "io/tls.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <arpa/inet.h>

#ifdef IDGEN_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#endif

namespace idgen::io {

#ifdef IDGEN_TLS
namespace {

SSL* SessionOf(void* session) noexcept { return static_cast<SSL*>(session); }
SSL_CTX* ContextOf(void* context) noexcept { return static_cast<SSL_CTX*>(context); }

void DescribeError(const char* what, char* problem, size_t size) noexcept {
  const unsigned long code = ERR_get_error();
  const bool of_system = ERR_GET_LIB(code) == ERR_LIB_SYS;
  const char* reason = code == 0 ? nullptr : of_system ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  snprintf(problem, size, "%s: %s", what, reason != nullptr ? reason : "unknown error");
  ERR_clear_error();
}

bool RefuseFile(const char* what, const NamedFile& file, char* problem, size_t size) noexcept {
  char text[128];
  snprintf(text, sizeof text, "could not load the TLS %s (\"%s\")", what, file.setting);
  DescribeError(text, problem, size);
  return false;
}

bool IsAddress(const char* host) noexcept {
  unsigned char bytes[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool LoadFiles(SSL_CTX* context, const TlsFiles& files, char* problem, size_t size) noexcept {
  const char* ca = files.ca.path;
  const bool authorities = *ca == '\0' ? SSL_CTX_set_default_verify_paths(context) == 1
                                       : SSL_CTX_load_verify_locations(context, ca, nullptr) == 1;
  if (!authorities) return RefuseFile("authorities", files.ca, problem, size);
  if (*files.certificate.path == '\0') return true;
  // A key with a password would be asked for at the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.path) != 1)
    return RefuseFile("certificate", files.certificate, problem, size);
  if (SSL_CTX_use_PrivateKey_file(context, files.key.path, SSL_FILETYPE_PEM) != 1)
    return RefuseFile("key", files.key, problem, size);
  return true;
}

bool ExpectHost(SSL* session, const char* host) noexcept {
  if (IsAddress(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
  return SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, host) == 1;
}

}  // namespace

bool Tls::Built() noexcept { return true; }

Tls* Tls::Make(int fd, const TlsFiles& files, const char* host, char* problem, size_t problem_size) noexcept {
  ERR_clear_error();
  void* memory = malloc(sizeof(Tls));
  if (memory == nullptr) {
    snprintf(problem, problem_size, "out of memory");
    return nullptr;
  }
  Tls* tls = new (memory) Tls();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  tls->context_ = context;
  bool made = context != nullptr && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
  if (!made) DescribeError("could not set up TLS", problem, problem_size);
  if (made) made = LoadFiles(context, files, problem, problem_size);
  if (made) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL* session = SSL_new(context);
    tls->session_ = session;
    made = session != nullptr && SSL_set_fd(session, fd) == 1 && ExpectHost(session, host);
    if (!made) DescribeError("could not set up TLS", problem, problem_size);
  }
  if (made) {
    SSL_set_connect_state(SessionOf(tls->session_));
    return tls;
  }
  tls->Free();
  return nullptr;
}

void Tls::Free() noexcept {
  if (session_ != nullptr) SSL_free(SessionOf(session_));
  if (context_ != nullptr) SSL_CTX_free(ContextOf(context_));
  free(this);
}

// The meaning of a call that did not succeed: 0 if the caller is to retry it.
int64_t Tls::Interpret(int result) noexcept {
  const int error = SSL_get_error(SessionOf(session_), result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  const long verified = SSL_get_verify_result(SessionOf(session_));
  if (verified != X509_V_OK) {
    snprintf(problem_, sizeof problem_, "the TLS certificate is not trusted: %s",
             X509_verify_cert_error_string(verified));
    ERR_clear_error();
  } else if (error == SSL_ERROR_ZERO_RETURN || (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)) {
    snprintf(problem_, sizeof problem_, "the connection was closed by the other side");
  } else {
    DescribeError("TLS", problem_, sizeof problem_);
  }
  return -EPROTO;
}

int Tls::Handshake() noexcept {
  ERR_clear_error();
  const int result = SSL_do_handshake(SessionOf(session_));
  wants_write_ = false;
  return result == 1 ? 1 : static_cast<int>(Interpret(result));
}

int64_t Tls::Send(const char* bytes, size_t size) noexcept {
  ERR_clear_error();
  const int result = SSL_write(SessionOf(session_), bytes, static_cast<int>(size));
  wants_write_ = false;
  return result > 0 ? result : Interpret(result);
}

int64_t Tls::Receive(char* bytes, size_t capacity) noexcept {
  ERR_clear_error();
  const int result = SSL_read(SessionOf(session_), bytes, static_cast<int>(capacity));
  wants_write_ = false;
  return result > 0 ? result : Interpret(result);
}

bool Tls::has_received() const noexcept { return SSL_pending(SessionOf(session_)) > 0; }

#else

bool Tls::Built() noexcept { return false; }

Tls* Tls::Make(int, const TlsFiles&, const char*, char* problem, size_t problem_size) noexcept {
  snprintf(problem, problem_size, "idgen was built without TLS");
  return nullptr;
}
void Tls::Free() noexcept {}
int64_t Tls::Interpret(int) noexcept { return -EPROTO; }
int Tls::Handshake() noexcept { return -EPROTO; }
int64_t Tls::Send(const char*, size_t) noexcept { return -EPROTO; }
int64_t Tls::Receive(char*, size_t) noexcept { return -EPROTO; }
bool Tls::has_received() const noexcept { return false; }

#endif

}  // namespace idgen::io
