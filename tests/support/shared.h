// SPDX-License-Identifier: Apache-2.0
// Where tests find material that is not part of the project (golden vectors, data) and scratch folders of their own.
#pragma once

#include <string>
#include <string_view>

namespace heterosis {

// `relative` inside the shared folder (HETEROSIS_SHARED, or ../shared from the project's root), or "" where there is
// none:
//   const std::string path = SharedPath("golden/cma/cma_n6_l8.json");
//   if (path.empty()) GTEST_SKIP() << kNoShared;
std::string SharedPath(std::string_view relative);
inline constexpr char kNoShared[] = "no shared folder: set HETEROSIS_SHARED";

// The .deps folder (HETEROSIS_DEPS, or .deps in the project's root).
std::string DepsPath(std::string_view relative);

// A folder in memory where there is one, for small files that are synced thousands of times; else the one for temporary
// files.
std::string MemoryFolder();

// A new empty folder, removed with all it holds by the destructor.
class TemporaryFolder {
 public:
  TemporaryFolder();  // in the folder for temporary files
  explicit TemporaryFolder(const std::string& parent);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace heterosis
