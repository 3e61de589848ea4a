// A certificate that a test makes for its own server or client, signed by itself.
#pragma once

#ifdef IDGEN_TLS
#include <cstdio>
#include <cstdlib>
#include <string>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace idgen {

class Certificate {
 public:
  // For "IP:127.0.0.1" or "DNS:name"; valid until so many seconds from now.
  explicit Certificate(const char* host, long until_s = 3600) {
    key_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    certificate_ = X509_new();
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), until_s);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("store"), -1, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, host);
    X509_add_ext(certificate_, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate_, key_, EVP_sha256());
    FILE* stream = fdopen(mkstemp(path_), "w");
    PEM_write_X509(stream, certificate_);
    fclose(stream);
    stream = fdopen(mkstemp(key_path_), "w");
    PEM_write_PrivateKey(stream, key_, nullptr, nullptr, 0, nullptr, nullptr);
    fclose(stream);
    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context_, certificate_);
    SSL_CTX_use_PrivateKey(context_, key_);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  ~Certificate() {
    SSL_CTX_free(context_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    unlink(path_);
    unlink(key_path_);
  }

  // Its server asks for a client's certificate, which must be this one.
  void Demand(const Certificate& client) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_load_verify_locations(context_, client.path_, nullptr);
  }

  SSL_CTX* context() const { return context_; }  // of a server
  const char* path() const { return path_; }
  const char* key_path() const { return key_path_; }

 private:
  char path_[40] = "/tmp/idgen_test_certificate.XXXXXX";
  char key_path_[40] = "/tmp/idgen_test_key.XXXXXX";
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  SSL_CTX* context_ = nullptr;
};

}  // namespace idgen
#endif
