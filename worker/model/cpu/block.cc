// SPDX-License-Identifier: Apache-2.0
// Implements block.h: the decoder of transformers/models/llama/modeling_llama.py, step by step.
#include "worker/model/cpu/block.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "common/base/status.h"

namespace heterosis::cpu {
namespace {

constexpr int64_t kHeadPanels = 8;  // of logits that are made at a time

struct Strides {
  int64_t hidden, qkv, attended, gate_up, activated;

  explicit Strides(const ModelConfig& c)
      : hidden(RoundUp(c.hidden_size, kPanel)),
        qkv(RoundUp((c.num_heads + 2 * c.num_kv_heads) * c.head_dim, kPanel)),
        attended(RoundUp(c.num_heads * c.head_dim, kPanel)),
        gate_up(RoundUp(2 * c.intermediate_size, kPanel)),
        activated(RoundUp(c.intermediate_size, kPanel)) {}
};

void Scale(float* x, int64_t stride, int64_t columns, Lane::Range rows, float factor) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t i = 0; i < columns; ++i) x[row * stride + i] *= factor;
  }
}

void AddScaled(const float* x, int64_t stride, int64_t columns, Lane::Range rows, float factor, float* sum) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t i = 0; i < columns; ++i) sum[row * stride + i] += x[row * stride + i] * factor;
  }
}

}  // namespace

int64_t Block::TokenBytes(const ModelConfig& config, bool bf16) {
  const Strides s(config);
  return 4 * (2 * s.hidden + s.qkv + s.gate_up) + (bf16 ? 2 : 4) * (s.hidden + s.attended + s.activated);
}

absl::Status Block::Reserve(int64_t capacity, int64_t positions, int lanes) {
  if (capacity <= capacity_ && positions <= positions_ && lanes <= lanes_) return absl::OkStatus();
  const Strides s(config_);
  hidden_stride_ = s.hidden;
  qkv_stride_ = s.qkv;
  attended_stride_ = s.attended;
  gate_up_stride_ = s.gate_up;
  activated_stride_ = s.activated;
  capacity_ = std::max(capacity, capacity_);
  positions_ = std::max(positions, positions_);
  lanes_ = std::max(lanes, lanes_);
  scores_stride_ =
      (RoundUp(positions_, kCachePositions) + kCachePositions) * (config_.num_heads / config_.num_kv_heads);
  size_t bytes = 0;
  const auto place = [&](int64_t count, int64_t element_bytes) {
    const size_t offset = bytes;
    bytes += static_cast<size_t>(RoundUp(count * element_bytes + 64, 64));  // 64: kernels may read a vector too far
    return offset;
  };
  const int64_t element = ElementBytes();
  const size_t hidden = place(capacity_ * s.hidden, 4), normed = place(capacity_ * s.hidden, element);
  const size_t qkv = place(capacity_ * s.qkv, 4), attended = place(capacity_ * s.attended, element);
  const size_t gate_up = place(capacity_ * s.gate_up, 4), activated = place(capacity_ * s.activated, element);
  const size_t spare = place(capacity_ * s.hidden, 4);
  const size_t logits = place(lanes_ * capacity_ * kHeadPanels * kPanel, 4), scores = place(lanes_ * scores_stride_, 4);
  memory_ = HostBuffer();
  ASSIGN_OR_RETURN(memory_, HostBuffer::Allocate(bytes, HostBuffer::Pages::kHuge));
  std::byte* base = memory_.data();
  hidden_ = reinterpret_cast<float*>(base + hidden);
  normed_ = base + normed;
  qkv_ = reinterpret_cast<float*>(base + qkv);
  attended_ = base + attended;
  gate_up_ = reinterpret_cast<float*>(base + gate_up);
  activated_ = base + activated;
  spare_ = reinterpret_cast<float*>(base + spare);
  logits_ = reinterpret_cast<float*>(base + logits);
  scores_ = reinterpret_cast<float*>(base + scores);
  best_.resize(static_cast<size_t>(lanes_ * capacity_));
  asked_.reserve(static_cast<size_t>(capacity_));
  return absl::OkStatus();
}

void Block::Run(std::span<const Token> tokens, const Cache& cache, const Lane& lane) {
  const int64_t count = static_cast<int64_t>(tokens.size());
  const Lane::Range rows = lane.Share(count);
  Embed(tokens, rows);
  for (size_t hop = 0; hop < decoder_.path.size(); ++hop) {
    const PathStep& step = decoder_.path[hop];
    const PackedLayer& layer = decoder_.layers[static_cast<size_t>(step.layer)];
    if (step.state != 1.0f) Scale(hidden_, hidden_stride_, config_.hidden_size, rows, step.state);
    Norm(hidden_, layer.input_norm, rows);
    lane.Sync();
    Multiply(normed_, hidden_stride_, layer.qkv, qkv_, qkv_stride_, count, false, lane);
    lane.Sync();
    Attend(tokens, cache, static_cast<int64_t>(hop), lane);
    lane.Sync();
    Multiply(attended_, attended_stride_, layer.o, hidden_, hidden_stride_, count, true, lane);
    lane.Sync();
    RunMlp(layer, step.mlp, count, lane);
  }
  RunHead(tokens, lane);
}

void Block::RunMlp(const PackedLayer& layer, float scale, int64_t count, const Lane& lane) {
  const Lane::Range rows = lane.Share(count);
  Norm(hidden_, layer.post_norm, rows);
  lane.Sync();
  Multiply(normed_, hidden_stride_, layer.gate_up, gate_up_, gate_up_stride_, count, false, lane);
  lane.Sync();
  kernels_.swiglu(gate_up_ + rows.begin * gate_up_stride_, gate_up_stride_, rows.end - rows.begin,
                  config_.intermediate_size, activated_ + rows.begin * activated_stride_ * ElementBytes(),
                  activated_stride_);
  lane.Sync();
  const bool plain = scale == 1.0f;
  Multiply(activated_, activated_stride_, layer.down, plain ? hidden_ : spare_, hidden_stride_, count, plain, lane);
  lane.Sync();
  if (!plain) AddScaled(spare_, hidden_stride_, config_.hidden_size, rows, scale, hidden_);
}

void Block::Embed(std::span<const Token> tokens, Lane::Range rows) {
  const size_t hidden = static_cast<size_t>(config_.hidden_size);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const std::span<float> out(hidden_ + row * hidden_stride_, hidden);
    ReadFloats(*decoder_.embedding, tokens[static_cast<size_t>(row)].id * config_.hidden_size, out);
    if (!bf16_) continue;
    for (float& value : out) value = Bf16ToFloat(FloatToBf16(value));
  }
}

void Block::Norm(const float* x, const std::vector<float>& weight, Lane::Range rows) {
  kernels_.rms_norm(x + rows.begin * hidden_stride_, hidden_stride_, rows.end - rows.begin, config_.hidden_size,
                    weight.data(), static_cast<float>(config_.rms_norm_eps),
                    normed_ + rows.begin * hidden_stride_ * ElementBytes(), hidden_stride_);
}

void Block::Multiply(const std::byte* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride,
                     int64_t rows, bool accumulate, const Lane& lane) {
  const Lane::Range panels = lane.Share(w.panels());
  kernels_.gemm({.x = x,
                 .x_stride = x_stride,
                 .w = w.data(),
                 .depth = w.depth(),
                 .y = y + panels.begin * kPanel,
                 .y_stride = y_stride,
                 .rows = rows,
                 .panel_begin = panels.begin,
                 .panel_end = panels.end,
                 .bias = w.bias(),
                 .accumulate = accumulate});
}

// All keys and values are stored before any token attends: later tokens of a sequence see the earlier ones.
void Block::Attend(std::span<const Token> tokens, const Cache& cache, int64_t hop, const Lane& lane) {
  const Lane::Range rows = lane.Share(static_cast<int64_t>(tokens.size()));
  const float q_scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const Token& token = tokens[static_cast<size_t>(i)];
    std::byte* block = cache.At(token.row, hop) + token.position / kCachePositions * cache.block_bytes();
    kernels_.rope_store({.qkv = qkv_ + i * qkv_stride_,
                         .rope = token.rope,
                         .q_scale = q_scale,
                         .cache = block,
                         .slot = token.position % kCachePositions,
                         .heads = config_.num_heads,
                         .kv_heads = config_.num_kv_heads,
                         .head_dim = config_.head_dim});
  }
  lane.Sync();
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const Token& token = tokens[static_cast<size_t>(i)];
    const int64_t window = config_.sliding_window.value_or(token.position + 1);
    kernels_.attention({.q = qkv_ + i * qkv_stride_,
                        .cache = cache.At(token.row, hop),
                        .block_stride = cache.block_bytes(),
                        .heads = config_.num_heads,
                        .kv_heads = config_.num_kv_heads,
                        .head_dim = config_.head_dim,
                        .first = std::max<int64_t>(0, token.position + 1 - window),
                        .last = token.position,
                        .scores = scores_ + lane.index * scores_stride_,
                        .out = attended_ + i * attended_stride_ * ElementBytes()});
  }
}

void Block::RunHead(std::span<const Token> tokens, const Lane& lane) {
  if (lane.index == 0) {
    asked_.clear();
    for (const Token& token : tokens) {
      if (token.next == nullptr && token.logits == nullptr) continue;
      std::memcpy(spare_ + static_cast<int64_t>(asked_.size()) * hidden_stride_,
                  hidden_ + (&token - tokens.data()) * hidden_stride_, static_cast<size_t>(hidden_stride_) * 4);
      asked_.push_back(&token);
    }
  }
  lane.Sync();
  const int64_t count = static_cast<int64_t>(asked_.size());
  if (count == 0) return;
  Norm(spare_, decoder_.norm, lane.Share(count));
  lane.Sync();
  Best* best = best_.data() + lane.index * capacity_;
  std::fill(best, best + count, Best{-std::numeric_limits<float>::infinity(), 0, true});
  float* logits = logits_ + lane.index * capacity_ * kHeadPanels * kPanel;
  const Lane::Range panels = lane.Share(decoder_.head.panels());
  for (int64_t panel = panels.begin; panel < panels.end; panel += kHeadPanels) {
    const int64_t end = std::min(panel + kHeadPanels, panels.end);
    kernels_.gemm({normed_, hidden_stride_, decoder_.head.data(), decoder_.head.depth(), logits, kHeadPanels * kPanel,
                   count, panel, end, nullptr, false});
    const int64_t first = panel * kPanel, columns = std::min(end * kPanel, config_.vocab_size) - first;
    for (int64_t i = 0; i < count; ++i) {
      const float* row = logits + i * kHeadPanels * kPanel;
      kernels_.argmax(row, columns, static_cast<int32_t>(first), &best[i]);
      float* out = asked_[static_cast<size_t>(i)]->logits;
      if (out != nullptr) std::copy(row, row + columns, out + first);
    }
  }
  lane.Sync();
  if (lane.index == 0) {
    for (int64_t i = 0; i < count; ++i) {
      Best all = best[i];
      for (int other = 1; other < lane.count; ++other) {
        const Best& candidate = best_[static_cast<size_t>(other * capacity_ + i)];
        const bool finite = all.finite && candidate.finite;
        if (candidate.logit > all.logit) all = candidate;
        all.finite = finite;
      }
      NextToken* next = asked_[static_cast<size_t>(i)]->next;
      if (next != nullptr) *next = NextToken{all.token, all.logit, all.finite};
    }
  }
  lane.Sync();
}

}  // namespace heterosis::cpu
