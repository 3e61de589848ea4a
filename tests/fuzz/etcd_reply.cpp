// Replies of etcd: whatever was read stays within the reply, and a body is JSON whose bytes read as they were written.
#include "fuzz.h"

#include "wire/etcd_body.h"
#include "wire/etcd_reply.h"

namespace {

using namespace idgen;
using fuzz::Require;
using wire::EtcdOp;

size_t SizeOf(const EtcdOp& op, int depth) {
  Require(depth <= wire::EtcdReply::kMaxJsonDepth, "operations nest no deeper than the JSON");
  size_t size = 0;
  wire::EtcdKv kv;
  for (int i = 0; i < op.kv_count(); ++i) {
    Require(op.kv(i, &kv), "a record that is counted is there");
    size += std::string(kv.key).size() + std::string(kv.value).size();  // reads every byte
  }
  Require(!op.kv(op.kv_count(), &kv) && !op.kv(-1, &kv), "no record is beyond the last");
  for (int i = 0; i < op.op_count(); ++i) {
    Require(op.op(i).kind() != EtcdOp::Kind::kNone, "an operation that is counted has a kind");
    size += SizeOf(op.op(i), depth + 1);
  }
  Require(op.op(op.op_count()).kind() == EtcdOp::Kind::kNone, "no operation is beyond the last");
  return size;
}

void Read(int status, std::string_view body) {
  wire::EtcdReply reply;
  if (!reply.Parse(status, body)) {
    Require(reply.revision() == 0 && reply.kv_count() == 0 && reply.op_count() == 0 && reply.auth_token().empty(),
            "a reply that was not understood has nothing");
    return reply.Free();
  }
  Require(fuzz::IsPrintable(reply.error()), "an error is printable");
  Require(reply.error_code() != 0 || reply.cluster_id() != 0, "a reply comes from a cluster or is an error");
  size_t size = reply.auth_token().size();
  wire::EtcdKv kv;
  for (int i = 0; i < reply.kv_count(); ++i) {
    Require(reply.kv(i, &kv), "a record that is counted is there");
    size += std::string(kv.key).size() + std::string(kv.value).size();
  }
  for (int i = 0; i < reply.op_count(); ++i) size += SizeOf(reply.op(i), 1);
  Require(size <= body.size(), "what was decoded is not longer than the reply");
  reply.Free();
}

// Puts the bytes of a put's body into a range's reply.
void WriteAndRead(std::string_view key, std::string_view value) {
  wire::EtcdBody body;
  body.Put(key, value);
  Require(body.problem() == nullptr, "a body is written");
  const std::string text = "{\"header\":{\"cluster_id\":\"1\"},\"kvs\":[" + std::string(body.text()) + "]}";
  body.Free();
  wire::EtcdReply reply;
  wire::EtcdKv kv;
  Require(reply.Parse(200, text) && reply.kv(0, &kv), "what was written can be read");
  Require(kv.key == key && kv.value == value, "bytes read as they were written");
  reply.Free();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  fuzz::Input input(bytes, size);
  const int status = (input.Byte() & 1) != 0 ? 200 : 404;
  const std::string_view body = input.Rest();
  // Of exactly this size, so that reading past its end is noticed.
  const std::string exact(body);
  Read(status, exact);
  WriteAndRead(body.substr(0, body.size() / 3), body.substr(body.size() / 3));
  return 0;
}
