// Operations as Redis commands, and replies as answers. The only place that knows the script's arguments.
#pragma once

#include "sequencer/operation.h"
#include "wire/resp.h"

namespace idgen::sequencer {

// How the script is named to the store.
enum class ScriptCall : uint8_t { kBySha, kWhole };

// Whether the operation needs no script.
bool IsPlain(const Operation& operation, bool by_script) noexcept;

// How many commands ask for it. Where they are two, that for the generation is the first.
int CommandCount(const Operation& operation, bool by_script) noexcept;

// Adds them. `sha` is the script's, of 40 digits.
void AddRequest(const Operation& operation, const StoreKey& key, bool by_script, ScriptCall call, const char* sha,
                wire::Commands* commands) noexcept;

// Many keys' generations by one command, which a Redis Cluster does not carry out. Before the values are asked for.
inline constexpr int kMostGenerations = 128;
void AddGenerations(const StoreKey* keys, int count, wire::Commands* commands) noexcept;
// Where they are not told, nothing is changed.
void ReadGenerations(const redisReply* reply, Answer* answers, int count) noexcept;
// Whether that will be so the next time, too: the keys are on several nodes, or the user may not ask for many.
bool RefusesMany(const redisReply* reply) noexcept;

// Sets the answer, from as many replies. Leaves it kUnasked where the reply says that the command was not carried out
// for a reason that asking again, elsewhere or otherwise, may mend: MOVED and the like, NOSCRIPT, an INCRBY that would
// overflow (by_script is set).
void ReadReplies(const Operation& operation, const redisReply* const* replies, int count, Answer* answer) noexcept;

// The store does not do it, and says so in `words`.
void Refuse(const char* words, Answer* answer) noexcept;

bool SaysNoScript(const redisReply* reply) noexcept;

}  // namespace idgen::sequencer
