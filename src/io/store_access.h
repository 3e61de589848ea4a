// How to reach a store, whichever store it is, and what a kind of store says about the URLs that name it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/transport.h"

namespace idgen::io {

// Strings must outlive the store's use of them.
struct StoreAccess {
  const char* url = "";
  const char* url_setting = "";  // that the URL came from, for messages
  // Its first line replaces the URL's password; read at every log-in. Without a setting such a file cannot be named.
  NamedFile password_file = {};
  TlsFiles tls = {};
  int64_t connect_timeout_us = 0;  // of one attempt
  int64_t timeout_us = 0;          // of a whole exchange, unless the caller sets another limit
};

// Where a URL has its password, so that it can be hidden.
struct PasswordPosition {
  size_t at = 0;
  size_t size = 0;
};

// A kind of store, by its URLs.
struct UrlKind {
  const char* schemes;   // as a list in a sentence
  const char* syntax;    // for the description of a setting
  const char* examples;  // as a list in a sentence
  // For messages about a store that runs short of memory: the setting that limits it, the state in which the store then
  // evicts keys, and what to set so that it does not, as a sentence without its full stop.
  const char* memory_limit;
  const char* evicts_keys;
  const char* keep_keys_advice;
  // It may lose what it has acknowledged, so that servers keep high-water marks of sequences.
  bool forgets;
  // That a link to such a store may have open at a time. While it resolves a name, it has no connection.
  int max_descriptors;
  bool (*has_scheme)(const char* url) noexcept;
  // nullptr, or what is wrong with the URL.
  const char* (*validate)(const char* url, PasswordPosition* password) noexcept;
  // A number that identifies the store that the URL names, ignoring credentials. It is part of records on disk.
  uint64_t (*identify)(const char* url) noexcept;
  // Whether both URLs may lead to one store.
  bool (*may_be_same)(const char* a, const char* b) noexcept;
};

// The kinds that a URL may be of, by number; nullptr after the last.
using UrlKinds = const UrlKind* (*)(int index) noexcept;

// nullptr for a scheme that none of the kinds has.
const UrlKind* FindUrlKind(UrlKinds kinds, const char* url) noexcept;

// One of the texts of all kinds, joined.
void JoinUrlTexts(UrlKinds kinds, const char* UrlKind::*text, const char* separator, char* out, size_t size) noexcept;

}  // namespace idgen::io
