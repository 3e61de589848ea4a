// The host of the rule in sequencer/above_marks.h in a simulated server, as src/pg/sequences/sequence_marks.cpp is in a real one;
// and beside it, what the ledger has to know of what the rule did.
#pragma once

#include "sequences/server.h"

namespace idgen::sim::sequences {

class MarksHost {
 public:
  MarksHost(Server& server, Actor& actor, int64_t until_us) noexcept
      : server_(server), actor_(actor), until_us_(until_us) {}

  void Ask(const sequencer::Operation& operation, const sequencer::StoreKey* keys, sequencer::Answer* answers,
           int count) {
    using Kind = sequencer::Operation::Kind;
    Ran ran[kMostKeys];
    const int64_t until_us = until_us_ != 0 ? until_us_ : server_.world_.now_us_ + kStoreTimeoutUs;
    server_.Ask(actor_, operation, keys, answers, ran, count, until_us, told_[Server::NumberOf(keys[0])].knew);
    for (int i = 0; i < count; ++i) {
      Told& told = told_[Server::NumberOf(keys[i])];
      if (operation.kind == Kind::kNext || operation.kind == Kind::kSegment) told.asked = ran[i].at;
      if (operation.kind == Kind::kWriter) continue;
      told.ran = ran[i];
    }
  }

  uint64_t Writer(const sequencer::StoreKey& key) {
    sequencer::Answer answer;
    Ask({.kind = sequencer::Operation::Kind::kWriter, .definition = {}, .mark = {}}, &key, &answer, 1);
    return answer.outcome == sequencer::Answer::Outcome::kOk ? answer.writer : 0;
  }

  sequencer::KeyHash HashOf(const sequencer::StoreKey& key) { return Server::HashOf(key); }

  void Find(sequencer::Known* known, int count) {
    server_.Acquire(actor_, server_.memory_->marks_lock);
    for (int i = 0; i < count; ++i) known[i] = server_.Marks().Find(known[i].hash);
    server_.Release(server_.memory_->marks_lock);
    const uint64_t found = server_.world_.NextEvent();
    for (int i = 0; i < count; ++i) {
      const int key = server_.NumberOf(known[i].hash);
      told_[key].found = found;
      told_[key].knew = server_.knows_[static_cast<size_t>(key)];
      if (!known[i].found && server_.world_.plan_.may_evict)
        server_.world_.ledger_.NoteEvicted(key, server_.index_, found);
    }
  }

  bool Note(const sequencer::StoreKey& key, const sequencer::KeyHash& hash, sequencer::Marks::Given given,
            const sequencer::Definition& definition) {
    given.writer = LatestWriter(key);
    given.owner = Owner();
    server_.Acquire(actor_, server_.memory_->marks_lock);
    const sequencer::Marks::Noted noted = server_.Marks().Note(hash, given, definition, server_.world_.now_us_);
    server_.Release(server_.memory_->marks_lock);
    if (noted.is_doubtful) {
      actor_.connection.writer_of = 0;
      return false;
    }
    write_ = std::max(write_, noted.write);
    NoteKnown(Server::NumberOf(key));
    return true;
  }

  int NoteSimply(const sequencer::Known* known, const sequencer::Answer* answers, int count) {
    const Connection& connection = actor_.connection;
    if (connection.writer_of != connection.answered || connection.writer_of == 0) return 0;
    server_.Acquire(actor_, server_.memory_->marks_lock);
    sequencer::Marks table = server_.Marks();
    int noted = 0;
    for (uint64_t covered; noted < count && answers[noted].outcome == sequencer::Answer::Outcome::kOk; ++noted) {
      const sequencer::Grant& grant = answers[noted].grant;
      const sequencer::Marks::Given given = {
          .mark = {.generation = answers[noted].generation, .value = grant.Value(grant.count - 1)},
          .first = grant.Value(0),
          .writer = connection.writer,
          .losses = known[noted].losses,
          .owner = Owner()};
      if (!table.NoteSimply(known[noted], given, &covered)) break;
      write_ = std::max(write_, covered);
      NoteKnown(server_.NumberOf(known[noted].hash));
    }
    server_.Release(server_.memory_->marks_lock);
    return noted;
  }

  void Tell(const sequencer::StoreKey& key, const sequencer::Known& known, sequencer::Loss, int64_t told) {
    server_.world_.Note("server %d: the store told %lld of key %d; known %lld to %lld", server_.index_,
                        static_cast<long long>(told), Server::NumberOf(key), static_cast<long long>(known.mark.value),
                        static_cast<long long>(known.ahead));
  }

  void Pause(const sequencer::StoreKey&, int64_t, int times) {
    if (times > 1) server_.world_.Sleep(actor_, kMs);
    server_.CheckCancel(actor_);
  }

  uint64_t write() const noexcept { return write_; }
  const Ran& ran(int key) const noexcept { return told_[key].ran; }
  // What the store gave, for the ledger.
  size_t AddGrant(int key, const sequencer::Answer& answer) {
    const Told& told = told_[key];
    return server_.world_.ledger_.Add({.key = key,
                                       .server = server_.index_,
                                       .life = server_.life_,
                                       .first = answer.grant.Value(0),
                                       .count = answer.grant.count,
                                       .found = told.found,
                                       .asked = told.asked,
                                       .ran = told.ran.at,
                                       .noted = told.noted,
                                       .generation = told.ran.generation,
                                       .process = told.ran.process});
  }

 private:
  struct Told {
    uint64_t found = 0, asked = 0, noted = 0;
    Ran ran;
    World::Known knew;
  };

  void NoteKnown(int number) {
    told_[number].noted = server_.world_.NextEvent();
    World::Known& knows = server_.knows_[static_cast<size_t>(number)];
    knows.ran = std::max(knows.ran, told_[number].ran.at);
    if (told_[number].ran.reset > knows.reset) {
      knows.reset = told_[number].ran.reset;
      knows.generation = told_[number].ran.generation;
    }
  }

  // Some backends are one role's, others another's, and what fetches ahead is nobody's.
  uint64_t Owner() const noexcept {
    return actor_.number < server_.world_.plan_.backends ? static_cast<uint64_t>(1 + actor_.number % 2) : 0;
  }

  // Who gave the latest answer.
  uint64_t LatestWriter(const sequencer::StoreKey& key) {
    Connection& connection = actor_.connection;
    const uint64_t answered = connection.answered;
    if (connection.writer_of != answered) {
      connection.writer = Writer(key);
      connection.writer_of = connection.answered;
    }
    return connection.writer_of == answered ? connection.writer : 0;
  }

  Server& server_;
  Actor& actor_;
  const int64_t until_us_;  // 0: every question has its own time
  uint64_t write_ = 0;
  Told told_[kMostKeys];
};

}  // namespace idgen::sim::sequences
