// One call: its body is read with jansson, checked in the order in which etcd checks it, carried out, and answered.
#include "etcd/model.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

#include <jansson.h>

#include "etcd/base64.h"

namespace idgen::sim {
namespace {

// gRPC's codes, and the HTTP statuses that the gateway makes of them.
enum Code { kInvalidArgument = 3, kNotFound = 5, kResourceExhausted = 8, kFailedPrecondition = 9, kOutOfRange = 11 };
constexpr int kUnimplemented = 12;
int StatusOf(int code) {
  switch (code) {
    case kNotFound: return 404;
    case kResourceExhausted: return 429;
    case kFailedPrecondition: return 412;
    case kUnimplemented: return 501;
    default: return 400;
  }
}

struct Error {
  int code = 0;
  std::string message;

  explicit operator bool() const { return code != 0; }
};
const Error kEmptyKey{kInvalidArgument, "etcdserver: key is not provided"};
const Error kTooManyOps{kInvalidArgument, "etcdserver: too many operations in txn request"};
const Error kDuplicateKey{kInvalidArgument, "etcdserver: duplicate key given in txn request"};
const Error kEmptyOperation{kInvalidArgument, "etcdserver: key not found"};
const Error kNoLease{kNotFound, "etcdserver: requested lease not found"};
const Error kLeaseExists{kFailedPrecondition, "etcdserver: lease already exists"};
const Error kTtlTooLarge{kOutOfRange, "etcdserver: too large lease TTL"};
const Error kNoSpace{kResourceExhausted, "etcdserver: mvcc: database space exceeded"};
const Error kNoAuth{kFailedPrecondition, "etcdserver: authentication is not enabled"};

constexpr int64_t kMaxTtlS = 9000000000;

enum class Operation { kNone, kRange, kPut, kDelete, kTxn };

// [key, end), or the key alone if `end` is empty. An end of one zero byte: without end.
struct Interval {
  std::string key = {}, end = {};

  bool Contains(std::string_view other) const {
    if (end.empty()) return other == key;
    return other >= key && (end == std::string_view("\0", 1) || other < end);
  }
};

enum class Target { kVersion, kCreate, kMod, kValue, kLease };
enum class Relation { kEqual, kGreater, kLess, kNotEqual };

struct Compare {
  Interval keys;
  Target target = Target::kVersion;
  Relation relation = Relation::kEqual;
  int64_t number = 0;
  std::string value = {};
};

struct Request;

struct Txn {
  std::vector<Compare> compares = {};
  std::vector<Request> success, failure;
};

struct Request {
  Operation operation = Operation::kNone;
  Interval keys = {};
  std::string value = {};
  int64_t lease = 0;
  int64_t limit = 0;
  bool keys_only = false, count_only = false;
  bool touches = false;  // a put, not within a transaction, that keeps the value and returns the previous record
  Txn txn = {};
};

// A transaction's branches as the compares before it choose them; nested ones in the order of the operations.
struct Path {
  bool succeeded = false;
  std::vector<Path> nested;
};

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// --- reading a body

class Reader {
 public:
  Error error;

  // A field's value by either of its names; nullptr if it is missing or null.
  static json_t* Field(json_t* object, const char* name) {
    json_t* value = json_object_get(object, name);
    if (value != nullptr) return json_is_null(value) ? nullptr : value;
    // requestPut is request_put, too.
    std::string snake;
    for (const char* c = name; *c != '\0'; ++c) {
      if (*c >= 'A' && *c <= 'Z' && snake != "" && snake.back() != '_' && (c[1] >= 'a' || c[1] == '\0')) snake += '_';
      snake += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    }
    value = json_object_get(object, snake.c_str());
    return value == nullptr || json_is_null(value) ? nullptr : value;
  }
  std::string Bytes(json_t* object, const char* name) {
    json_t* value = Field(object, name);
    std::string bytes;
    if (value == nullptr) return bytes;
    if (!json_is_string(value) || !FromBase64({json_string_value(value), json_string_length(value)}, &bytes))
      Fail({kInvalidArgument, "illegal base64 data at input byte 0"});
    return bytes;
  }
  int64_t Number(json_t* object, const char* name) {
    json_t* value = Field(object, name);
    if (value == nullptr) return 0;
    if (json_is_integer(value)) return json_integer_value(value);
    char* end = nullptr;
    const char* text = json_is_string(value) ? json_string_value(value) : "";
    errno = 0;
    const int64_t number = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0) Fail({kInvalidArgument, "not a number of 64 bits"});
    return number;
  }
  bool Flag(json_t* object, const char* name) { return json_is_true(Field(object, name)); }
  template <size_t kCount>
  int Enum(json_t* object, const char* name, const char* const (&names)[kCount]) {
    json_t* value = Field(object, name);
    if (value == nullptr) return 0;
    if (json_is_integer(value)) return static_cast<int>(json_integer_value(value)) % static_cast<int>(kCount);
    for (size_t i = 0; i < kCount; ++i)
      if (json_is_string(value) && names[i] == std::string_view(json_string_value(value))) return static_cast<int>(i);
    Fail({kInvalidArgument, "unknown value for enum"});
    return 0;
  }
  // Fields that change what etcd does, and that are not modelled.
  void Refuse(json_t* object, std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (Field(object, name) != nullptr) Fail({kUnimplemented, std::string("not modelled: ") + name});
  }

  Interval Keys(json_t* object) { return {Bytes(object, "key"), Bytes(object, "rangeEnd")}; }

  Request Range(json_t* object) {
    Refuse(object, {"revision", "sortOrder", "sortTarget", "minModRevision", "maxModRevision", "minCreateRevision",
                    "maxCreateRevision"});
    Request request{.operation = Operation::kRange, .keys = Keys(object)};
    request.limit = Number(object, "limit");
    request.keys_only = Flag(object, "keysOnly");
    request.count_only = Flag(object, "countOnly");
    return request;
  }
  Request Put(json_t* object) {
    const bool touches = Flag(object, "prevKv") && Flag(object, "ignoreValue") && Flag(object, "ignoreLease");
    if (!touches) Refuse(object, {"prevKv", "ignoreValue", "ignoreLease"});
    Request request{.operation = Operation::kPut, .keys = {Bytes(object, "key"), {}}, .value = Bytes(object, "value")};
    request.lease = Number(object, "lease");
    request.touches = touches;
    return request;
  }
  Request Delete(json_t* object) {
    Refuse(object, {"prevKv"});
    return {.operation = Operation::kDelete, .keys = Keys(object)};
  }
  Txn Transaction(json_t* object) {
    Txn txn;
    json_t* one;
    size_t i;
    json_array_foreach(Field(object, "compare"), i, one) {
      static constexpr const char* kTargets[] = {"VERSION", "CREATE", "MOD", "VALUE", "LEASE"};
      static constexpr const char* kRelations[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
      static constexpr const char* kNumbers[] = {"version", "createRevision", "modRevision", nullptr, "lease"};
      Compare compare{.keys = Keys(one)};
      compare.target = static_cast<Target>(Enum(one, "target", kTargets));
      compare.relation = static_cast<Relation>(Enum(one, "result", kRelations));
      // A number of another kind than the target's is as good as none.
      if (compare.target == Target::kValue)
        compare.value = Bytes(one, "value");
      else
        compare.number = Number(one, kNumbers[static_cast<size_t>(compare.target)]);
      txn.compares.push_back(std::move(compare));
    }
    txn.success = Operations(Field(object, "success"));
    txn.failure = Operations(Field(object, "failure"));
    return txn;
  }

 private:
  void Fail(const Error& why) {
    if (!error) error = why;
  }
  std::vector<Request> Operations(json_t* array) {
    std::vector<Request> operations;
    json_t* one;
    size_t i;
    json_array_foreach(array, i, one) {
      if (json_t* range = Field(one, "requestRange"))
        operations.push_back(Range(range));
      else if (json_t* put = Field(one, "requestPut"))
        operations.push_back(Put(put));
      else if (json_t* deletion = Field(one, "requestDeleteRange"))
        operations.push_back(Delete(deletion));
      else if (json_t* txn = Field(one, "requestTxn"))
        operations.push_back({.operation = Operation::kTxn, .txn = Transaction(txn)});
      else
        operations.emplace_back();
    }
    return operations;
  }
};

// --- what etcd checks before it proposes a transaction

Error CheckTxn(const Txn& txn, int max_ops);

Error CheckOperations(const std::vector<Request>& operations, int max_ops) {
  for (const Request& request : operations) {
    if (request.operation == Operation::kNone) return kEmptyOperation;
    if (request.operation == Operation::kTxn) {
      if (Error error = CheckTxn(request.txn, max_ops)) return error;
    } else if (request.keys.key.empty()) {
      return kEmptyKey;
    }
  }
  return {};
}

Error CheckTxn(const Txn& txn, int max_ops) {
  const auto count = static_cast<int>(std::max({txn.compares.size(), txn.success.size(), txn.failure.size()}));
  if (count > max_ops) return kTooManyOps;
  for (const Compare& compare : txn.compares)
    if (compare.keys.key.empty()) return kEmptyKey;
  if (Error error = CheckOperations(txn.success, max_ops - count)) return error;
  return CheckOperations(txn.failure, max_ops - count);
}

// No key may be put twice, or put and deleted, wherever it could come to both.
struct Written {
  std::set<std::string> puts;
  std::vector<Interval> deletions;

  bool Deletes(const std::string& key) const {
    return std::any_of(deletions.begin(), deletions.end(), [&](const Interval& it) { return it.Contains(key); });
  }
};

bool CheckKeys(const std::vector<Request>& operations, Written* written) {
  for (const Request& request : operations)
    if (request.operation == Operation::kDelete) written->deletions.push_back(request.keys);
  for (const Request& request : operations) {
    if (request.operation != Operation::kTxn) continue;
    Written then, otherwise;
    if (!CheckKeys(request.txn.success, &then) || !CheckKeys(request.txn.failure, &otherwise)) return false;
    for (const std::string& key : then.puts) {
      if (written->Deletes(key) || !written->puts.insert(key).second) return false;
    }
    for (const std::string& key : otherwise.puts) {
      if (written->Deletes(key)) return false;
      if (!written->puts.insert(key).second && then.puts.count(key) == 0) return false;
    }
    for (const Written* branch : {&then, &otherwise})
      written->deletions.insert(written->deletions.end(), branch->deletions.begin(), branch->deletions.end());
  }
  for (const Request& request : operations)
    if (request.operation == Operation::kPut &&
        (written->Deletes(request.keys.key) || !written->puts.insert(request.keys.key).second))
      return false;
  return true;
}

}  // namespace

bool EtcdBreaks::Set(std::string_view name) noexcept {
  struct Named {
    std::string_view name;
    bool EtcdBreaks::*flag;
  };
  static constexpr Named kAll[] = {
      {"compare-sees-writes", &EtcdBreaks::compare_sees_writes},
      {"put-keeps-lease", &EtcdBreaks::put_keeps_lease},
      {"put-keeps-mod", &EtcdBreaks::put_keeps_mod},
      {"missing-value-compares", &EtcdBreaks::missing_value_compares},
      {"revoke-keeps-keys", &EtcdBreaks::revoke_keeps_keys},
      {"zero-fields", &EtcdBreaks::zero_fields},
  };
  for (const Named& named : kAll)
    if (named.name == name) return this->*named.flag = true;
  return false;
}

// --- a call

class EtcdCall {
 public:
  EtcdCall(EtcdModel& etcd, json_t* body, int64_t now_ms) : etcd_(etcd), body_(body), now_ms_(now_ms) {}

  bool Run(std::string_view path) {
    if (path == "kv/range") {
      Single(reader_.Range(body_));
    } else if (path == "kv/put") {
      Single(reader_.Put(body_));
    } else if (path == "kv/deleterange") {
      Single(reader_.Delete(body_));
    } else if (path == "kv/txn") {
      Transact(reader_.Transaction(body_));
    } else if (path == "lease/grant" || path == "kv/lease/grant") {
      Grant();
    } else if (path == "lease/keepalive") {
      KeepAlive();
    } else if (path == "lease/revoke" || path == "kv/lease/revoke") {
      Revoke();
    } else if (path == "auth/authenticate") {
      error_ = kNoAuth;
    } else if (path == "maintenance/status") {
      Begin();
      Text("version", "3.4.23");
      if (etcd_.no_space_) out_ += ",\"errors\":[\"memberID:" + std::to_string(etcd_.member_id) + " alarm:NOSPACE \"]";
      out_ += '}';
    } else if (path == "maintenance/alarm") {
      Alarm();
    } else {
      return false;
    }
    return true;
  }

  EtcdModel::Answer answer() {
    if (!error_) return {200, std::move(out_)};
    const std::string message = Quoted(error_.message);
    return {StatusOf(error_.code),
            "{\"error\":" + message + ",\"message\":" + message + ",\"code\":" + std::to_string(error_.code) + "}"};
  }

 private:
  // --- writing JSON: zero, false and empty fields are left out

  void Name(const char* name) {
    if (out_.back() != '{' && out_.back() != '[') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void Number(const char* name, int64_t number) {
    if (number == 0 && !etcd_.breaks.zero_fields) return;
    Name(name);
    out_ += '"' + std::to_string(number) + '"';
  }
  void Flag(const char* name, bool flag) {
    if (!flag && !etcd_.breaks.zero_fields) return;
    Name(name);
    out_ += flag ? "true" : "false";
  }
  void Bytes(const char* name, std::string_view bytes) {
    if (bytes.empty()) return;
    Name(name);
    out_ += '"';
    AppendBase64(bytes, &out_);
    out_ += '"';
  }
  void Text(const char* name, std::string_view text) {
    Name(name);
    out_ += Quoted(text);
  }
  void Header() {
    Name("header");
    out_ += "{\"cluster_id\":\"" + std::to_string(etcd_.cluster_id) + "\",\"member_id\":\"" +
            std::to_string(etcd_.member_id) + "\",\"revision\":\"" + std::to_string(etcd_.revision_) +
            "\",\"raft_term\":\"" + std::to_string(etcd_.raft_term_) + "\"}";
  }
  // The header of an operation in a transaction: the revision that it sees.
  void InnerHeader() {
    Name("header");
    out_ += "{\"revision\":\"" + std::to_string(etcd_.revision_ + (wrote_ ? 1 : 0)) + "\"}";
  }
  void Begin() {
    out_ = "{";
    Header();
  }

  // --- keys

  void Single(const Request& request) {
    error_ = reader_.error;
    if (!error_) error_ = CheckOperations({request}, 0);
    if (!error_ && request.operation == Operation::kPut && etcd_.no_space_) error_ = kNoSpace;
    if (!error_ && !LeaseIsThere(request)) error_ = kNoLease;
    if (!error_ && request.touches && etcd_.keys_.count(request.keys.key) == 0) error_ = kEmptyOperation;
    if (error_) return;
    // The header, which comes first, has the revision after the operation.
    out_ = "{";
    Apply(request, false);
    const std::string rest = out_.substr(1);
    if (wrote_) ++etcd_.revision_;
    Begin();
    if (!rest.empty()) out_ += ',' + rest;
    out_ += '}';
  }

  void Transact(const Txn& txn) {
    error_ = reader_.error;
    if (!error_) error_ = CheckTxn(txn, etcd_.max_txn_ops);
    Written then, otherwise;
    if (!error_ && (!CheckKeys(txn.success, &then) || !CheckKeys(txn.failure, &otherwise))) error_ = kDuplicateKey;
    if (!error_ && etcd_.no_space_ && (Puts(txn.success) || Puts(txn.failure))) error_ = kNoSpace;
    if (error_) return;
    // All compares, nested ones too, see the state before the transaction.
    const Path path = PathOf(txn);
    if (!LeasesAreThere(txn, path)) error_ = kNoLease;
    if (error_) return;
    out_ = "{";
    Branch(txn, path);
    const std::string rest = out_.substr(1);
    if (wrote_) ++etcd_.revision_;
    Begin();
    if (!rest.empty()) out_ += ',' + rest;
    out_ += '}';
  }

  // Nested transactions do not count: etcd estimates by the outermost operations only.
  static bool Puts(const std::vector<Request>& operations) {
    return std::any_of(operations.begin(), operations.end(),
                       [](const Request& request) { return request.operation == Operation::kPut; });
  }

  void Branch(const Txn& txn, const Path& path) {
    Flag("succeeded", path.succeeded);
    const std::vector<Request>& operations = path.succeeded ? txn.success : txn.failure;
    if (operations.empty()) return;
    Name("responses");
    out_ += '[';
    size_t nested = 0;
    for (const Request& request : operations) {
      constexpr const char* kNames[] = {"", "response_range", "response_put", "response_delete_range", "response_txn"};
      if (out_.back() != '[') out_ += ',';
      out_ += '{';
      Name(kNames[static_cast<size_t>(request.operation)]);
      out_ += '{';
      if (request.operation == Operation::kTxn) {
        Name("header");
        out_ += "{}";
        const Path& chosen = path.nested[nested++];
        Branch(request.txn, etcd_.breaks.compare_sees_writes ? PathOf(request.txn) : chosen);
      } else {
        Apply(request, true);
      }
      out_ += "}}";
    }
    out_ += ']';
  }

  Path PathOf(const Txn& txn) {
    Path path;
    path.succeeded =
        std::all_of(txn.compares.begin(), txn.compares.end(), [this](const Compare& it) { return Holds(it); });
    for (const Request& request : path.succeeded ? txn.success : txn.failure)
      if (request.operation == Operation::kTxn) path.nested.push_back(PathOf(request.txn));
    return path;
  }

  bool LeasesAreThere(const Txn& txn, const Path& path) {
    size_t nested = 0;
    for (const Request& request : path.succeeded ? txn.success : txn.failure)
      if (request.operation == Operation::kTxn ? !LeasesAreThere(request.txn, path.nested[nested++])
                                               : !LeaseIsThere(request))
        return false;
    return true;
  }
  bool LeaseIsThere(const Request& request) const {
    return request.operation != Operation::kPut || request.lease == 0 || etcd_.leases_.count(request.lease) != 0;
  }

  bool Holds(const Compare& compare) const {
    bool any = false;
    for (auto it = etcd_.keys_.lower_bound(compare.keys.key);
         it != etcd_.keys_.end() && compare.keys.Contains(it->first); ++it) {
      any = true;
      if (!HoldsFor(compare, it->second)) return false;
    }
    if (any) return true;
    if (compare.target == Target::kValue && !etcd_.breaks.missing_value_compares) return false;
    return HoldsFor(compare, {});
  }
  static bool HoldsFor(const Compare& compare, const EtcdModel::Key& key) {
    int64_t order = 0;
    const auto compared = [](int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; };
    switch (compare.target) {
      case Target::kVersion: order = compared(key.version, compare.number); break;
      case Target::kCreate: order = compared(key.create_revision, compare.number); break;
      case Target::kMod: order = compared(key.mod_revision, compare.number); break;
      case Target::kValue: order = key.value.compare(compare.value); break;
      case Target::kLease: order = compared(key.lease, compare.number); break;
    }
    switch (compare.relation) {
      case Relation::kEqual: return order == 0;
      case Relation::kGreater: return order > 0;
      case Relation::kLess: return order < 0;
      case Relation::kNotEqual: return order != 0;
    }
    return false;
  }

  // Writes the reply's fields; those of an operation in a transaction begin with a header.
  void Apply(const Request& request, bool in_txn) {
    switch (request.operation) {
      case Operation::kRange:
        if (in_txn) InnerHeader();
        return Range(request);
      case Operation::kPut:
        if (request.touches) return Touch(request);
        Put(request);
        if (in_txn) InnerHeader();
        return;
      case Operation::kDelete: {
        const int64_t deleted = Delete(request);
        if (in_txn) InnerHeader();
        return Number("deleted", deleted);
      }
      default: return;
    }
  }

  void Range(const Request& request) {
    int64_t count = 0;
    bool more = false;
    std::string before = std::move(out_);
    out_ = "[";
    for (auto it = etcd_.keys_.lower_bound(request.keys.key);
         it != etcd_.keys_.end() && request.keys.Contains(it->first); ++it) {
      ++count;
      if (request.count_only) continue;
      if (request.limit > 0 && count > request.limit) {
        more = true;
        continue;
      }
      if (out_.back() != '[') out_ += ',';
      Record(it->first, it->second, !request.keys_only);
    }
    const std::string kvs = std::move(out_);
    out_ = std::move(before);
    if (kvs.size() > 1) {
      Name("kvs");
      out_ += kvs + ']';
    }
    Flag("more", more);
    Number("count", count);
  }

  void Record(const std::string& name, const EtcdModel::Key& key, bool with_value) {
    out_ += '{';
    Bytes("key", name);
    Number("create_revision", key.create_revision);
    Number("mod_revision", key.mod_revision);
    Number("version", key.version);
    if (with_value) Bytes("value", key.value);
    Number("lease", key.lease);
    out_ += '}';
  }

  void Touch(Request request) {
    const EtcdModel::Key& key = etcd_.keys_[request.keys.key];
    Name("prev_kv");
    Record(request.keys.key, key, true);
    request.value = key.value;
    request.lease = key.lease;
    Put(request);
  }

  void Put(const Request& request) {
    wrote_ = true;
    EtcdModel::Key& key = etcd_.keys_[request.keys.key];
    const int64_t revision = etcd_.revision_ + 1;
    if (key.version++ == 0) key.create_revision = revision;
    if (key.version == 1 || !etcd_.breaks.put_keeps_mod) key.mod_revision = revision;
    key.value = request.value;
    if (request.lease == 0 && etcd_.breaks.put_keeps_lease) return;
    if (key.lease != request.lease) {
      if (const auto old = etcd_.leases_.find(key.lease); old != etcd_.leases_.end())
        old->second.keys.erase(request.keys.key);
      key.lease = request.lease;
      if (key.lease != 0) etcd_.leases_[key.lease].keys.insert(request.keys.key);
    }
  }

  int64_t Delete(const Request& request) {
    std::vector<std::string> keys;
    for (auto it = etcd_.keys_.lower_bound(request.keys.key);
         it != etcd_.keys_.end() && request.keys.Contains(it->first); ++it)
      keys.push_back(it->first);
    for (const std::string& key : keys) etcd_.Remove(key);
    wrote_ = wrote_ || !keys.empty();
    return static_cast<int64_t>(keys.size());
  }

  // --- leases

  void Grant() {
    int64_t id = reader_.Number(body_, "ID");
    int64_t ttl_s = reader_.Number(body_, "TTL");
    error_ = reader_.error;
    if (!error_ && etcd_.no_space_) error_ = kNoSpace;
    if (!error_ && ttl_s > kMaxTtlS) error_ = kTtlTooLarge;
    if (!error_ && id != 0 && etcd_.leases_.count(id) != 0) error_ = kLeaseExists;
    if (error_) return;
    if (id == 0) id = ++etcd_.last_lease_;
    if (etcd_.granted_ttl_s_ != 0) ttl_s = etcd_.granted_ttl_s_;
    ttl_s = std::max(ttl_s, etcd_.min_ttl_s);
    etcd_.leases_[id] = {.ttl_s = ttl_s, .ends_ms = now_ms_ + ttl_s * 1000, .keys = {}};
    Begin();
    Number("ID", id);
    Number("TTL", ttl_s);
    out_ += '}';
  }

  void KeepAlive() {
    const int64_t id = reader_.Number(body_, "ID");
    error_ = reader_.error;
    if (error_) return;
    auto it = etcd_.leases_.find(id);
    // etcd answers for a lease that has ended only once it is revoked.
    if (it != etcd_.leases_.end() && it->second.ends_ms <= now_ms_) {
      etcd_.Revoke(id);
      it = etcd_.leases_.end();
    }
    out_ = "{\"result\":{";
    Header();
    Number("ID", id);
    if (it != etcd_.leases_.end()) {
      it->second.ends_ms = now_ms_ + it->second.ttl_s * 1000;
      Number("TTL", it->second.ttl_s);
    }
    out_ += "}}";
  }

  void Revoke() {
    const int64_t id = reader_.Number(body_, "ID");
    error_ = reader_.error;
    if (!error_ && !etcd_.Revoke(id)) error_ = kNoLease;
    if (error_) return;
    Begin();
    out_ += '}';
  }

  void Alarm() {
    static constexpr const char* kActions[] = {"GET", "ACTIVATE", "DEACTIVATE"};
    const int action = reader_.Enum(body_, "action", kActions);
    const bool was_on = etcd_.no_space_;
    if (action != 0) etcd_.no_space_ = action == 1;
    out_ = "{";
    if (was_on || etcd_.no_space_) {
      Name("alarms");
      out_ += "[{\"memberID\":\"" + std::to_string(etcd_.member_id) + "\",\"alarm\":\"NOSPACE\"}]";
    }
    out_ += '}';
  }

  EtcdModel& etcd_;
  json_t* body_;
  int64_t now_ms_;
  Reader reader_;
  Error error_;
  bool wrote_ = false;
  std::string out_;
};

EtcdModel::Answer EtcdModel::Call(std::string_view path, std::string_view body, int64_t now_ms) {
  constexpr std::string_view kVersion = "/v3/";
  if (path.substr(0, kVersion.size()) == kVersion) path.remove_prefix(kVersion.size());
  Expire(now_ms);
  json_error_t where;
  json_t* parsed = body.empty() ? json_object() : json_loadb(body.data(), body.size(), 0, &where);
  if (parsed == nullptr || !json_is_object(parsed)) {
    json_decref(parsed);
    return {400, "{\"error\":\"unexpected EOF\",\"message\":\"unexpected EOF\",\"code\":3}"};
  }
  EtcdCall call(*this, parsed, now_ms);
  const bool known = call.Run(path);
  json_decref(parsed);
  return known ? call.answer() : Answer{404, "Not Found\n"};
}

void EtcdModel::Expire(int64_t now_ms) {
  std::vector<std::pair<int64_t, int64_t>> ended;
  for (const auto& [id, lease] : leases_)
    if (lease.ends_ms + revoke_late_ms_ <= now_ms) ended.emplace_back(lease.ends_ms, id);
  std::sort(ended.begin(), ended.end());
  for (const auto& [ends_ms, id] : ended) Revoke(id);
}

void EtcdModel::ChangeLeader(int64_t now_ms) {
  Expire(now_ms);
  ++raft_term_;
  for (auto& [id, lease] : leases_) lease.ends_ms = now_ms + lease.ttl_s * 1000;
}

bool EtcdModel::Revoke(int64_t id) {
  const auto it = leases_.find(id);
  if (it == leases_.end()) return false;
  const std::set<std::string> keys = std::move(it->second.keys);
  leases_.erase(it);
  if (breaks.revoke_keeps_keys) return true;
  for (const std::string& key : keys) keys_.erase(key);
  if (!keys.empty()) ++revision_;
  return true;
}

void EtcdModel::Remove(const std::string& key) {
  const auto it = keys_.find(key);
  if (const auto lease = leases_.find(it->second.lease); lease != leases_.end()) lease->second.keys.erase(key);
  keys_.erase(it);
}

}  // namespace idgen::sim
