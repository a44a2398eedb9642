// SPDX-License-Identifier: Apache-2.0
// Implements cuda.h without CUDA's headers: libtorch's hooks and two functions of the CUDA runtime looked up by name.
#include "worker/device/cuda.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <dlfcn.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace heterosis {
namespace {

// The folder of libtorch_cpu.so, with a slash, or "".
std::string LibtorchFolder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&at::detail::getCUDAHooks), &info) == 0 || info.dli_fname == nullptr)
    return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.find_last_of('/') + 1);
}

}  // namespace

absl::StatusOr<int> LoadCuda() {
  const std::string library = LibtorchFolder() + "libtorch_cuda.so";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    return absl::NotFoundError(absl::StrCat("cannot load ", library, " (", reason != nullptr ? reason : "unknown",
                                            "): run deploy/deps/install with the CUDA packages, or use --cpu"));
  }
  try {
    const int count = at::detail::getCUDAHooks().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
    if (count == 0)
      return absl::NotFoundError(
          "libtorch finds no GPU: is the NVIDIA driver installed? nvidia-smi tells; or use --cpu");
    return count;
  } catch (const std::exception& error) {
    return absl::NotFoundError(absl::StrCat("libtorch cannot use CUDA: ", error.what()));
  }
}

absl::StatusOr<size_t> CudaFreeBytes(int index) {
  try {
    const c10::DeviceGuard guard(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index)));
    using MemGetInfo = int (*)(size_t*, size_t*);
    const auto get_info = reinterpret_cast<MemGetInfo>(dlsym(RTLD_DEFAULT, "cudaMemGetInfo"));
    size_t free = 0, total = 0;
    if (get_info == nullptr || get_info(&free, &total) != 0) {
      return absl::InternalError(absl::StrCat("cannot ask GPU ", index, " for its free memory"));
    }
    return free;
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("GPU ", index, ": ", error.what()));
  }
}

}  // namespace heterosis
