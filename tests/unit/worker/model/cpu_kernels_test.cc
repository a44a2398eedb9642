// SPDX-License-Identifier: Apache-2.0
// The decoder's kernels for each instruction set that this CPU has agree with each other and with the ATen path, for
// sizes that fill no vector, and products are those of a plain loop.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/worker/model/fixture.h"
#include "worker/model/cpu/cpu_engine.h"
#include "worker/model/cpu/kernels.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

std::vector<const cpu::Kernels*> Runnable(bool bf16) {
  std::vector<const cpu::Kernels*> all;
  for (const cpu::Kernels* kernels : {cpu::KernelsPortable(bf16), cpu::KernelsAvx2(bf16), cpu::KernelsAvx512(bf16)}) {
    if (kernels != nullptr) all.push_back(kernels);
  }
  return all;
}

std::vector<ModelConfig> Configs() {
  std::vector<ModelConfig> configs{SmallConfig()};
  ModelConfig wide = SmallConfig();  // several panels and depths of whole vectors, a group of 8 heads a KV head
  wide.hidden_size = 128;
  wide.intermediate_size = 352;
  wide.num_heads = 8;
  wide.num_kv_heads = 1;
  wide.head_dim = 16;
  wide.attention_bias = true;
  configs.push_back(wide);
  ModelConfig deep = SmallConfig();  // a depth beyond one block of the product's
  deep.hidden_size = 1100;
  deep.num_layers = 1;
  configs.push_back(deep);
  return configs;
}

// Logits of one sequence by the engine with these kernels.
std::vector<float> LogitsWith(const cpu::Kernels& kernels, bool bf16, const ModelConfig& config, Model& weights,
                              const std::vector<int32_t>& tokens, int threads) {
  const DecoderWeights arranged = ArrangeWeights(config, weights.slots());
  auto engine = cpu::MakeCpuEngine(config, arranged, bf16, threads, kernels);
  EXPECT_TRUE(engine.ok()) << engine.status();
  EXPECT_TRUE((*engine)->WeightsChanged().ok());
  EXPECT_TRUE((*engine)->ReserveCache(1, 64).ok());
  std::vector<float> logits(tokens.size() * static_cast<size_t>(config.vocab_size));
  const Segment segment{0, 0, tokens};
  NextToken next;
  EXPECT_TRUE((*engine)->Forward({&segment, 1}, {&next, 1}, logits.data()).ok());
  return logits;
}

TEST(CpuKernels, EveryInstructionSetAgreesWithAten) {
  for (const ModelConfig& config : Configs()) {
    const std::vector<int32_t> tokens = RandomTokens(3, 50, config.vocab_size);
    std::unique_ptr<Model> reference = RandomModel(config, 1, {.generic = true});
    const auto expected = reference->Logits(tokens);
    ASSERT_TRUE(expected.ok()) << expected.status();
    float largest = 0;
    for (const float value : *expected) largest = std::max(largest, std::fabs(value));
    for (const bool bf16 : {false, true}) {
      for (const cpu::Kernels* kernels : Runnable(bf16)) {
        for (const int threads : {1, 2}) {
          const std::vector<float> logits = LogitsWith(*kernels, bf16, config, *reference, tokens, threads);
          double sum = 0;
          for (size_t i = 0; i < logits.size(); ++i) {
            const double distance = static_cast<double>(logits[i]) - (*expected)[i];
            sum += distance * distance;
            if (!bf16) {
              ASSERT_NEAR(logits[i], (*expected)[i], 2e-5 * largest) << kernels->name << ", " << i;
            }
          }
          // bf16 has 8 bits: about a percent after two layers.
          EXPECT_LT(std::sqrt(sum / static_cast<double>(logits.size())), 0.02 * largest) << kernels->name;
        }
      }
    }
  }
}

TEST(CpuKernels, BestIsTheMostCapable) {
  for (const bool bf16 : {false, true}) EXPECT_EQ(&cpu::BestKernels(bf16), Runnable(bf16).back());
}

TEST(CpuKernels, ProductsOfSmallWholeNumbersAreExact) {
  constexpr int64_t kDepth = 1034, kRows = 29, kPanels = 3;
  RandomStream random(9);
  for (const bool bf16 : {false, true}) {
    std::vector<float> x(kRows * kDepth), w(kPanels * kDepth * cpu::kPanel), bias(kPanels * cpu::kPanel);
    for (auto* values : {&x, &w, &bias}) {
      for (float& value : *values) value = static_cast<float>(random.NextBelow(9)) - 4;
    }
    std::vector<uint16_t> x_half(x.size()), w_half(w.size());
    for (size_t i = 0; i < x.size(); ++i) x_half[i] = FloatToBf16(x[i]);
    for (int64_t panel = 0; panel < kPanels; ++panel) {
      for (int64_t k = 0; k < kDepth; ++k) {
        for (int64_t c = 0; c < cpu::kPanel; ++c) {
          const int64_t pair = (panel * (kDepth / 2) + k / 2) * cpu::kPanel * 2 + c * 2 + k % 2;
          w_half[static_cast<size_t>(pair)] =
              FloatToBf16(w[static_cast<size_t>((panel * kDepth + k) * cpu::kPanel + c)]);
        }
      }
    }
    for (const cpu::Kernels* kernels : Runnable(bf16)) {
      for (int64_t rows = 1; rows <= kRows; ++rows) {
        std::vector<float> y(static_cast<size_t>(rows * kPanels * cpu::kPanel), 5.0f);
        kernels->gemm({.x = bf16 ? static_cast<const void*>(x_half.data()) : x.data(),
                       .x_stride = kDepth,
                       .w = bf16 ? static_cast<const void*>(w_half.data()) : w.data(),
                       .depth = kDepth,
                       .y = y.data() + cpu::kPanel,
                       .y_stride = kPanels * cpu::kPanel,
                       .rows = rows,
                       .panel_begin = 1,
                       .panel_end = kPanels,
                       .bias = bias.data(),
                       .accumulate = true});
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t column = 0; column < kPanels * cpu::kPanel; ++column) {
            const int64_t panel = column / cpu::kPanel, c = column % cpu::kPanel;
            float expected = 5;
            if (panel > 0) expected += bias[static_cast<size_t>(column)];
            for (int64_t k = 0; panel > 0 && k < kDepth; ++k) {
              expected += x[static_cast<size_t>(r * kDepth + k)] *
                          w[static_cast<size_t>((panel * kDepth + k) * cpu::kPanel + c)];
            }
            ASSERT_EQ(y[static_cast<size_t>(r * kPanels * cpu::kPanel + column)], expected)
                << kernels->name << ", rows " << rows << ", " << r << ", " << column;
          }
        }
      }
    }
  }
}

TEST(CpuKernels, ArgmaxSeesNonFiniteNumbersAnywhere) {
  for (const bool bf16 : {false, true}) {
    for (const cpu::Kernels* kernels : Runnable(bf16)) {
      for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
        for (int at = 0; at < 37; ++at) {
          std::vector<float> logits(37, -1.0f);
          logits[static_cast<size_t>(at)] = bad;
          cpu::Best best{-HUGE_VALF, 0, true};
          kernels->argmax(logits.data(), 37, 100, &best);
          EXPECT_FALSE(best.finite) << kernels->name << ", " << at;
        }
      }
      std::vector<float> logits(37, -2.0f);
      logits[20] = logits[5] = 3.0f;
      cpu::Best best{-HUGE_VALF, 0, true};
      kernels->argmax(logits.data(), 37, 100, &best);
      EXPECT_EQ(best.token, 105);
      EXPECT_EQ(best.logit, 3.0f);
      EXPECT_TRUE(best.finite);
      kernels->argmax(logits.data(), 37, 200, &best);
      EXPECT_EQ(best.token, 105) << "an equal later one does not count";
    }
  }
}

}  // namespace
}  // namespace heterosis
