// Reading replies of etcd's gateway with jansson, whose tree lives only as long as the reading.
#include "wire/etcd_reply.h"

#include <cstdlib>
#include <cstring>
#include <new>

#ifdef IDGEN_ETCD
#include <jansson.h>
#endif

#include "wire/printable.h"

namespace idgen::wire {

struct EtcdNode {
  EtcdOp::Kind kind = EtcdOp::Kind::kNone;
  bool more = false;
  bool succeeded = false;
  int first_kv = 0;
  int kv_count = 0;
  int first_op = 0;
  int op_count = 0;
};

EtcdOp::Kind EtcdOp::kind() const noexcept { return node_ == nullptr ? Kind::kNone : node_->kind; }
int EtcdOp::kv_count() const noexcept { return node_ == nullptr ? 0 : node_->kv_count; }
bool EtcdOp::more() const noexcept { return node_ != nullptr && node_->more; }
bool EtcdOp::succeeded() const noexcept { return node_ != nullptr && node_->succeeded; }
int EtcdOp::op_count() const noexcept { return node_ == nullptr ? 0 : node_->op_count; }

bool EtcdOp::kv(int index, EtcdKv* kv) const noexcept {
  if (index < 0 || index >= kv_count()) return false;
  *kv = reply_->kvs_[node_->first_kv + index];
  return true;
}

EtcdOp EtcdOp::op(int index) const noexcept {
  if (index < 0 || index >= op_count()) return {};
  return {reply_, reply_->nodes_ + node_->first_op + index};
}

void EtcdReply::Free() noexcept {
  free(memory_);
  *this = EtcdReply();
}

#ifdef IDGEN_ETCD

namespace {

// jansson calls itself for every level, as does whatever reads its tree, and it takes up to 260 bytes for an object of
// two. So both are limited before it sees the text.
bool IsWithinLimits(std::string_view text) noexcept {
  int depth = 0;
  size_t containers = 0, values = 1;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > EtcdReply::kMaxJsonDepth || ++containers > EtcdReply::kMaxJsonContainers) return false;
      ++values;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
    if (values > EtcdReply::kMaxJsonValues) return false;
  }
  return true;
}

int Base64Digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

std::string_view TextOf(const json_t* string) noexcept {
  return {json_string_value(string), json_string_length(string)};
}

bool ReadUnsigned(std::string_view text, uint64_t* number) noexcept {
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return !text.empty();
}

}  // namespace

// Fills a reply from a tree. A field of the wrong type makes the whole reply invalid.
class EtcdReader {
 public:
  EtcdReader(EtcdReply* reply, size_t text_size) noexcept : reply_(*reply), text_size_(text_size) {}

  bool Read(int http_status, json_t* root) noexcept {
    if (!json_is_object(root)) return false;
    if (json_t* error = json_object_get(root, "error"); http_status != 200 || error != nullptr)
      // A stream wraps its error.
      return json_is_object(error) ? ReadError(error, "grpc_code") : ReadError(root, "code");
    // A stream wraps its results.
    if (json_t* result = json_object_get(root, "result")) root = result;
    return ReadHeader(json_object_get(root, "header")) && Number(root, "ID", &reply_.lease_id_) &&
           Number(root, "TTL", &reply_.ttl_s_) && MakeRoom(root) && ReadToken(json_object_get(root, "token")) &&
           ReadOperation(root, reply_.nodes_);
  }

 private:
  // Missing means zero, false or empty.
  static bool Number(const json_t* object, const char* field, int64_t* number) noexcept {
    const json_t* value = json_object_get(object, field);
    if (value == nullptr) return true;
    if (!json_is_string(value)) return false;
    std::string_view text = TextOf(value);
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    uint64_t magnitude;
    if (!ReadUnsigned(text, &magnitude) || magnitude > static_cast<uint64_t>(INT64_MAX)) return false;
    *number = negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
    return true;
  }

  static bool Number(const json_t* object, const char* field, uint64_t* number) noexcept {
    const json_t* value = json_object_get(object, field);
    return value == nullptr || (json_is_string(value) && ReadUnsigned(TextOf(value), number));
  }

  static bool Flag(const json_t* object, const char* field, bool* flag) noexcept {
    const json_t* value = json_object_get(object, field);
    *flag = json_is_true(value);
    return value == nullptr || json_is_boolean(value);
  }

  bool ReadError(const json_t* error, const char* code_field) noexcept {
    const json_t* code = json_object_get(error, code_field);
    const json_t* text = json_object_get(error, "message");
    if (text == nullptr) text = json_object_get(error, "error");
    constexpr json_int_t kMaxCode = 16;
    if (!json_is_integer(code) || json_integer_value(code) < 1 || json_integer_value(code) > kMaxCode) return false;
    if (!json_is_string(text)) return false;
    reply_.error_code_ = static_cast<int>(json_integer_value(code));
    WritePrintable(TextOf(text), reply_.error_);
    return true;
  }

  bool ReadHeader(const json_t* header) noexcept {
    return json_is_object(header) && Number(header, "cluster_id", &reply_.cluster_id_) && reply_.cluster_id_ != 0 &&
           Number(header, "member_id", &reply_.member_id_) && Number(header, "revision", &reply_.revision_) &&
           Number(header, "raft_term", &reply_.raft_term_);
  }

  bool ReadToken(const json_t* token) noexcept {
    if (token == nullptr) return true;
    if (!json_is_string(token)) return false;
    const std::string_view text = TextOf(token);
    memcpy(bytes_, text.data(), text.size());
    reply_.token_ = {bytes_, text.size()};
    bytes_ += text.size();
    return true;
  }

  static const json_t* InnerTxn(const json_t* response) noexcept { return json_object_get(response, "response_txn"); }

  static void Count(const json_t* operation, size_t* nodes, size_t* kvs) noexcept {
    *kvs += json_array_size(json_object_get(operation, "kvs"));
    const json_t* responses = json_object_get(operation, "responses");
    *nodes += json_array_size(responses);
    for (size_t i = 0; i < json_array_size(responses); ++i) {
      const json_t* response = json_array_get(responses, i);
      *kvs += json_array_size(json_object_get(json_object_get(response, "response_range"), "kvs"));
      if (const json_t* inner = InnerTxn(response)) Count(inner, nodes, kvs);
    }
  }

  bool MakeRoom(const json_t* root) noexcept {
    size_t nodes = 1, kvs = json_object_get(root, "prev_kv") != nullptr ? 1 : 0;
    Count(root, &nodes, &kvs);
    return Allocate(nodes, kvs);
  }

  // Whatever is decoded is shorter than the text that it is decoded from.
  bool Allocate(size_t nodes, size_t kvs) noexcept {
    static_assert(alignof(EtcdNode) <= alignof(EtcdKv));
    const size_t kv_bytes = kvs * sizeof(EtcdKv), node_bytes = nodes * sizeof(EtcdNode);
    char* memory = static_cast<char*>(malloc(kv_bytes + node_bytes + text_size_ + 1));
    if (memory == nullptr) return false;
    reply_.memory_ = memory;
    reply_.kvs_ = reinterpret_cast<EtcdKv*>(memory);
    reply_.nodes_ = reinterpret_cast<EtcdNode*>(memory + kv_bytes);
    for (size_t i = 0; i < kvs; ++i) new (reply_.kvs_ + i) EtcdKv();
    for (size_t i = 0; i < nodes; ++i) new (reply_.nodes_ + i) EtcdNode();
    bytes_ = memory + kv_bytes + node_bytes;
    next_node_ = 1;  // the whole call's is the first
    return true;
  }

  bool Bytes(const json_t* object, const char* field, std::string_view* bytes) noexcept {
    const json_t* value = json_object_get(object, field);
    if (value == nullptr) return true;
    if (!json_is_string(value)) return false;
    std::string_view text = TextOf(value);
    if (text.size() % 4 != 0) return false;
    const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    text.remove_suffix(padding);
    char* to = bytes_;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const int digit = Base64Digit(text[i]);
      if (digit < 0) return false;
      bits = bits << 6 | static_cast<uint32_t>(digit);
      // Of four digits the second, third and fourth complete a byte each.
      if (i % 4 != 0) *to++ = static_cast<char>(bits >> (6 - i % 4 * 2) & 0xff);
    }
    *bytes = {bytes_, static_cast<size_t>(to - bytes_)};
    // Whatever is decoded is shorter than its text by at least this byte.
    if (to != bytes_) *to++ = '\0';
    bytes_ = to;
    return true;
  }

  bool ReadRange(const json_t* range, EtcdNode* node) noexcept {
    const json_t* kvs = json_object_get(range, "kvs");
    if (!json_is_object(range) || (kvs != nullptr && !json_is_array(kvs)) || !Flag(range, "more", &node->more))
      return false;
    node->first_kv = next_kv_;
    node->kv_count = static_cast<int>(json_array_size(kvs));
    next_kv_ += node->kv_count;
    for (int i = 0; i < node->kv_count; ++i)
      if (!ReadKv(json_array_get(kvs, static_cast<size_t>(i)), reply_.kvs_ + node->first_kv + i)) return false;
    return true;
  }

  bool ReadKv(const json_t* from, EtcdKv* kv) noexcept {
    return json_is_object(from) && Bytes(from, "key", &kv->key) && Bytes(from, "value", &kv->value) &&
           Number(from, "create_revision", &kv->create_revision) && Number(from, "mod_revision", &kv->mod_revision) &&
           Number(from, "version", &kv->version) && Number(from, "lease", &kv->lease);
  }

  bool ReadTxn(const json_t* txn, EtcdNode* node) noexcept {
    const json_t* responses = json_object_get(txn, "responses");
    if (!json_is_object(txn) || (responses != nullptr && !json_is_array(responses)) ||
        !Flag(txn, "succeeded", &node->succeeded))
      return false;
    node->first_op = next_node_;
    node->op_count = static_cast<int>(json_array_size(responses));
    next_node_ += node->op_count;
    for (int i = 0; i < node->op_count; ++i)
      if (!ReadResponse(json_array_get(responses, static_cast<size_t>(i)), reply_.nodes_ + node->first_op + i))
        return false;
    return true;
  }

  bool ReadResponse(const json_t* response, EtcdNode* node) noexcept {
    if (const json_t* range = json_object_get(response, "response_range")) {
      node->kind = EtcdOp::Kind::kRange;
      return ReadRange(range, node);
    }
    if (const json_t* txn = InnerTxn(response)) {
      node->kind = EtcdOp::Kind::kTxn;
      return ReadTxn(txn, node);
    }
    if (json_is_object(json_object_get(response, "response_put"))) node->kind = EtcdOp::Kind::kPut;
    if (json_is_object(json_object_get(response, "response_delete_range"))) node->kind = EtcdOp::Kind::kDelete;
    return node->kind != EtcdOp::Kind::kNone;
  }

  // The whole call's reply does not say which kind it is.
  bool ReadOperation(const json_t* root, EtcdNode* node) noexcept {
    const json_t* previous = json_object_get(root, "prev_kv");
    if (!ReadRange(root, node) || !ReadTxn(root, node)) return false;
    if (previous == nullptr) return true;
    node->first_kv = next_kv_++;
    node->kv_count = 1;
    return ReadKv(previous, reply_.kvs_ + node->first_kv);
  }

  EtcdReply& reply_;
  const size_t text_size_;
  char* bytes_ = nullptr;
  int next_node_ = 0;
  int next_kv_ = 0;
};

bool EtcdReply::Parse(int http_status, std::string_view body) noexcept {
  Free();
  if (!IsWithinLimits(body)) return false;
  json_t* root = json_loadb(body.data(), body.size(), JSON_REJECT_DUPLICATES, nullptr);
  if (root == nullptr) return false;
  const bool valid = EtcdReader(this, body.size()).Read(http_status, root);
  json_decref(root);
  if (!valid) Free();
  return valid;
}

#else

bool EtcdReply::Parse(int, std::string_view) noexcept {
  Free();
  return false;
}

#endif

}  // namespace idgen::wire
