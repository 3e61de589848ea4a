// Which commands go out together, and what is asked again.
#include "sequencer/redis/store.h"

#include <algorithm>

#include "sequencer/redis/request.h"

namespace idgen::sequencer {

using Outcome = Answer::Outcome;

namespace {

// For one key: with the script's SHA-1, with the whole script, and once more for an INCRBY that would overflow.
constexpr int kMaxTurns = 4;

}  // namespace

void RedisSequenceStore::Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count,
                               int64_t now_us, int64_t until_us) noexcept {
  operation_ = operation;
  keys_ = keys;
  answers_ = answers;
  count_ = count;
  index_ = 0;
  turns_ = 0;
  unsure_ = false;
  first_connection_ = 0;
  came_from_one_ = true;
  until_us_ = until_us;
  whole_ = false;
  mode_ = count == 1 ? Mode::kSingly : Mode::kTogether;
  if (mode_ == Mode::kTogether && !script_.is_loaded() && !IsPlain(operation_, false)) mode_ = Mode::kLoadingScript;
  BeginExchange(now_us);
}

void RedisSequenceStore::BeginExchange(int64_t now_us) noexcept {
  wire::Commands& commands = link_.NewExchange();
  loads_ = false;
  bool follows = mode_ != Mode::kTogether;
  switch (mode_) {
    case Mode::kLoadingScript: script_.AddLoad(&commands); break;
    case Mode::kTogether: AddTogether(&commands); break;
    case Mode::kSingly: {
      const bool by_script = answers_[index_].by_script;
      // A redirect would resend both commands although only one needs it, so the script handles that one.
      follows = CommandCount(operation_, by_script) == 1;
      const bool scripted = !IsPlain(operation_, by_script);
      AddRequest(operation_, keys_[index_], by_script, script_.Call(whole_), &commands);
      // Last, so that ASKING directly precedes the command that it is for.
      loads_ = scripted && !script_.is_loaded();
      if (loads_) script_.AddLoad(&commands);
      ++turns_;
      break;
    }
  }
  const bool is_bound = operation_.only_over != 0;
  link_.Begin(now_us, {.until_us = until_us_, .follows = follows && !is_bound, .reconnects = !is_bound});
}

SequenceStore::State RedisSequenceStore::Step(int64_t now_us) noexcept {
  while (true) {
    switch (link_.Step(now_us)) {
      case io::RedisLink::State::kDone:
        if (mode_ != Mode::kLoadingScript) {
          if (first_connection_ == 0) first_connection_ = link_.connection();
          if (first_connection_ != link_.connection()) came_from_one_ = false;
        }
        if (HandleReplies()) return State::kDone;
        BeginExchange(now_us);
        break;
      case io::RedisLink::State::kFailed:
        if (operation_.only_over != 0 && !link_.may_have_run()) return State::kDone;
        unsure_ = link_.may_have_run() && mode_ != Mode::kLoadingScript && ChangesSomething(operation_);
        for (int i = 0; i < count_; ++i) unsure_ = unsure_ || answers_[i].outcome == Outcome::kOk;
        return State::kFailed;
      case io::RedisLink::State::kBusy:
      case io::RedisLink::State::kIdle: return State::kBusy;
    }
  }
}

// True when there is nothing left to ask.
bool RedisSequenceStore::HandleReplies() noexcept {
  switch (mode_) {
    case Mode::kLoadingScript:
      script_.NoteLoaded(link_.reply(0));
      // A server that refuses to load the script says why when it is called.
      mode_ = script_.is_loaded() ? Mode::kTogether : Mode::kSingly;
      return false;
    case Mode::kTogether:
      HandleTogether();
      mode_ = Mode::kSingly;
      break;
    case Mode::kSingly: {
      Answer& answer = answers_[index_];
      if (loads_) script_.NoteLoaded(link_.reply(1));
      const redisReply* reply = link_.reply(Read(0, &answer) - 1);
      if (answer.outcome == Outcome::kUnasked && turns_ < kMaxTurns) {
        whole_ = io::RedisScript::IsUnknown(reply);
        return operation_.only_over != 0 && !whole_;
      }
      if (answer.outcome == Outcome::kUnasked) Refuse(reply->type == REDIS_REPLY_ERROR ? reply->str : "?", &answer);
      break;
    }
  }
  while (index_ < count_ && answers_[index_].outcome != Outcome::kUnasked) ++index_;
  turns_ = 0;
  whole_ = false;
  return index_ == count_;
}

bool RedisSequenceStore::AsksForGenerationsTogether() const noexcept {
  return CommandCount(operation_, false) > 1 && !is_spread_;
}

void RedisSequenceStore::AddTogether(wire::Commands* commands) noexcept {
  Operation operation = operation_;
  if (AsksForGenerationsTogether()) operation.with_generation = false;
  for (int i = 0; i < count_; ++i) {
    if (i % kMaxGenerations == 0 && AsksForGenerationsTogether())
      AddGenerations(keys_ + i, std::min(count_ - i, kMaxGenerations), commands);
    AddRequest(operation, keys_[i], false, script_.Call(false), commands);
  }
}

void RedisSequenceStore::HandleTogether() noexcept {
  if (!AsksForGenerationsTogether()) {
    for (int i = 0, at = 0; i < count_; ++i) at += Read(at, &answers_[i]);
    return;
  }
  Operation operation = operation_;
  operation.with_generation = false;
  bool is_spread = false;
  for (int i = 0, at = 0; i < count_; ++i) {
    if (i % kMaxGenerations == 0) {
      // If they are missing, the values are assumed to be of the known generation.
      const redisReply* const generations = link_.reply(at++);
      ReadGenerations(generations, answers_ + i, std::min(count_ - i, kMaxGenerations));
      is_spread = is_spread || RefusesMany(generations);
    }
    const redisReply* const reply = link_.reply(at++);
    ReadReplies(operation, &reply, 1, &answers_[i]);
    if (answers_[i].outcome == Outcome::kUnasked) answers_[i].by_script = true;
  }
  is_spread_ = is_spread;
}

// An answer from the replies that begin there; returns how many those were.
int RedisSequenceStore::Read(int at, Answer* answer) noexcept {
  const int count = CommandCount(operation_, answer->by_script);
  const redisReply* const replies[] = {link_.reply(at), count > 1 ? link_.reply(at + 1) : nullptr};
  ReadReplies(operation_, replies, count, answer);
  if (count > 1 && answer->outcome == Outcome::kUnasked) answer->by_script = true;
  return count;
}

}  // namespace idgen::sequencer
