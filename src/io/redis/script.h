// A Lua script that a Redis keeps: sent whole until a server has returned its SHA-1, called by that from then on, and
// sent whole again to a server that has forgotten it. Used by every store in Redis.
#pragma once

#include <cstring>

#include "wire/resp.h"

namespace idgen::io {

// How a command names a script. Borrowed from the RedisScript.
struct ScriptCall {
  const char* command;  // EVALSHA or EVAL
  const char* script;
};

class RedisScript {
 public:
  explicit constexpr RedisScript(const char* text) noexcept : text_(text) {}

  bool is_loaded() const noexcept { return *sha_ != '\0'; }
  // `whole`: the server does not have it. Always so until it is loaded.
  ScriptCall Call(bool whole) const noexcept {
    return whole || !is_loaded() ? ScriptCall{"EVAL", text_} : ScriptCall{"EVALSHA", sha_};
  }
  void AddLoad(wire::Commands* commands) const noexcept { commands->AddTexts("SCRIPT", "LOAD", text_); }
  // The reply to AddLoad. A user who may not load scripts gets an error, and sends it whole each time.
  void NoteLoaded(const redisReply* reply) noexcept {
    if (reply->type == REDIS_REPLY_STRING && strlen(reply->str) + 1 == sizeof sha_)
      memcpy(sha_, reply->str, sizeof sha_);
  }
  static bool IsUnknown(const redisReply* reply) noexcept {
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
  }

 private:
  const char* text_;
  char sha_[41] = {};  // the same on every server
};

}  // namespace idgen::io
