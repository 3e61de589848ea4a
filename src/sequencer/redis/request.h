// Operations as Redis commands, and replies as answers. The only place that knows the script's arguments.
#pragma once

#include "io/redis/script.h"
#include "sequencer/operation.h"
#include "wire/resp.h"

namespace idgen::sequencer {

// Whether the operation needs no script.
bool IsPlain(const Operation& operation, bool by_script) noexcept;

// How many commands ask for it. Of two, the first asks for the generation.
int CommandCount(const Operation& operation, bool by_script) noexcept;

void AddRequest(const Operation& operation, const StoreKey& key, bool by_script, const io::ScriptCall& script,
                wire::Commands* commands) noexcept;

// The generations of many keys by one command, which goes before those for the values. A Redis Cluster refuses it.
inline constexpr int kMaxGenerations = 128;
void AddGenerations(const StoreKey* keys, int count, wire::Commands* commands) noexcept;
// Leaves the answers as they are if the command was refused.
void ReadGenerations(const redisReply* reply, Answer* answers, int count) noexcept;
// Whether the server will refuse it again: the keys are on several nodes, or the user may not run it.
bool RefusesMany(const redisReply* reply) noexcept;

// Sets the answer from `count` replies. Leaves it kUnasked if the command was not carried out for a reason that another
// attempt, elsewhere or otherwise, may avoid: MOVED and the like, NOSCRIPT, an INCRBY that would overflow (by_script is
// then set).
void ReadReplies(const Operation& operation, const redisReply* const* replies, int count, Answer* answer) noexcept;

// The store refuses the operation, in these words.
void Refuse(const char* words, Answer* answer) noexcept;

}  // namespace idgen::sequencer
