// SPDX-License-Identifier: Apache-2.0
// Once a merger has merged by a method, the next candidates allocate nothing that grows with the models. Counts through
// the global operator new, and so is a program of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/unit/worker/merge/fixture.h"

namespace {
std::atomic<size_t> allocated_bytes{0};
}  // namespace

// Not inlined: GCC takes the pair of malloc and free for a mismatch where it sees through only one of them.
__attribute__((noinline)) void* operator new(size_t bytes) {
  allocated_bytes += bytes;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
// As the library's own does, which a sanitizer replaces by one that would not go with what is below.
__attribute__((noinline)) void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  allocated_bytes += bytes;
  return std::malloc(bytes);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace heterosis {
namespace {

TEST(MergeAllocation, CandidatesAllocateNothingThatGrowsWithTheModels) {
  const std::vector<TensorSpec> specs{{"big", {512, 1024}}, {"small", {64}}};
  Parents parents(specs, DType::kBFloat16);
  MergerOptions options;
  options.output = specs;
  options.models = {parents.Make("base", 0), parents.Make("a", 0.004), parents.Make("b", 0.004),
                    parents.Make("c", 0.004)};
  for (const MergeMethod method : AllMethods()) {
    for (const DType work : {DType::kBFloat16, DType::kFloat32}) {
      auto merger = Merger::Create(options);
      ASSERT_TRUE(merger.ok()) << merger.status();
      Merged merged(specs, DType::kBFloat16);
      Recipe recipe = RecipeOver(method, work, DType::kBFloat16);
      recipe.rescale = Rescale::kL1;
      for (double& density : recipe.rows[0].density) density *= 0.9;  // of 1 no statistics would be kept
      for (int warm = 0; warm < 2; ++warm) ASSERT_TRUE((*merger)->Merge(recipe, merged.tensors).ok());
      recipe.mask_seed = 5;
      for (double& weight : recipe.rows[0].weight) weight *= 0.8;
      for (double& density : recipe.rows[0].density) density *= 0.7;
      const size_t before = allocated_bytes;
      ASSERT_TRUE((*merger)->Merge(recipe, merged.tensors).ok());
      EXPECT_LT(allocated_bytes - before, 4096u) << Name(method) << ", " << Name(work);
    }
  }
}

}  // namespace
}  // namespace heterosis
