// SPDX-License-Identifier: Apache-2.0
// Implements cpu_engine.h: packs weights and deals tokens out to the threads.
#include "worker/model/cpu/cpu_engine.h"

#include <omp.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "worker/model/cpu/block.h"
#include "worker/model/rope.h"

namespace heterosis::cpu {
namespace {

constexpr int64_t kBlockTokensMax = 252;
constexpr int64_t kBlockTokensMin = 48;
constexpr int64_t kBlockBytes = 512 << 10;       // about half a second-level cache
constexpr size_t kCachedWeightsBytes = 8 << 20;  // weights that fit in a cache may be read by each thread for itself
constexpr int64_t kThreadTokensMin = 24;         // fewer, and reading weights takes longer than multiplying by them

class CpuEngine : public Engine {
 public:
  CpuEngine(const ModelConfig& config, const DecoderWeights& weights, bool bf16, int threads, const Kernels& kernels)
      : config_(config), weights_(weights), bf16_(bf16), threads_(threads), kernels_(kernels), cache_(config_, bf16) {
    CpuEngine::SetPath(StepsOf(IdentityPath(config.num_layers)));
  }

  absl::Status Plan();

  absl::Status WeightsChanged() override;
  void SetPath(std::span<const PathStep> steps) override {
    decoder_.path.assign(steps.begin(), steps.end());
    cache_.SetHops(static_cast<int64_t>(steps.size()));
  }
  size_t CacheBytesPerRow(int64_t positions) const override { return static_cast<size_t>(cache_.RowBytes(positions)); }
  absl::Status ReserveCache(int rows, int64_t positions) override;
  size_t CacheBytes() const override { return cache_.bytes(); }
  absl::Status Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) override;

 private:
  void ListTokens(std::span<const Segment> segments, std::span<NextToken> next, float* logits);
  bool SplitByRows(std::span<const Segment> segments) const;
  void RunByRows(std::span<const Segment> segments);
  void RunTogether();
  std::vector<PackedMatrix*> Matrices();

  const ModelConfig config_;
  const DecoderWeights weights_;
  const bool bf16_;
  const int threads_;
  const Kernels& kernels_;
  PackedDecoder decoder_;
  size_t weight_bytes_ = 0;
  Cache cache_;
  int64_t positions_ = 0;
  int64_t block_tokens_ = 0;  // of a thread that works alone
  std::optional<Rope> rope_;
  std::vector<Block> blocks_;  // one a thread
  std::vector<Token> tokens_;
  std::vector<size_t> boundaries_;  // where each thread's tokens begin, and the end
  std::vector<float> angles_;       // of tokens whose angles are not in the table
};

absl::Status CpuEngine::Plan() {
  decoder_.embedding = weights_.embedding;
  decoder_.layers.resize(weights_.layers.size());
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& from = weights_.layers[i];
    PackedLayer& to = decoder_.layers[i];
    RETURN_IF_ERROR(to.qkv.Plan({from.q, from.k, from.v}, bf16_));
    RETURN_IF_ERROR(to.o.Plan({from.o}, bf16_));
    RETURN_IF_ERROR(to.gate_up.Plan({from.gate, from.up}, bf16_));
    RETURN_IF_ERROR(to.down.Plan({from.down}, bf16_));
  }
  RETURN_IF_ERROR(decoder_.head.Plan({weights_.head}, bf16_));
  for (const PackedMatrix* matrix : Matrices()) weight_bytes_ += matrix->bytes();
  blocks_.reserve(static_cast<size_t>(threads_));
  for (int i = 0; i < threads_; ++i) blocks_.emplace_back(config_, decoder_, kernels_, bf16_);
  return absl::OkStatus();
}

std::vector<PackedMatrix*> CpuEngine::Matrices() {
  std::vector<PackedMatrix*> matrices;
  for (PackedLayer& layer : decoder_.layers) {
    matrices.insert(matrices.end(), {&layer.qkv, &layer.o, &layer.gate_up, &layer.down});
  }
  matrices.push_back(&decoder_.head);
  return matrices;
}

absl::Status CpuEngine::WeightsChanged() {
  const std::vector<PackedMatrix*> matrices = Matrices();
#pragma omp parallel num_threads(threads_)
  for (PackedMatrix* matrix : matrices) {
#pragma omp for schedule(static) nowait
    for (int64_t panel = 0; panel < matrix->panels(); ++panel) matrix->Pack(panel, panel + 1);
  }
  const auto read_norm = [&](const MutableTensor& tensor, std::vector<float>& norm) {
    norm.resize(static_cast<size_t>(config_.hidden_size));
    ReadFloats(tensor, 0, norm);
    if (!bf16_) return;
    for (float& value : norm) value = Bf16ToFloat(FloatToBf16(value));
  };
  for (size_t i = 0; i < decoder_.layers.size(); ++i) {
    read_norm(*weights_.layers[i].input_norm, decoder_.layers[i].input_norm);
    read_norm(*weights_.layers[i].post_norm, decoder_.layers[i].post_norm);
  }
  read_norm(*weights_.norm, decoder_.norm);
  return absl::OkStatus();
}

absl::Status CpuEngine::ReserveCache(int rows, int64_t positions) {
  RETURN_IF_ERROR(cache_.Reserve(rows, positions));
  if (!rope_.has_value() || positions > positions_) rope_.emplace(config_, positions);
  positions_ = std::max(positions, positions_);
  const int64_t fitting = kBlockBytes / Block::TokenBytes(config_, bf16_);
  block_tokens_ = std::clamp(fitting / 12 * 12, kBlockTokensMin, kBlockTokensMax);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    // The first block serves all threads when they work together.
    RETURN_IF_ERROR(blocks_[i].Reserve(i == 0 && threads_ > 1 ? kBlockTokensMax : block_tokens_, positions_,
                                       i == 0 ? threads_ : 1));
  }
  return absl::OkStatus();
}

void CpuEngine::ListTokens(std::span<const Segment> segments, std::span<NextToken> next, float* logits) {
  tokens_.clear();
  size_t untabulated = 0;
  for (const Segment& segment : segments) {
    if (!rope_->IsTabulated(segment.position + static_cast<int64_t>(segment.tokens.size()))) {
      untabulated += segment.tokens.size();
    }
  }
  angles_.resize(untabulated * static_cast<size_t>(config_.head_dim));
  std::span<float> angles(angles_);
  for (size_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = segments[s];
    const int64_t length = segment.position + static_cast<int64_t>(segment.tokens.size());
    for (size_t i = 0; i < segment.tokens.size(); ++i) {
      Token token{.id = segment.tokens[i], .row = segment.row, .position = segment.position + static_cast<int64_t>(i)};
      if (rope_->IsTabulated(length)) {
        token.rope = rope_->Row(token.position);
      } else {
        rope_->Compute(token.position, length, angles.first(static_cast<size_t>(config_.head_dim)));
        token.rope = angles.data();
        angles = angles.subspan(static_cast<size_t>(config_.head_dim));
      }
      if (i + 1 == segment.tokens.size()) token.next = &next[s];
      if (logits != nullptr) token.logits = logits + static_cast<int64_t>(tokens_.size()) * config_.vocab_size;
      tokens_.push_back(token);
    }
  }
}

bool CpuEngine::SplitByRows(std::span<const Segment> segments) const {
  if (threads_ == 1) return true;
  if (segments.size() < static_cast<size_t>(threads_)) return false;
  const int64_t share = static_cast<int64_t>(tokens_.size()) / threads_;
  return share >= kThreadTokensMin || weight_bytes_ <= kCachedWeightsBytes;
}

// Each thread takes some whole sequences through all layers alone: no thread ever waits for another.
void CpuEngine::RunByRows(std::span<const Segment> segments) {
  boundaries_.assign(1, 0);
  size_t begin = 0;
  for (const Segment& segment : segments) {
    const size_t middle = begin + segment.tokens.size() / 2;
    while (boundaries_.size() < static_cast<size_t>(threads_) &&
           middle * static_cast<size_t>(threads_) >= boundaries_.size() * tokens_.size()) {
      boundaries_.push_back(begin);
    }
    begin += segment.tokens.size();
  }
  boundaries_.resize(static_cast<size_t>(threads_) + 1, tokens_.size());
#pragma omp parallel for num_threads(threads_) schedule(static, 1)
  for (int thread = 0; thread < threads_; ++thread) {
    Block& block = blocks_[static_cast<size_t>(thread)];
    const size_t first = boundaries_[static_cast<size_t>(thread)], last = boundaries_[static_cast<size_t>(thread) + 1];
    const std::span<const Token> mine = std::span<const Token>(tokens_).subspan(first, last - first);
    const size_t capacity = static_cast<size_t>(block_tokens_);
    const size_t count = (mine.size() + capacity - 1) / capacity;
    const size_t size =
        count == 0 ? 0 : static_cast<size_t>(RoundUp(static_cast<int64_t>((mine.size() + count - 1) / count), 12));
    for (size_t at = 0; at < mine.size(); at += size) {
      block.Run(mine.subspan(at, std::min(size, mine.size() - at)), cache_, Lane());
    }
  }
}

// Few tokens and large weights: the threads share the columns of every matrix.
void CpuEngine::RunTogether() {
  Block& block = blocks_[0];
#pragma omp parallel num_threads(threads_)
  {
    const Lane lane{omp_get_thread_num(), omp_get_num_threads()};
    const size_t size = static_cast<size_t>(block.capacity());
    for (size_t at = 0; at < tokens_.size(); at += size) {
      block.Run(std::span<const Token>(tokens_).subspan(at, std::min(size, tokens_.size() - at)), cache_, lane);
    }
  }
}

absl::Status CpuEngine::Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) {
  ListTokens(segments, next, logits);
  if (SplitByRows(segments)) {
    RunByRows(segments);
  } else {
    RunTogether();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeCpuEngine(const ModelConfig& config, const DecoderWeights& weights,
                                                      bool bf16, int threads, const Kernels& kernels) {
  auto engine = std::make_unique<CpuEngine>(config, weights, bf16, threads, kernels);
  RETURN_IF_ERROR(engine->Plan());
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace heterosis::cpu
