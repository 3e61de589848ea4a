// Text forms of ids: a written id reads as the same id, two texts are the same id only if they differ in case or in
// look-alike characters, and the position of an error lies within the text.
#include "fuzz.h"

#include "core/text_form.h"

namespace {

using namespace idgen;
using core::TextFault;
using core::TextForm;
using fuzz::Require;

constexpr TextForm kForms[] = {TextForm::kBase32, TextForm::kBase58, TextForm::kBase62, TextForm::kHex,
                               TextForm::kUnsigned};

std::string Write(TextForm form, uint64_t id) {
  char text[core::kMaxTextChars + 1];
  text[core::kMaxTextChars] = '#';
  const size_t size = core::WriteText(form, id, text);
  Require(size >= 1 && size <= core::kMaxTextChars && text[core::kMaxTextChars] == '#', "a text fits its buffer");
  return std::string(text, size);
}

std::string Write(const core::Uuid& uuid) {
  char text[core::kUlidChars];
  Require(core::WriteUlid(uuid, text) == core::kUlidChars, "a ULID has 26 characters");
  return std::string(text, sizeof text);
}

// The canonical spelling of a text.
std::string Canonical(std::string_view text, bool is_base32) {
  std::string out;
  for (char c : text) {
    if (is_base32 && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (is_base32 && (c == 'I' || c == 'L')) c = '1';
    if (is_base32 && c == 'O') c = '0';
    if (!is_base32 && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    out += c;
  }
  return out;
}

void CheckText(TextForm form, std::string_view text) {
  const core::ReadId read = core::ReadText(form, text);
  if (read.fault != TextFault::kNone) {
    Require(read.fault != TextFault::kCharacter || read.position < text.size(),
            "the position of an error is within the text");
    return;
  }
  const bool folds = form == TextForm::kBase32 || form == TextForm::kHex;
  Require(Write(form, read.id) == (folds ? Canonical(text, form == TextForm::kBase32) : std::string(text)),
          "an id has one text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  const auto id = static_cast<uint64_t>(input.Any());
  const std::string_view text = input.Rest();
  for (const TextForm form : kForms) {
    const std::string written = Write(form, id);
    const core::ReadId read = core::ReadText(form, written);
    Require(read.fault == TextFault::kNone && read.id == id, "an id reads as it was written");
    CheckText(form, text);
  }

  core::Uuid uuid = {};
  text.copy(reinterpret_cast<char*>(uuid.bytes), sizeof uuid.bytes);
  const core::ReadUuid read = core::ReadUlid(Write(uuid));
  Require(read.fault == TextFault::kNone && memcmp(read.uuid.bytes, uuid.bytes, sizeof uuid.bytes) == 0,
          "a UUID reads as it was written");
  const core::ReadUuid any = core::ReadUlid(text);
  if (any.fault == TextFault::kNone)
    Require(Write(any.uuid) == Canonical(text, true), "a UUID has one ULID");
  else
    Require(any.fault != TextFault::kCharacter || any.position < text.size(),
            "the position of an error is within the text");
  return 0;
}
