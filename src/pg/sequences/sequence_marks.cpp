// The host of the rule in sequencer/above_marks.h: the store of this session, and the marks of this server.
#include "pg/sequences/sequence_marks.h"

#include "io/clock.h"
#include "pg/sequences/mark_file.h"
#include "pg/sequences/sequence_store.h"
#include "sequencer/above_marks.h"

namespace idgen::pg {
namespace {

using sequencer::Answer;
using sequencer::KeyHash;
using sequencer::Known;
using sequencer::Loss;
using sequencer::Operation;
using sequencer::StoreKey;
using Kind = sequencer::Operation::Kind;

// An answer that has less time than this is not worth asking for.
constexpr int64 kLeastUs = 2 * core::kUsPerMs;

[[noreturn]] void RaiseRepeats(const StoreKey& key, int64 told, int times) {
  const std::string_view name = key.value();
  ereport(ERROR,
          (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the sequence store gives values that have been given before"),
           errdetail("Of \"%.*s\" it has given such values %d times running, the last time %lld, although it was "
                     "raised above them each time.",
                     static_cast<int>(name.size()), name.data(), times, static_cast<long long>(told)),
           errhint("See whether several servers answer at \"%s\", or one that does not keep what it is told.",
                   StoreSetting())));
}

// Of the store at the other end of this connection; of none: 0.
uint64 writer_connection = 0, latest_writer = 0;

class Host {
 public:
  explicit Host(int64 until_us) noexcept : until_us_(until_us) {}

  void Ask(const Operation& operation, const StoreKey* keys, Answer* answers, int count) {
    const bool was_one = AskStore(operation, keys, answers, count, until_us_);
    if (operation.kind == Kind::kRaise)
      raised_over_ = StoreConnection();
    else if (operation.kind != Kind::kWriter)
      answered_over_ = count == 1 || was_one ? StoreConnection() : 0;
  }

  // Not that of another one, where the connection to the one that answered has gone.
  uint64 Writer(const StoreKey& key) {
    const uint64 writer = AskWriter(key);
    return answered_over_ == 0 || answered_over_ == StoreConnection() ? writer : 0;
  }

  KeyHash HashOf(const StoreKey& key) { return HashOfMark(key); }

  void Find(Known* known, int count) { FindMarks(known, count); }

  bool Note(const StoreKey& key, const KeyHash& hash, sequencer::Marks::Given given,
            const sequencer::Definition& definition) {
    uint64 write;
    given.writer = WriterOver(given.is_raised ? raised_over_ : answered_over_, key);
    if (!NoteMark(hash, given, definition, &write)) {
      writer_connection = 0;  // who it is may have changed under the connection
      return false;
    }
    write_ = Max(write_, write);
    return true;
  }

  int NoteSimply(const Known* known, const Answer* answers, int count) {
    const bool is_known = answered_over_ != 0 && writer_connection == answered_over_;
    return is_known ? NoteMarksSimply(known, answers, count, latest_writer, &write_) : 0;
  }

  void Tell(const StoreKey& key, const Known& known, Loss loss, int64 told) {
    int64 untold;
    if (!MayTellLoss(&untold)) return;
    const char* why = nullptr;
    switch (loss) {
      case Loss::kSure: why = "It gave %lld, and had given %lld before; it was raised above that.%s"; break;
      case Loss::kAfterCrash:
        why =
            "It gave %lld, and is not the one that, when this server crashed, may have given up to %lld before; it was "
            "raised above that.%s";
        break;
      case Loss::kNone:
      case Loss::kDoubtful:
        why = "It gave %lld while another session got up to %lld, from it or from another; it was raised above that.%s";
    }
    const char* more =
        untold > 0 ? psprintf(" %lld similar events were not logged.", static_cast<long long>(untold)) : "";
    const std::string_view name = key.value();
    ereport(LOG, (errmsg("idgen: the sequence store %s forgotten values of \"%.*s\"",
                         loss == Loss::kSure ? "had" : "may have", static_cast<int>(name.size()), name.data()),
                  errdetail(why, static_cast<long long>(told), static_cast<long long>(known.ahead), more)));
  }

  // At once the first time: it was given to two at the moment when the store forgot. Then less and less often.
  void Pause(const StoreKey& key, int64 told, int times) {
    static uint32 wait_event = 0;
    if (wait_event == 0) wait_event = NewWaitEvent("IdgenSequenceRepeats");
    constexpr int64 kMostUs = 100 * core::kUsPerMs;
    const int64 until_us = io::BootUs() + (times < 2 ? 0 : Min(core::kUsPerMs << Min(times - 2, 10), kMostUs));
    while (true) {
      const int64 now_us = io::BootUs();
      if (Max(now_us, until_us) + kLeastUs >= until_us_) RaiseRepeats(key, told, times);
      if (now_us >= until_us) break;
      WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                static_cast<long>((until_us - now_us) / core::kUsPerMs + 1), wait_event);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    }
    CHECK_FOR_INTERRUPTS();
  }

  // What is noted was answered already.
  void NoteAnswered() noexcept { answered_over_ = StoreConnection(); }

  uint64 write() const noexcept { return write_; }

 private:
  uint64 AskWriter(const StoreKey& key) {
    Answer answer;
    Ask({.kind = Kind::kWriter, .definition = {}, .mark = {}}, &key, &answer, 1);
    return answer.outcome == Answer::Outcome::kOk ? answer.writer : 0;
  }

  // Who answered over the connection, which is asked once for each. 0 where keys of a Redis Cluster were asked for over
  // several: whose is whose is not kept. Where the connection has gone meanwhile nobody knows, and it may have been
  // another one than now: a number that is no store's.
  uint64 WriterOver(uint64 connection, const StoreKey& key) {
    if (connection == 0) return 0;
    if (writer_connection != connection && StoreConnection() == connection) {
      latest_writer = AskWriter(key);
      writer_connection = StoreConnection();
    }
    return writer_connection == connection ? latest_writer : static_cast<uint64>(MyProcPid) << 32 | connection;
  }

  const int64 until_us_;
  uint64 answered_over_ = 0;  // the connection; 0: several
  uint64 raised_over_ = 0;    // and the latest raise
  uint64 write_ = 0;
};

void AskForValues(const Operation& operation, const StoreKey* keys, Answer* answers, int count, int64 until_us) {
  auto* known = static_cast<Known*>(palloc(sizeof(Known) * static_cast<Size>(count)));
  Host host(until_us);
  AskAboveMarks(host, operation, keys, answers, count, known);
  AwaitMark(host.write());
}

}  // namespace

uint64 AskForSegmentAboveMarks(const Operation& operation, const StoreKey& key, Answer* answer, int64 until_us) {
  if (!HasMarkMemory() || !sequencer::HasMarks(operation.definition)) {
    AskStore(operation, &key, answer, 1, until_us);
    return 0;
  }
  Host host(until_us);
  Known known;
  AskAboveMarks(host, operation, &key, answer, 1, &known);
  return host.write();
}

void TakeBackMark(const Operation& operation, const StoreKey& key, int64 until_us) {
  if (!HasMarkMemory()) return;
  TakeMarkBack(HashOfMark(key), {.generation = operation.mark.generation, .value = operation.value},
               operation.value - operation.count * operation.definition.step, until_us);
}

void AskStoreAboveMarks(const Operation& operation, const StoreKey* keys, Answer* answers, int count) {
  const bool has_marks = HasMarkMemory() && sequencer::HasMarks(operation.definition);
  const int64 until_us = io::BootUs() + StoreTimeoutUs();  // with all that has to be asked besides
  if (has_marks && operation.kind == Kind::kNext) return AskForValues(operation, keys, answers, count, until_us);
  AskStore(operation, keys, answers, count, until_us);
  if (!has_marks) return;
  Host host(until_us);
  host.NoteAnswered();
  for (int i = 0; i < count; ++i) NoteChange(host, operation, keys[i], answers[i]);
  AwaitMark(host.write());
}

}  // namespace idgen::pg
