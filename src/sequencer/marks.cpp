// Looking up and replacing marks, and which of them are written when.
#include "sequencer/marks.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace idgen::sequencer {
namespace {

// The finalizer of SplitMix64: every bit of the result depends on every bit of the argument.
constexpr uint64_t Mix(uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// The value `count` steps further, at most the maximum.
int64_t After(const Definition& definition, int64_t value, int64_t count) noexcept {
  int64_t after;
  if (__builtin_mul_overflow(count, definition.step, &after) || __builtin_add_overflow(value, after, &after))
    return definition.max_value;
  return std::min(after, definition.max_value);
}

}  // namespace

KeyHash HashOf(std::string_view key, const core::SipKey& secret) noexcept {
  const core::SipHash hash = core::SipHash128(key, secret);
  return {.high = hash.high, .low = hash.low};
}

bool HasMarks(const Definition& definition) noexcept { return !definition.cycle && definition.ttl_ms == 0; }

uint64_t MarkRecord::Sum() const noexcept {
  uint64_t sum = 0;
  for (const uint64_t part : {key.high, key.low, static_cast<uint64_t>(generation), static_cast<uint64_t>(value),
                              static_cast<uint64_t>(ahead), writer, used})
    sum = Mix(sum + part);
  return sum;
}

size_t Marks::Slots(size_t marks) noexcept { return (marks + kWays - 1) / kWays * kWays; }

size_t Marks::Bytes(size_t marks) noexcept {
  return sizeof(Header) + Slots(marks) * (sizeof(Entry) + sizeof(uint32_t));
}

Marks::Marks(void* memory, size_t marks) noexcept
    : header_(static_cast<Header*>(memory)),
      entries_(reinterpret_cast<Entry*>(header_ + 1)),
      next_unwritten_(reinterpret_cast<uint32_t*>(entries_ + Slots(marks))),
      buckets_(Slots(marks) / kWays) {}

Marks::Entry* Marks::FindEntry(const KeyHash& key) noexcept {
  Entry* bucket = BucketOf(key);
  for (size_t way = 0; way < kWays; ++way)
    if (bucket[way].used != 0 && bucket[way].record.key == key) return &bucket[way];
  return nullptr;
}

// The victim among the entries of a bucket that are protected, or that are not. A newcomer counts for its owner.
Marks::Entry* Marks::LeastOf(Entry* bucket, bool are_protected, uint64_t newcomer) noexcept {
  const auto is_meant = [=](const Entry& entry) { return entry.used != 0 && entry.is_protected == are_protected; };
  Entry* least = nullptr;
  ptrdiff_t most = 0;
  for (Entry* entry = bucket; entry < bucket + kWays; ++entry) {
    if (!is_meant(*entry)) continue;
    const ptrdiff_t share =
        (!are_protected && entry->owner == newcomer) + std::count_if(bucket, bucket + kWays, [&](const Entry& other) {
          return is_meant(other) && other.owner == entry->owner;
        });
    if (least != nullptr && (share < most || (share == most && entry->used > least->used))) continue;
    least = entry;
    most = share;
  }
  return least;
}

// There always is one: a bucket never has only protected entries.
Marks::Entry* Marks::SlotFor(const KeyHash& key, uint64_t owner) noexcept {
  Entry* bucket = BucketOf(key);
  Entry* free = std::find_if(bucket, bucket + kWays, [](const Entry& entry) { return entry.used == 0; });
  return free != bucket + kWays ? free : LeastOf(bucket, false, owner);
}

void Marks::KeepToShare(Entry* bucket) noexcept {
  const auto is_protected = [](const Entry& entry) { return entry.used != 0 && entry.is_protected; };
  if (static_cast<size_t>(std::count_if(bucket, bucket + kWays, is_protected)) <= kMaxProtected) return;
  Entry* least = LeastOf(bucket, true, 0);
  IDGEN_CHECK(least != nullptr);
  least->is_protected = false;
  Queue(SlotOf(least));
}

// Queued without a write of its own: a crash before it is written costs the protection only.
void Marks::Protect(Entry* entry) noexcept {
  if (entry->is_protected) return;
  entry->is_protected = true;
  Queue(SlotOf(entry));
  KeepToShare(BucketOf(entry->record.key));
}

void Marks::Queue(size_t slot) noexcept {
  if (next_unwritten_[slot] != 0) return;
  const auto link = static_cast<uint32_t>(slot) + 1;
  if (header_->first_unwritten == 0)
    header_->first_unwritten = link;
  else
    next_unwritten_[header_->last_unwritten - 1] = link;
  header_->last_unwritten = link;
  next_unwritten_[slot] = kLast;
}

bool Marks::NextUnwritten(size_t* slot) noexcept {
  if (header_->first_unwritten == 0) return false;
  *slot = header_->first_unwritten - 1;
  const uint32_t next = next_unwritten_[*slot];
  next_unwritten_[*slot] = 0;
  header_->first_unwritten = next == kLast ? 0 : next;
  return true;
}

MarkRecord Marks::Record(size_t slot, bool at_end) const noexcept {
  const Entry& entry = entries_[slot];
  if (entry.used == 0) return {};
  MarkRecord record = entry.record;
  record.used = entry.used | (entry.is_protected ? MarkRecord::kUsedAgain : 0);
  if (at_end && !entry.is_unsure) record.value = record.ahead = entry.value;
  record.sum = record.Sum();
  return record;
}

void Marks::Load(const MarkRecord& record) noexcept {
  if (!record.IsWhole()) return;
  const uint64_t used = record.used & ~MarkRecord::kUsedAgain;
  const bool is_protected = used != record.used;
  Entry* entry = FindEntry(record.key);
  const bool is_there = entry != nullptr;
  if (!is_there) entry = SlotFor(record.key, 0);
  if (entry->used > used && (is_there || !is_protected)) return;
  *entry = {.record = record,
            .value = record.value,
            .others_value = kNoValue,
            .writer = 0,
            .losses = 0,
            .owner = 0,
            .used = used,
            .write = 0,
            .written_us = 0,
            .step = kMinAhead,
            .is_unsure = record.ahead > record.value,
            .is_protected = is_protected};
  KeepToShare(BucketOf(record.key));
  header_->uses = std::max(header_->uses, used);
}

Known Marks::Find(const KeyHash& key) noexcept {
  Known known;
  known.hash = key;
  Entry* entry = FindEntry(key);
  if (entry == nullptr) return known;
  entry->used = ++header_->uses;
  Protect(entry);
  known.found = true;
  known.mark = {.generation = entry->record.generation, .value = entry->value};
  known.ahead = entry->is_unsure ? entry->record.ahead : entry->value;
  known.writer = entry->record.writer;
  known.losses = entry->losses;
  known.slot = SlotOf(entry);
  return known;
}

Marks::Noted Marks::Write(Entry* entry) noexcept {
  entry->write = ++header_->writes;
  Queue(SlotOf(entry));
  Noted noted = Covered(entry);
  noted.is_written_ahead = false;
  return noted;
}

Marks::Noted Marks::Covered(const Entry* entry) const noexcept {
  return {.is_written_ahead = true, .slot = SlotOf(entry), .write = entry->write};
}

Marks::Noted Marks::Note(const KeyHash& key, const Given& given, const Definition& definition,
                         int64_t now_us) noexcept {
  const Mark& mark = given.mark;
  Entry* entry = FindEntry(key);
  const bool is_new = entry == nullptr;
  if (is_new) entry = SlotFor(key, given.owner);
  const uint64_t used = ++header_->uses;
  const bool is_other = !is_new && entry->writer != 0 && given.writer != 0 && entry->writer != given.writer;
  if (is_new || mark.generation > entry->record.generation) {
    const uint64_t write = is_new ? 0 : entry->write;
    const uint64_t losses = is_new ? 0 : entry->losses;  // as every call in progress knows them
    const uint64_t owner = is_new || entry->owner == 0 ? given.owner : entry->owner;
    const bool is_protected = !is_new && entry->is_protected;
    *entry = {.record = {.key = key, .generation = mark.generation},
              .value = mark.value,
              .others_value = kNoValue,
              .writer = given.writer,
              .losses = losses,
              .owner = owner,
              .used = used,
              .write = write,
              .written_us = now_us,
              .step = kMinAhead,
              .is_unsure = false,
              .is_protected = is_protected};
  } else if (mark.generation == entry->record.generation) {
    entry->used = used;
    if (entry->owner == 0) entry->owner = given.owner;
    const bool is_suspect = is_other || given.is_raised || given.losses != entry->losses;
    if (given.first <= (is_suspect ? entry->value : entry->others_value)) return {.is_doubtful = true};
    if (given.is_raised) ++entry->losses;
    if (is_other) entry->others_value = entry->value;
    if (given.writer != 0) entry->writer = given.writer;
    // The value is above all that may have been given, or it would have been rejected.
    if (mark.value >= entry->value) entry->is_unsure = false;
    entry->value = std::max(entry->value, mark.value);
    const bool is_covered = entry->value <= entry->record.ahead;
    // Only one writer's values lie between a record's value and its ahead. With two masters, a server that has crashed
    // would otherwise take either for the writer that it knows.
    const bool has_writer = given.writer == 0 || entry->record.writer == 0 || given.writer == entry->record.writer;
    if (is_covered && has_writer) return Covered(entry);
    if (!is_covered) {
      const bool was_short = now_us - entry->written_us < kShortStepUs;
      entry->step = was_short ? std::min(entry->step * 2, kMaxAhead) : kMinAhead;
      entry->written_us = now_us;
    }
  } else {
    // Somebody has set the key since, or this store has lost the set.
    if (is_other && given.first <= entry->value) return {.is_doubtful = true};
    return Covered(entry);
  }
  entry->record.value = entry->value;
  entry->record.ahead = entry->value == kNoValue ? kNoValue : After(definition, entry->value, entry->step);
  entry->record.writer = given.writer;
  return Write(entry);
}

bool Marks::NoteSimply(const Known& known, const Given& given, uint64_t* write) noexcept {
  Entry& entry = entries_[known.slot];
  if (!known.found || entry.used == 0 || !(entry.record.key == known.hash)) return false;
  if (given.mark.generation != entry.record.generation || given.first <= known.ahead ||
      given.mark.value > entry.record.ahead || entry.is_unsure || entry.losses != given.losses ||
      entry.writer != given.writer || given.first <= entry.others_value)
    return false;
  entry.used = ++header_->uses;
  if (entry.owner == 0) entry.owner = given.owner;
  entry.value = std::max(entry.value, given.mark.value);
  *write = entry.write;
  return true;
}

Marks::Noted Marks::Lower(const KeyHash& key, const Mark& noted, int64_t value) noexcept {
  Entry* entry = FindEntry(key);
  if (entry == nullptr || entry->record.generation != noted.generation || entry->value != noted.value)
    return {.is_written_ahead = true, .slot = 0, .write = 0};
  ++header_->uses;
  entry->value = value;
  if (entry->record.value <= value) return Covered(entry);
  entry->record.value = value;
  return Write(entry);
}

}  // namespace idgen::sequencer
