// A sequence store, as one interface: an operation on one key or on many goes out, the answers come back. What may have
// been carried out is never sent again. Nothing here waits; time is passed in, on the boot-time clock.
#pragma once

#include "io/store_access.h"
#include "sequencer/operation.h"

namespace idgen::sequencer {

class SequenceStore {
 public:
  enum class State : uint8_t { kBusy, kDone, kFailed };

  // Closes what was open.
  virtual void Configure(const io::StoreAccess& access) noexcept = 0;

  // `count` keys and as many fresh answers, which the caller keeps until the operation has ended. Gives up the previous
  // operation. If operation.only_over is not 0, it must be connection(): if that connection is lost before anything was
  // sent, or the server does not serve the key any more, the answer stays kUnasked, after kDone.
  virtual void Begin(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64_t now_us,
                     int64_t until_us) noexcept = 0;
  // kDone: every answer is there. kFailed: problem() says why; answers that are there stay.
  virtual State Step(int64_t now_us) noexcept = 0;
  virtual io::Wants wants(int64_t now_us) const noexcept = 0;

  virtual const char* problem() const noexcept = 0;
  // The same without host and port, which not every user may see.
  virtual const char* reason() const noexcept = 0;
  // After kFailed: values may have been given, or a change made, without an answer.
  virtual bool is_unsure() const noexcept = 0;
  // After kFailed: what answered was no such store.
  virtual bool is_garbled() const noexcept = 0;

  // The number of the latest connection; no two connections of a process have the same.
  virtual uint64_t connection() const noexcept = 0;
  // After kDone: whether every answer came over that connection.
  virtual bool came_from_one() const noexcept = 0;
  // The operation is being sent over that connection, or its reply awaited.
  virtual bool is_exchanging() const noexcept = 0;
  virtual void Close() noexcept = 0;

 protected:
  ~SequenceStore() = default;  // never owned through this interface
};

}  // namespace idgen::sequencer
