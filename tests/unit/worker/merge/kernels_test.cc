// SPDX-License-Identifier: Apache-2.0
// Every variant of the merge kernels that this CPU runs gives the same bytes as the baseline, for each kernel, dtype
// and length; and the counter-based masks are the plain Philox stream.
#include "worker/merge/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "common/base/random.h"
#include "worker/merge/numeric.h"

namespace heterosis {
namespace {

constexpr DType kDTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kFloat16};
constexpr size_t kLengths[] = {1, 15, 16, 33, 64, 511, 1000, kTileElements};
constexpr size_t kSources = 3;

// Weights of ordinary size with zeros, equal magnitudes, subnormals and large numbers among them.
std::vector<float> Values(uint64_t seed, size_t n) {
  RandomStream random(seed);
  std::vector<float> values(n);
  for (float& value : values) {
    value = static_cast<float>(random.NextNormal() * 0.02);
    const uint64_t kind = random.NextBelow(40);
    if (kind == 0) value = 0;
    if (kind == 1) value = -0.0f;
    if (kind == 2) value = 0.0123f;
    if (kind == 3) value *= 1e-39f;
    if (kind == 4) value *= 1e6f;
  }
  return values;
}

std::vector<std::byte> AsTensor(const std::vector<float>& values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * (dtype == DType::kFloat32 ? 4 : 2));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = dtype == DType::kBFloat16 ? ToBFloat16(values[i]) : ToFloat16(values[i]);
    if (dtype == DType::kFloat32) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    } else {
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
  }
  return bytes;
}

std::vector<float> Rounded(std::vector<float> values, DType work) {
  for (float& value : values) value = RoundTo(work, value);
  return values;
}

// What the kernels may read and write.
struct Scratch {
  explicit Scratch(DType work)
      : base(Rounded(Values(1, kTileElements), work)), q(Rounded(Values(2, kSources * kTileElements), work)) {}
  std::vector<float> base;
  std::vector<float> q;
  std::vector<float> out = std::vector<float>(kTileElements, 0.5f);
  std::vector<float> divisors = std::vector<float>(kTileElements, 0.75f);
  std::vector<uint32_t> words = std::vector<uint32_t>(2 * kUpperBins + kLowerBins, 0);
  std::vector<double> sums;
  std::vector<std::byte> stored = std::vector<std::byte>(4 * kTileElements);
};

using Step = std::function<void(const Kernels&, DType work, DType dtype, TileInput input, size_t n, Scratch*)>;

std::vector<std::pair<const char*, Step>> Steps() {
  return {
      {"load", [](const Kernels& k, DType work, DType, TileInput x, size_t n,
                  Scratch* s) { k.load(work, x, n, s->out.data()); }},
      {"delta", [](const Kernels& k, DType work, DType, TileInput x, size_t n,
                   Scratch* s) { k.delta(work, x, s->base.data(), n, s->out.data()); }},
      {"add_delta", [](const Kernels& k, DType work, DType, TileInput x, size_t n,
                       Scratch* s) { k.add_delta(work, x, s->base.data(), RoundTo(work, 0.3f), n, s->out.data()); }},
      {"add_scaled", [](const Kernels& k, DType work, DType, TileInput x, size_t n,
                        Scratch* s) { k.add_scaled(work, x, 0.3f, n, s->out.data()); }},
      {"keep_above", [](const Kernels& k, DType, DType, TileInput, size_t n,
                        Scratch* s) { k.keep_above(static_cast<int32_t>(FloatBits(0.0123f)), n, s->q.data()); }},
      {"keep_masked",
       [](const Kernels& k, DType, DType, TileInput, size_t n, Scratch* s) {
         k.counter_mask(99, 12345, 0x7FFFFFFF, n, s->words.data());
         k.keep_masked(s->words.data(), n, s->q.data());
       }},
      {"scale", [](const Kernels& k, DType work, DType, TileInput, size_t n,
                   Scratch* s) { k.scale(work, 1.7f, n, s->q.data()); }},
      {"sum", [](const Kernels& k, DType, DType, TileInput, size_t n,
                 Scratch* s) { k.sum(s->q.data(), kSources, n, s->out.data()); }},
      {"elect",
       [](const Kernels& k, DType work, DType, TileInput, size_t n, Scratch* s) {
         const float weights[kSources] = {0.9f, -0.25f, 0.5f};
         k.elect(work, s->q.data(), weights, kSources, n, s->out.data(), s->divisors.data());
       }},
      {"divide", [](const Kernels& k, DType work, DType, TileInput, size_t n,
                    Scratch* s) { k.divide(work, 1.7f, n, s->q.data()); }},
      {"divide_each", [](const Kernels& k, DType work, DType, TileInput, size_t n,
                         Scratch* s) { k.divide_each(work, s->divisors.data(), n, s->q.data()); }},
      {"round",
       [](const Kernels& k, DType work, DType, TileInput, size_t n, Scratch* s) { k.round(work, n, s->q.data()); }},
      {"blend", [](const Kernels& k, DType, DType, TileInput, size_t n,
                   Scratch* s) { k.blend(0.3f, 0.7f, s->base.data(), n, s->q.data()); }},
      {"store", [](const Kernels& k, DType work, DType dtype, TileInput, size_t n,
                   Scratch* s) { k.store(work, s->q.data(), n, dtype, s->stored.data()); }},
      {"store_sum", [](const Kernels& k, DType work, DType dtype, TileInput, size_t n,
                       Scratch* s) { k.store_sum(work, s->base.data(), s->q.data(), n, dtype, s->stored.data()); }},
      {"count_upper", [](const Kernels& k, DType, DType, TileInput, size_t n,
                         Scratch* s) { k.count_upper(s->q.data(), n, s->words.data()); }},
      {"count_lower",
       [](const Kernels& k, DType, DType, TileInput, size_t n, Scratch* s) {
         k.count_lower(s->q.data(), static_cast<int32_t>(FloatBits(0.0123f) >> 16), n, s->words.data());
       }},
      {"sums",
       [](const Kernels& k, DType, DType, TileInput, size_t n, Scratch* s) {
         s->sums = {k.sum_magnitudes(s->q.data(), n), k.sum_squares(s->q.data(), n),
                    k.sum_cosine(s->q.data(), 1.3f, s->base.data(), 0.7f, n)};
       }},
  };
}

template <typename T>
bool SameBytes(const std::vector<T>& a, const std::vector<T>& b, size_t count) {
  return std::memcmp(a.data(), b.data(), count * sizeof(T)) == 0;
}

// Of the scratch beyond n nothing is promised.
void ExpectSame(const Scratch& a, const Scratch& b, size_t n, DType dtype) {
  EXPECT_TRUE(SameBytes(a.out, b.out, n));
  EXPECT_TRUE(SameBytes(a.q, b.q, n));
  EXPECT_TRUE(SameBytes(a.divisors, b.divisors, n));
  EXPECT_TRUE(SameBytes(a.words, b.words, a.words.size()));
  EXPECT_TRUE(SameBytes(a.stored, b.stored, n * (dtype == DType::kFloat32 ? 4 : 2)));
  EXPECT_EQ(a.sums, b.sums);
}

TEST(MergeKernels, AllVariantsGiveTheSameBytes) {
  const std::span<const Kernels* const> variants = RunnableKernels();
  for (const auto& [name, step] : Steps()) {
    for (const DType work : kDTypes) {
      for (const DType dtype : kDTypes) {
        for (const size_t n : kLengths) {
          const std::vector<std::byte> input = AsTensor(Values(3, kTileElements), dtype);
          Scratch expected(work);
          step(*variants.front(), work, dtype, {input.data(), dtype}, n, &expected);
          for (const Kernels* variant : variants.subspan(1)) {
            SCOPED_TRACE(std::string(name) + ", " + variant->name + ", work " + std::string(Name(work)) + ", tensor " +
                         std::string(Name(dtype)) + ", " + std::to_string(n));
            Scratch scratch(work);
            step(*variant, work, dtype, {input.data(), dtype}, n, &scratch);
            ExpectSame(scratch, expected, n, dtype);
          }
        }
      }
    }
  }
}

TEST(MergeKernels, StoresStopAtTheTensorsEnd) {
  for (const Kernels* kernels : RunnableKernels()) {
    for (const DType dtype : kDTypes) {
      Scratch scratch(DType::kFloat32);
      const size_t size = dtype == DType::kFloat32 ? 4 : 2;
      std::fill(scratch.stored.begin(), scratch.stored.end(), std::byte{0xAB});
      kernels->store_sum(DType::kFloat32, scratch.base.data(), scratch.q.data(), 37, dtype, scratch.stored.data());
      for (size_t i = 37 * size; i < scratch.stored.size(); ++i) ASSERT_EQ(scratch.stored[i], std::byte{0xAB}) << i;
    }
  }
}

TEST(MergeKernels, CountsAreThoseOfALoop) {
  const std::vector<float> values = Values(5, kTileElements);
  const auto bin = static_cast<int32_t>(FloatBits(0.0123f) >> 16);
  std::vector<uint32_t> upper(kUpperBins, 0), lower(kLowerBins, 0);
  for (size_t i = 0; i < 999; ++i) {
    const uint32_t bits = FloatBits(values[i]) & 0x7FFFFFFFu;
    ++upper[bits >> 16];
    if (static_cast<int32_t>(bits >> 16) == bin) ++lower[bits & 0xFFFFu];
  }
  ASSERT_GT(lower[FloatBits(0.0123f) & 0xFFFFu], 0u);
  for (const Kernels* kernels : RunnableKernels()) {
    std::vector<uint32_t> tables(2 * kUpperBins, 0), counted(kLowerBins, 0);
    kernels->count_upper(values.data(), 999, tables.data());
    for (size_t i = 0; i < kUpperBins; ++i) ASSERT_EQ(tables[i] + tables[kUpperBins + i], upper[i]) << i;
    kernels->count_lower(values.data(), bin, 999, counted.data());
    EXPECT_EQ(counted, lower);
  }
}

TEST(MergeKernels, CounterMasksAreThePlainPhiloxStreamWhereverATileBegins) {
  const uint64_t key = RandomKey({11, HashText("a"), HashText("w")});
  constexpr uint32_t kLimit = 0x60000000;
  for (const Kernels* kernels : RunnableKernels()) {
    // The last but one crosses 2^32, where the block's number needs its upper word (2^34 words = 2^32 blocks).
    for (const uint64_t begin : {0ull, 1ull, 63ull, 64ull, 1000ull, (1ull << 34) - 100, 1ull << 40}) {
      for (const size_t n : {1ul, 3ul, 64ul, 200ul, kTileElements}) {
        std::vector<uint32_t> mask(kTileElements);
        kernels->counter_mask(key, begin, kLimit, n, mask.data());
        for (size_t i = 0; i < n; ++i) {
          const uint64_t word = begin + i, block = word / 4;
          const auto random = Philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
                                     {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
          ASSERT_EQ(mask[i], random[word % 4] < kLimit ? 0xFFFFFFFFu : 0u)
              << kernels->name << ", " << begin << " + " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace heterosis
