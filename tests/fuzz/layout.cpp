// Layouts: a parsed layout has at most 64 bits, survives a round trip through text, and splits any id into fields that
// make up the id again; the bounds of a time range bound all its ids.
#include "fuzz.h"

#include "core/generator_definition.h"

namespace {

using namespace idgen;
using core::Field;
using core::GeneratorDefinition;
using core::Layout;
using fuzz::Require;

// As the SQL functions compute them.
constexpr int64_t kMaxEpochMs = INT64_MAX / core::kUsPerMs;
constexpr int64_t kMaxUnitUs = int64_t{24} * 3600 * core::kUsPerSecond;

void CheckFields(const Layout& layout, uint64_t id) {
  const unsigned bits = core::TotalBits(layout);
  Require(bits >= 1 && bits <= 64, "a layout has at most 64 bits");
  uint64_t seen = 0, put = 0;
  for (const Field* field : {&layout.time, &layout.region, &layout.app, &layout.worker, &layout.sequence}) {
    if (!field->Present()) continue;
    Require(field->width < 64 && field->shift + field->width <= bits, "a field lies within the id");
    const uint64_t mask = field->Put(field->MaxValue());
    Require((seen & mask) == 0, "no bit is in two fields");
    seen |= mask;
    put |= field->Put(field->Get(id));
  }
  Require(seen == core::IdMask(layout), "each bit is in a field");
  Require(put == (id & seen), "the fields make up the id");
}

void CheckText(const Layout& layout) {
  char text[core::kLayoutTextBytes];
  const size_t size = core::WriteLayout(layout, text);
  Require(size < sizeof text && strlen(text) == size, "a layout's text fits its buffer");
  Layout again;
  again.epoch_ms = layout.epoch_ms;
  again.unit_ms = layout.unit_ms;
  again.fixed = layout.fixed;
  Require(core::ParseLayout(text, &again).kind == core::LayoutError::Kind::kNone && again == layout,
          "a layout reads as it was written");
}

void CheckTimes(const GeneratorDefinition& definition, uint64_t any, int64_t at_us) {
  core::IdsPerSecond(definition);
  if (core::Issuable(definition) != core::Obstacle::kNone) return;
  const auto id = static_cast<int64_t>(any & core::IdMask(definition.layout) & INT64_MAX);
  const auto time_us = core::TimestampUs(definition, static_cast<uint64_t>(id));
  const auto end_us = core::EndUs(definition);
  Require(time_us.has_value() && end_us.has_value() && *time_us < *end_us, "an id's time is before the end of time");
  const auto min = core::MinId(definition, at_us);
  const int64_t max = core::MaxId(definition, at_us);
  Require((min.has_value() && id >= *min) == (*time_us >= at_us), "MinId separates ids by time");
  Require((id <= max) == (*time_us <= at_us), "MaxId separates ids by time");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  GeneratorDefinition definition;
  definition.layout = Layout();
  definition.layout.epoch_ms = (input.Any() & INT64_MAX) % kMaxEpochMs;
  definition.unit_us = (input.Any() & INT64_MAX) % kMaxUnitUs + 1;
  definition.layout.unit_ms = definition.unit_us / core::kUsPerMs;
  const auto id = input.Number();
  const int64_t at_us = input.Any();
  const std::string_view text = input.Rest();
  const core::LayoutError error = core::ParseLayout(text, &definition.layout);
  if (error.kind != core::LayoutError::Kind::kNone) {
    Require(error.word.empty() || (error.word.data() >= text.data() &&
                                   error.word.data() + error.word.size() <= text.data() + text.size()),
            "the word at fault is of the text");
    core::FindPreset(text);
    return 0;
  }
  CheckFields(definition.layout, id);
  CheckText(definition.layout);
  CheckTimes(definition, id, at_us);
  return 0;
}
