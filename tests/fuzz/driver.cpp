// Runs a harness without libFuzzer: first each seed file, then inputs mutated from them, which depend only on --seed.
// An input that ends the process is kept in crash-<seed>-<run>: to reproduce the failure, give that file as the only
// argument.
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kMaxBytes = 4096;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint64_t Next() {  // splitmix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  size_t Below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(Next() % bound); }

 private:
  uint64_t state_;
};

Bytes current;
char crash_file[64] = "crash";

// Calls only functions that are safe in signal handlers.
void KeepInput(int signal_number) {
  const int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd >= 0 && write(fd, current.data(), current.size()) == static_cast<ssize_t>(current.size())) {
    constexpr char kTold[] = "the input is kept in ";
    (void)!write(2, kTold, sizeof kTold - 1);
    (void)!write(2, crash_file, strlen(crash_file));
    (void)!write(2, "\n", 1);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

Bytes Slice(const Bytes& of, Random* random) {
  const size_t begin = random->Below(of.size());
  const size_t size = random->Below(std::min<size_t>(of.size() - begin, 64) + 1);
  return Bytes(of.begin() + static_cast<ptrdiff_t>(begin), of.begin() + static_cast<ptrdiff_t>(begin + size));
}

void Change(Bytes* bytes, const std::vector<Bytes>& seeds, Random* random) {
  constexpr uint8_t kEdges[] = {0, 1, 9, 10, 13, ' ', '"', '%', '*', '-', '0', '9', ':', '@', 127, 128, 255};
  const size_t at = random->Below(bytes->size() + 1);
  const auto place = bytes->begin() + static_cast<ptrdiff_t>(at);
  const bool is_inside = at < bytes->size();
  switch (random->Below(8)) {
    case 0:
      if (is_inside) *place ^= static_cast<uint8_t>(1 << random->Below(8));
      break;
    case 1:
      if (is_inside) *place = static_cast<uint8_t>(random->Next());
      break;
    case 2:
      if (is_inside) *place = kEdges[random->Below(std::size(kEdges))];
      break;
    case 3: bytes->insert(place, kEdges[random->Below(std::size(kEdges))]); break;
    case 4:
      bytes->erase(place, place + static_cast<ptrdiff_t>(random->Below(std::min<size_t>(bytes->size() - at, 16) + 1)));
      break;
    case 5: {
      const Bytes slice = Slice(seeds[random->Below(seeds.size())], random);
      bytes->insert(place, slice.begin(), slice.end());
      break;
    }
    case 6: {
      const Bytes slice = Slice(*bytes, random);
      bytes->insert(bytes->begin() + static_cast<ptrdiff_t>(at), slice.begin(), slice.end());
      break;
    }
    case 7: {  // the start of one seed and the end of another
      const Bytes& other = seeds[random->Below(seeds.size())];
      bytes->resize(at);
      bytes->insert(bytes->end(), other.begin() + static_cast<ptrdiff_t>(random->Below(other.size() + 1)), other.end());
      break;
    }
  }
  if (bytes->size() > kMaxBytes) bytes->resize(kMaxBytes);
}

void Run(const Bytes& bytes) {
  current = bytes;
  // A copy of exactly that size, so that a sanitizer notices reads past the end.
  const Bytes copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

Bytes Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

[[noreturn]] void Usage(const char* name) {
  fprintf(stderr, "usage: %s [--runs N] [--seconds N] [--seed N] [FILE or FOLDER of seeds...]\n", name);
  exit(2);
}

}  // namespace

// Every failure ends in SIGABRT.
extern "C" const char* __asan_default_options() { return "abort_on_error=1:handle_abort=0:detect_leaks=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

int main(int count, char** arguments) {
  uint64_t runs = 0, seed = 1;
  int64_t seconds = 0;
  std::vector<Bytes> seeds;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    const bool has_value = i + 1 < count;
    if (argument == "--runs" && has_value) {
      runs = strtoull(arguments[++i], nullptr, 10);
    } else if (argument == "--seconds" && has_value) {
      seconds = strtoll(arguments[++i], nullptr, 10);
    } else if (argument == "--seed" && has_value) {
      seed = strtoull(arguments[++i], nullptr, 10);
    } else if (argument.starts_with("-") || !std::filesystem::exists(argument)) {
      Usage(arguments[0]);
    } else if (std::filesystem::is_directory(argument)) {
      std::vector<std::filesystem::path> files;
      for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (const auto& file : files) seeds.push_back(Read(file));
    } else {
      seeds.push_back(Read(argument));
    }
  }
  seeds.emplace_back();  // libFuzzer begins with the empty input, too
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(signal_number, KeepInput);

  uint64_t done = 0;
  for (const Bytes& bytes : seeds) {
    snprintf(crash_file, sizeof crash_file, "crash-of-seed-%llu", static_cast<unsigned long long>(done++));
    Run(bytes);
  }
  const time_t end = time(nullptr) + seconds;
  for (uint64_t run = 0; run < runs || (seconds > 0 && time(nullptr) < end); ++run, ++done) {
    Random random(seed * 1000003 + run);
    snprintf(crash_file, sizeof crash_file, "crash-%llu-%llu", static_cast<unsigned long long>(seed),
             static_cast<unsigned long long>(run));
    Bytes bytes = seeds[random.Below(seeds.size())];
    for (size_t changes = random.Below(6) + 1; changes > 0; --changes) Change(&bytes, seeds, &random);
    Run(bytes);
  }
  const std::string name = std::filesystem::path(arguments[0]).filename().string();
  printf("%s: %llu inputs from %zu seeds\n", name.c_str(), static_cast<unsigned long long>(done), seeds.size());
  return 0;
}
