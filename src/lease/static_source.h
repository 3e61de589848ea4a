// The static source: the operator guarantees that only one server at a time runs with the worker id. Its past is in the
// local file.
#pragma once

#include "io/ceiling_file.h"
#include "lease/identity_source.h"

namespace idgen::lease {

// The past of a server whose local file is in that state.
Past PastOf(io::FileState state) noexcept;

class StaticSource final : public IdentitySource {
 public:
  StaticSource(io::CeilingFile& file, const io::ClusterId& cluster) noexcept : file_(file), cluster_(cluster) {}

  // After a promotion: the server is on another timeline.
  void SetCluster(const io::ClusterId& cluster) noexcept { cluster_ = cluster; }

  void Submit(const SourceRequest& request, const core::Instant& now) noexcept override;
  bool Poll(const core::Instant& now, SourceAnswer* answer) noexcept override;

 private:
  io::CeilingFile& file_;
  io::ClusterId cluster_;
  SourceAnswer answer_;
  bool answered_ = false;
};

}  // namespace idgen::lease
