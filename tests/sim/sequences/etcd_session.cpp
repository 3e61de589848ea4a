// Calls of a process as messages of the world.
#include "sequences/etcd_session.h"

#include "sequences/server.h"

namespace idgen::sim::sequences {

void EtcdSession::Reset() noexcept {
  store.Close();
  io::StoreAccess access;
  access.url = "etcd://sim";
  access.timeout_us = kStoreTimeoutUs;
  store.Configure(access);
}

void EtcdSession::Begin(const sequencer::Operation& operation, const sequencer::StoreKey* keys,
                        sequencer::Answer* answers, int count, int64_t until_us, const World::Known& knew) {
  number_ = ++world_.operations_;
  operation_ = operation;
  knew_ = knew;
  for (Ran& ran : ran_) ran = Ran();
  store.Begin(operation, keys, answers, count, world_.now_us_, until_us);
}

uint64_t EtcdSession::Send(std::string_view path, std::string_view body) {
  return world_.SendToEtcd(actor_, {.actor = actor_.index,
                                    .number = number_,
                                    .operation = operation_,
                                    .knew = knew_,
                                    .path = std::string(path),
                                    .body = std::string(body),
                                    .answer = {},
                                    .ran = {}});
}

int64_t EtcdSession::NowUs() const { return world_.now_us_; }
void EtcdSession::Wake() { world_.Wake(actor_); }
void EtcdSession::Violate(const std::string& text) { world_.Violate(text); }

void EtcdSession::Deliver(uint64_t number) {
  const World::EtcdCall& call = world_.etcd_calls_[number];
  if (!link.Deliver(number, call.answer, world_.now_us_ / kMs)) return;
  for (const auto& [key, ran] : call.ran) ran_[key] = ran;
}

}  // namespace idgen::sim::sequences
