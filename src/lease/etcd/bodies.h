// The transactions of leases in etcd. Why they are safe is in docs/architecture/lease.md.
#pragma once

#include "lease/etcd/listing.h"
#include "wire/etcd_body.h"

namespace idgen::lease {

// What a lease is bound to and says.
struct EtcdLeaseText {
  int64_t lease = 0;       // LeaseOf(token)
  std::string_view value;  // token|holder
};

// Takes the first of the candidates that is still free, or still the previous lease, unless this token has a worker id
// already. If all candidates are lost, the innermost operation is a range of all records.
void WriteTake(EtcdKeys& keys, const EtcdLeaseText& text, const FencedLease& previous, const Choice& choice,
               wire::EtcdBody* body) noexcept;

// Reads the ceiling of the previous lease, if that is still this server's and could be swapped, or else all records. So
// a server that crashed needs no list, which is long if many worker ids are taken.
void WriteLook(EtcdKeys& keys, const FencedLease& previous, wire::EtcdBody* body) noexcept;

struct Looked {
  enum class How : uint8_t { kOwn, kDamaged, kNot, kUnexpected };
  How how = How::kUnexpected;
  bool has_ceiling = false;
  int64_t ceiling_ms = 0;     // kOwn
  wire::EtcdOp records = {};  // kNot: the range
};
Looked ReadLooked(const wire::EtcdReply& reply) noexcept;

// What became of it.
struct Taken {
  enum class How : uint8_t { kTaken, kHasOne, kLost, kUnexpected };
  How how = How::kUnexpected;
  int candidate = 0;          // kTaken
  int64_t floor_ms = 0;       // kTaken: the ceiling so far
  wire::EtcdOp records = {};  // kLost: the range
};
Taken ReadTaken(const wire::EtcdReply& reply, const Choice& choice) noexcept;

// Raises the ceiling from `stored_ms`, provided that it is that, and that the worker id is still leased under this
// fence and token. A copy of a running server has fence and token, too, but not the ceilings that are granted
// afterwards.
void WriteRenew(EtcdKeys& keys, uint32_t worker, int64_t fence, const char* token, int64_t stored_ms,
                int64_t ceiling_ms, wire::EtcdBody* body) noexcept;

struct Renewed {
  enum class How : uint8_t { kRenewed, kTaken, kForgotten, kOtherCeiling, kUnexpected };
  How how = How::kUnexpected;
  int64_t stored_ms = 0;                // kOtherCeiling
  std::string_view static_holder = {};  // of the server that has the worker id as its static one; empty if none
};
Renewed ReadRenewed(const wire::EtcdReply& reply, int64_t fence, const char* token) noexcept;

// Raises the ceiling of a worker id that this server had, whoever has it now, in a store that may have forgotten it.
void WriteRaise(EtcdKeys& keys, uint32_t worker, int64_t ceiling_ms, wire::EtcdBody* body) noexcept;

// Announces a static worker id and raises its ceiling. Reads who had announced it before, and who leases it.
void WritePresent(EtcdKeys& keys, uint32_t worker, const EtcdLeaseText& text, int64_t ceiling_ms,
                  wire::EtcdBody* body) noexcept;

// The values found, empty if none.
struct Presented {
  EtcdHolder announced = {};
  EtcdHolder leased = {};
};
bool ReadPresented(const wire::EtcdReply& reply, Presented* presented) noexcept;

}  // namespace idgen::lease
