// SPDX-License-Identifier: Apache-2.0
// A file in a worker's spool that a crash, an older release or another program left there. After the first byte comes
// the file, or, where that byte is "s", what a right checksum is put before. It is read or dropped, and what was read
// is kept and read again as it was.
#include "worker/session/spool.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "heterosis/v1/trial.pb.h"
#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  if (size == 0) return 0;
  static const std::unique_ptr<Spool> spool = Spool::Open(ScratchFolder() + "/spool").value();
  const std::string content(AsText(data + 1, size - 1));
  const std::string path =
      WriteScratch("spool/left.result",
                   data[0] == 's' ? absl::StrCat("heterosis spool 1 ", Sha256(content), "\n", content) : content);
  const std::vector<Spool::Kept> read = spool->List();
  FUZZ_CHECK(FileExists(path) == !read.empty());
  if (read.empty()) return 0;
  FUZZ_CHECK(read.size() == 1 && read[0].path == path);
  spool->Remove(path);
  FUZZ_CHECK(spool->Keep(read[0].result).ok());
  const std::vector<Spool::Kept> again = spool->List();
  // By their bytes: a NaN among the times is not equal to itself.
  FUZZ_CHECK(again.size() == 1 &&
             ToWire(again[0].result.result).SerializeAsString() == ToWire(read[0].result.result).SerializeAsString());
  spool->Remove(again[0].path);
  return 0;
}
