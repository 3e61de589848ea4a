// Compares the model with a real etcd: random operations go to both, and their replies must be the same but for the ids
// of cluster and members.
//
//     idgen_etcd_conformance URL [--seed N] [--sequences N] [--break=NAME --expect-mismatch]
//
// URL: http://HOST:PORT of an etcd that nobody else writes to.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "engine/format.h"
#include "engine/random.h"
#include "etcd/base64.h"
#include "etcd/model.h"

namespace idgen::sim {
namespace {

constexpr int kSteps = 60;          // of a sequence
constexpr size_t kRemembered = 12;  // steps that a mismatch shows
constexpr int kLeasesThatEnd = 12;

[[noreturn]] void Die(const std::string& text) {
  fprintf(stderr, "%s\n", text.c_str());
  exit(2);
}

class RealEtcd {
 public:
  explicit RealEtcd(std::string url) : url_(std::move(url)), curl_(curl_easy_init()) {
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
  }
  ~RealEtcd() {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }

  EtcdModel::Answer Call(std::string_view path, const std::string& body) {
    EtcdModel::Answer answer;
    const std::string url = url_ + "/v3/" + std::string(path);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(
        curl_, CURLOPT_WRITEFUNCTION, +[](char* data, size_t, size_t size, void* to) {
          static_cast<std::string*>(to)->append(data, size);
          return size;
        });
    const CURLcode result = curl_easy_perform(curl_);
    if (result != CURLE_OK) Die("no etcd at " + url_ + ": " + curl_easy_strerror(result));
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer.http_status = static_cast<int>(status);
    return answer;
  }

 private:
  std::string url_;
  CURL* curl_;
  curl_slist* headers_ = nullptr;
};

// What must be the same of an answer.
std::string Normalized(const EtcdModel::Answer& answer) {
  std::string text = std::to_string(answer.http_status) + " ";
  json_t* body = json_loads(answer.body.c_str(), 0, nullptr);
  if (body == nullptr) return text + answer.body;
  json_t* result = json_object_get(body, "result");
  json_t* header = json_object_get(result == nullptr ? body : result, "header");
  for (const char* name : {"cluster_id", "member_id", "raft_term"})
    if (json_object_get(header, name) != nullptr) json_object_set_new(header, name, json_string("*"));
  // Of a status, the version and sizes of files; of JSON that cannot be parsed, the words of the parser.
  for (const char* name : {"version", "dbSize", "dbSizeInUse", "leader", "raftIndex", "raftTerm", "raftAppliedIndex"})
    json_object_del(body, name);
  const char* message = json_string_value(json_object_get(body, "message"));
  if (message != nullptr && strncmp(message, "etcdserver:", 11) != 0)
    for (const char* name : {"error", "message"}) json_object_set_new(body, name, json_string("*"));
  size_t i;
  json_t* alarm;
  json_array_foreach(json_object_get(body, "alarms"), i, alarm)
      json_object_set_new(alarm, "memberID", json_string("*"));
  if (json_array_size(json_object_get(body, "errors")) == 1)
    json_object_set_new(body, "errors", json_string("an alarm"));
  char* sorted = json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT);
  text += sorted;
  free(sorted);
  json_decref(body);
  return text;
}

struct Run {
  RealEtcd& real;
  EtcdBreaks breaks;
  std::string member;
  uint64_t calls = 0, errors = 0, writes = 0;
};

class Sequence {
 public:
  Sequence(Run& run, uint64_t seed)
      : run_(run),
        random_(seed),
        seed_(seed),
        prefix_(Format("c%d/%llu/", getpid(), static_cast<unsigned long long>(seed))) {
    model_.breaks = run.breaks;
    ids_[0] = 0x7000000000000000 + static_cast<int64_t>(seed % 1000000000) * 1000;
    for (int i = 1; i < kIds; ++i) ids_[i] = ids_[0] + i;
    // What a run that was ended may have left behind.
    Revision();
    run.real.Call("maintenance/alarm",
                  "{\"action\":\"DEACTIVATE\",\"alarm\":\"NOSPACE\",\"memberID\":\"" + run.member + "\"}");
    for (const int64_t id : ids_) run.real.Call("lease/revoke", Format("{\"ID\":\"%" PRId64 "\"}", id));
    model_.StartAt(Revision());
  }

  bool Go() {
    for (int i = 0; i < kSteps; ++i)
      if (!Step()) return false;
    return CleanUp();
  }

  // Leases that end by themselves: a round of it takes seconds.
  bool LeasesEnd() {
    std::vector<int64_t> leases;
    for (int i = 0; i < kLeasesThatEnd; ++i) {
      const int64_t id = ids_[0] + 100 + i;
      leases.push_back(id);
      if (!Both("lease/grant", Format("{\"ID\":\"%" PRId64 "\",\"TTL\":\"%d\"}", id, i % 4))) return false;
      // One in four has no keys: its end makes no revision.
      for (int k = 0; k < i % 4; ++k)
        if (!Both("kv/put",
                  "{" + KeyField(Key(i * 4 + k)) + Format(",\"value\":\"MQ==\",\"lease\":\"%" PRId64 "\"}", id)))
          return false;
    }
    // A key that is put without its lease stays.
    if (!Both("kv/put", "{" + KeyField(Key(5 * 4)) + ",\"value\":\"Mg==\"}")) return false;
    for (const int64_t id : leases) {
      const std::string body = Format("{\"ID\":\"%" PRId64 "\"}", id);
      for (int i = 0; i < 600; ++i) {
        json_t* reply = json_loads(run_.real.Call("lease/timetolive", body).body.c_str(), 0, nullptr);
        const char* ttl = json_string_value(json_object_get(reply, "TTL"));
        const bool ended = ttl != nullptr && strcmp(ttl, "-1") == 0;
        json_decref(reply);
        if (ended) break;
        usleep(50000);
      }
    }
    now_ms_ += 3600 * 1000;
    const std::string all =
        "{" + KeyField(prefix_) + ",\"range_end\":\"" + Encoded(prefix_.substr(0, prefix_.size() - 1) + "0") + "\"}";
    if (!Both("kv/range", all)) return false;
    for (const int64_t id : leases) {
      const std::string body = Format("{\"ID\":\"%" PRId64 "\"}", id);
      if (!Both("lease/keepalive", body) ||
          !Both("kv/put", "{" + KeyField(Key(1)) + Format(",\"lease\":\"%" PRId64 "\"}", id)) ||
          !Both("lease/revoke", body) || !Both("lease/grant", Format("{\"ID\":%" PRId64 ",\"TTL\":300}", id)) ||
          !Both("lease/keepalive", body) || !Both("lease/revoke", body))
        return false;
    }
    return CleanUp();
  }

 private:
  static constexpr int kIds = 4;
  static constexpr int kKeys = 7;

  int64_t Revision() {
    const EtcdModel::Answer answer = run_.real.Call("kv/range", "{\"key\":\"AA==\"}");
    json_t* reply = json_loads(answer.body.c_str(), 0, nullptr);
    json_t* header = json_object_get(reply, "header");
    const char* revision = json_string_value(json_object_get(header, "revision"));
    const char* member = json_string_value(json_object_get(header, "member_id"));
    if (revision == nullptr || member == nullptr) Die("not an etcd: " + answer.body);
    const int64_t number = atoll(revision);
    run_.member = member;
    json_decref(reply);
    return number;
  }

  bool Both(const std::string& path, const std::string& body) {
    ++run_.calls;
    const EtcdModel::Answer real = run_.real.Call(path, body);
    now_ms_ += 1;
    const int64_t before = model_.revision();
    const EtcdModel::Answer model = model_.Call(path, body, now_ms_);
    if (real.http_status != 200) ++run_.errors;
    if (model_.revision() != before) ++run_.writes;
    const std::string a = Normalized(real), b = Normalized(model);
    history_.push_back(path + " " + body + "\n      " + a);
    if (history_.size() > kRemembered) history_.pop_front();
    if (a == b) return true;
    printf("seed %" PRIu64 ": the model answers otherwise than etcd\n", seed_);
    for (const std::string& step : history_) printf("  %s\n", step.c_str());
    printf("  the model: %s\n", b.c_str());
    return false;
  }

  bool CleanUp() {
    if (!Both("maintenance/alarm",
              "{\"action\":\"DEACTIVATE\",\"alarm\":\"NOSPACE\",\"memberID\":\"" + run_.member + "\"}"))
      return false;
    for (const int64_t id : ids_)
      if (!Both("lease/revoke", Format("{\"ID\":\"%" PRId64 "\"}", id))) return false;
    return Both("kv/deleterange", "{" + KeyField(prefix_) + ",\"range_end\":\"" +
                                      Encoded(prefix_.substr(0, prefix_.size() - 1) + "0") + "\"}");
  }

  // --- random bodies

  static std::string Encoded(std::string_view bytes) {
    std::string text;
    AppendBase64(bytes, &text);
    return text;
  }
  static std::string KeyField(std::string_view key) { return "\"key\":\"" + Encoded(key) + "\""; }
  std::string Key(int64_t number) const { return prefix_ + std::to_string(number); }
  std::string AnyKey() { return Key(random_.Between(0, kKeys - 1)); }
  std::string Name(const char* camel, const char* snake) {
    return std::string("\"") + (random_.Chance(0.5) ? camel : snake) + "\":";
  }
  std::string Number(int64_t number) {
    const std::string digits = std::to_string(number);
    return random_.Chance(0.5) ? digits : "\"" + digits + "\"";
  }
  // An empty key now and then, and an end that is before the key.
  std::string Keys() {
    if (random_.Chance(0.01)) return "\"key\":\"\"";
    std::string keys = KeyField(AnyKey());
    if (random_.Chance(0.3)) keys += "," + Name("rangeEnd", "range_end") + "\"" + Encoded(AnyKey()) + "\"";
    return keys;
  }
  std::string Value() {
    constexpr std::string_view kValues[] = {"", "0", "1", "9", "10", "0000000000000017", "a\"b\\c", {"\0\xff\n", 3}};
    return Encoded(kValues[random_.Below(std::size(kValues))]);
  }
  int64_t LeaseId() { return random_.Chance(0.05) ? 0 : ids_[random_.Below(kIds)]; }
  // A number near those that keys have.
  int64_t SomeRevision() {
    if (random_.Chance(0.4)) return random_.Between(0, 3);
    if (model_.keys().empty() || random_.Chance(0.1)) return model_.revision() - random_.Between(0, 5);
    auto it = model_.keys().begin();
    std::advance(it, random_.Below(model_.keys().size()));
    const int64_t numbers[] = {it->second.create_revision, it->second.mod_revision, it->second.version,
                               it->second.lease};
    return numbers[random_.Below(4)] + (random_.Chance(0.2) ? random_.Between(-1, 1) : 0);
  }

  std::string Range() {
    std::string body = "{" + Keys();
    if (random_.Chance(0.3)) body += ",\"limit\":" + Number(random_.Between(0, 4));
    if (random_.Chance(0.2)) body += "," + Name("keysOnly", "keys_only") + "true";
    if (random_.Chance(0.1)) body += "," + Name("countOnly", "count_only") + "true";
    if (random_.Chance(0.1)) body += ",\"serializable\":false";
    return body + "}";
  }
  std::string Put() {
    std::string body = "{" + (random_.Chance(0.01) ? "\"key\":\"\"" : KeyField(AnyKey()));
    if (random_.Chance(0.9)) body += ",\"value\":\"" + Value() + "\"";
    if (random_.Chance(0.4)) body += ",\"lease\":" + Number(LeaseId());
    return body + "}";
  }
  std::string Touch() {
    return "{" + KeyField(AnyKey()) + ",\"ignoreValue\":true,\"ignoreLease\":true,\"prevKv\":true}";
  }
  std::string Compare() {
    static constexpr const char* kTargets[] = {"VERSION", "CREATE", "MOD", "VALUE", "LEASE"};
    static constexpr const char* kRelations[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
    std::string body = "{" + Keys();
    const uint64_t target = random_.Below(5);
    if (target != 0 || random_.Chance(0.5))
      body += ",\"target\":" + (random_.Chance(0.8) ? Format("\"%s\"", kTargets[target]) : std::to_string(target));
    const uint64_t relation = random_.Below(4);
    if (relation != 0 || random_.Chance(0.5))
      body +=
          ",\"result\":" + (random_.Chance(0.8) ? Format("\"%s\"", kRelations[relation]) : std::to_string(relation));
    if (random_.Chance(0.05)) return body + "}";
    switch (target) {
      case 0: body += ",\"version\":" + Number(SomeRevision()); break;
      case 1: body += "," + Name("createRevision", "create_revision") + Number(SomeRevision()); break;
      case 2: body += "," + Name("modRevision", "mod_revision") + Number(SomeRevision()); break;
      case 3: body += ",\"value\":\"" + Value() + "\""; break;
      default: body += ",\"lease\":" + Number(random_.Chance(0.7) ? LeaseId() : SomeRevision());
    }
    return body + "}";
  }
  std::string Operation(int depth) {
    if (random_.Chance(0.01)) return "{}";
    const double draw = random_.Unit();
    if (depth < 3 && draw < 0.3) return "{" + Name("requestTxn", "request_txn") + Txn(depth + 1) + "}";
    if (draw < 0.6) return "{" + Name("requestPut", "request_put") + Put() + "}";
    if (draw < 0.9) return "{" + Name("requestRange", "request_range") + Range() + "}";
    return "{" + Name("requestDeleteRange", "request_delete_range") + "{" + Keys() + "}}";
  }
  template <class Make>
  std::string List(int64_t count, const Make& make) {
    std::string list = "[";
    for (int64_t i = 0; i < count; ++i) list += (i > 0 ? "," : "") + make(i);
    return list + "]";
  }
  std::string Txn(int depth) {
    const auto operation = [this, depth](int64_t) { return Operation(depth); };
    std::string body = "{\"compare\":" + List(random_.Between(0, 2), [this](int64_t) { return Compare(); });
    if (random_.Chance(0.9)) body += ",\"success\":" + List(random_.Between(0, 3), operation);
    if (random_.Chance(0.7)) body += ",\"failure\":" + List(random_.Between(0, 2), operation);
    return body + "}";
  }
  // A list or a chain of transactions near the limit of operations.
  std::string LargeTxn() {
    const int64_t count = random_.Between(125, 130);
    switch (random_.Below(3)) {
      case 0: return "{\"compare\":" + List(count, [this](int64_t) { return Compare(); }) + "}";
      case 1:
        return "{\"success\":" +
               List(count,
                    [this](int64_t i) {
                      return "{\"requestTxn\":{\"compare\":[" + Compare() + "],\"success\":[{\"requestPut\":{" +
                             KeyField(Key(100 + i)) + ",\"value\":\"" + Value() + "\"}}]}}";
                    }) +
               "}";
      default: {
        std::string chain = "{\"compare\":[" + Compare() + "]}";
        for (int64_t i = 1; i < count; ++i)
          chain = "{\"compare\":[" + Compare() + "],\"success\":[{\"requestPut\":{" + KeyField(Key(100 + i)) +
                  "}}],\"failure\":[{\"requestTxn\":" + chain + "}]}";
        return chain;
      }
    }
  }

  bool Step() {
    const double draw = random_.Unit();
    if (draw < 0.15) return Both("kv/range", Range());
    if (draw < 0.3) return Both("kv/put", random_.Chance(0.2) ? Touch() : Put());
    if (draw < 0.35) return Both("kv/deleterange", "{" + Keys() + "}");
    if (draw < 0.75) return Both("kv/txn", Txn(0));
    if (draw < 0.76) return Both("kv/txn", LargeTxn());
    const std::string id = random_.Chance(0.03) ? "{}" : "{\"ID\":" + Number(ids_[random_.Below(kIds)]) + "}";
    if (draw < 0.85) {
      const int64_t ttl_s = random_.Chance(0.05) ? 9000000001 : random_.Between(500, 900);
      return Both("lease/grant", "{\"ID\":" + Number(ids_[random_.Below(kIds)]) + ",\"TTL\":" + Number(ttl_s) + "}");
    }
    if (draw < 0.91) return Both("lease/keepalive", id);
    if (draw < 0.95) return Both("lease/revoke", id);
    if (draw < 0.96) return Both("maintenance/status", "{}");
    if (draw < 0.97) return Both("auth/authenticate", "{\"name\":\"a\",\"password\":\"b\"}");
    if (draw < 0.98) return Both("kv/put", random_.Chance(0.5) ? "{" : "{\"key\":\"%\"}");
    if (draw < 0.982) return Both("maintenance/alarm", "{}");
    return Both("maintenance/alarm", std::string("{\"action\":\"") + (random_.Chance(0.2) ? "ACTIVATE" : "DEACTIVATE") +
                                         "\",\"alarm\":\"NOSPACE\",\"memberID\":\"" + run_.member + "\"}");
  }

  Run& run_;
  Random random_;
  uint64_t seed_;
  std::string prefix_;
  int64_t ids_[kIds];
  EtcdModel model_;
  int64_t now_ms_ = 1000;
  std::deque<std::string> history_;
};

int Main(int argc, char** argv) {
  std::string url;
  uint64_t seed = 1, sequences = 100;
  bool expect_mismatch = false;
  EtcdBreaks breaks;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--seed" && i + 1 < argc)
      seed = strtoull(argv[++i], nullptr, 10);
    else if (word == "--sequences" && i + 1 < argc)
      sequences = strtoull(argv[++i], nullptr, 10);
    else if (word == "--expect-mismatch")
      expect_mismatch = true;
    else if (word.substr(0, 8) == "--break=" && breaks.Set(word.substr(8)))
      continue;
    else if (word.substr(0, 4) == "http")
      url = word;
    else
      Die("usage: idgen_etcd_conformance URL [--seed N] [--sequences N] [--break=NAME --expect-mismatch]");
  }
  if (url.empty()) Die("the first argument is the URL of an etcd");
  RealEtcd real(url);
  Run run{.real = real, .breaks = breaks};
  bool same = true;
  for (uint64_t i = 0; i < sequences && same; ++i) same = Sequence(run, seed + i).Go();
  if (same) same = Sequence(run, seed + sequences).LeasesEnd();
  printf("%" PRIu64 " sequences from seed %" PRIu64 ": %" PRIu64 " calls, %" PRIu64 " of them writes, %" PRIu64
         " errors; mismatches: %d\n",
         sequences, seed, run.calls, run.writes, run.errors, same ? 0 : 1);
  return same != expect_mismatch ? 0 : 1;
}

}  // namespace
}  // namespace idgen::sim

int main(int argc, char** argv) { return idgen::sim::Main(argc, argv); }
