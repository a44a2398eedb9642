// SPDX-License-Identifier: Apache-2.0
// Implements aten_batch.h on the host, then copies to the device.
#include "worker/model/aten_batch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

namespace heterosis {
namespace {

constexpr int64_t kMaskElementsMax = 64 << 20;  // of a group: bounds the padding's memory

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::TensorOptions& options) {
  return at::from_blob(const_cast<int64_t*>(values.data()), {static_cast<int64_t>(values.size())}, at::kLong)
      .to(options.device(), at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

int64_t Length(const Segment& segment) {
  return static_cast<int64_t>(segment.tokens.size());
}

// `offsets`: the first token of each of `segments`, in step.
AttentionGroup MakeGroup(const ModelConfig& config, std::span<const Segment> segments, std::span<const int64_t> offsets,
                         const at::TensorOptions& options) {
  AttentionGroup group;
  group.segments = static_cast<int64_t>(segments.size());
  for (const Segment& segment : segments) {
    group.queries = std::max(group.queries, Length(segment));
    group.keys = std::max(group.keys, segment.position + Length(segment));
  }
  std::vector<int64_t> rows, padded, kept, tokens;
  std::vector<uint8_t> mask(static_cast<size_t>(group.segments * group.queries * group.keys), 0);
  for (size_t s = 0; s < segments.size(); ++s) {
    rows.push_back(segments[s].row);
    for (int64_t i = 0; i < group.queries; ++i) {
      const int64_t used = std::min(i, Length(segments[s]) - 1);
      if (i == used) {
        kept.push_back(static_cast<int64_t>(padded.size()));
        tokens.push_back(offsets[s] + i);
      }
      const int64_t position = segments[s].position + used;
      const int64_t first = std::max<int64_t>(0, position + 1 - config.sliding_window.value_or(position + 1));
      uint8_t* row = mask.data() + static_cast<int64_t>(padded.size()) * group.keys;
      std::fill(row + first, row + position + 1, uint8_t{1});
      padded.push_back(offsets[s] + used);
    }
  }
  group.rows = ToDevice(rows, options);
  group.padded = ToDevice(padded, options);
  group.kept = ToDevice(kept, options);
  group.tokens = ToDevice(tokens, options);
  group.mask = at::from_blob(mask.data(), {group.segments, 1, group.queries, group.keys}, at::kByte)
                   .to(options.device(), at::kBool, /*non_blocking=*/false, /*copy=*/true);
  return group;
}

// Splits the segments, shortest first, so that one token is never padded to a prompt's length.
std::vector<AttentionGroup> MakeGroups(const ModelConfig& config, std::span<const Segment> segments,
                                       const at::TensorOptions& options) {
  std::vector<size_t> order(segments.size());
  std::vector<int64_t> offsets(segments.size());
  int64_t tokens = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    order[i] = i;
    offsets[i] = tokens;
    tokens += Length(segments[i]);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return Length(segments[a]) < Length(segments[b]); });
  std::vector<AttentionGroup> groups;
  std::vector<Segment> members;
  std::vector<int64_t> member_offsets;
  int64_t keys = 0;
  const auto flush = [&] {
    if (!members.empty()) groups.push_back(MakeGroup(config, members, member_offsets, options));
    members.clear();
    member_offsets.clear();
    keys = 0;
  };
  for (const size_t i : order) {
    const int64_t length = Length(segments[i]);
    const int64_t wider = std::max(keys, segments[i].position + length);
    const bool single_before = !members.empty() && members[0].tokens.size() == 1;
    if ((single_before && length > 1) || static_cast<int64_t>(members.size() + 1) * length * wider > kMaskElementsMax) {
      flush();
    }
    keys = std::max(keys, segments[i].position + length);
    members.push_back(segments[i]);
    member_offsets.push_back(offsets[i]);
  }
  flush();
  return groups;
}

}  // namespace

AtenBatch MakeAtenBatch(const ModelConfig& config, const Rope& rope, std::span<const Segment> segments,
                        int64_t positions, const at::TensorOptions& options) {
  std::vector<int64_t> ids, slots, last;
  std::vector<float> angles;
  const size_t dim = static_cast<size_t>(config.head_dim);
  for (const Segment& segment : segments) {
    for (int64_t i = 0; i < Length(segment); ++i) {
      const int64_t position = segment.position + i, end = segment.position + Length(segment);
      ids.push_back(segment.tokens[static_cast<size_t>(i)]);
      slots.push_back(segment.row * positions + position);
      angles.resize(angles.size() + dim);
      const std::span<float> row = std::span<float>(angles).last(dim);
      if (rope.IsTabulated(end)) {
        std::copy_n(rope.Row(position), dim, row.begin());
      } else {
        rope.Compute(position, end, row);
      }
    }
    last.push_back(static_cast<int64_t>(ids.size()) - 1);
  }
  AtenBatch batch;
  batch.ids = ToDevice(ids, options);
  batch.slots = ToDevice(slots, options);
  batch.last = ToDevice(last, options);
  const int64_t half = config.head_dim / 2;
  const at::Tensor table =
      at::from_blob(angles.data(), {static_cast<int64_t>(ids.size()), 1, config.head_dim}, at::kFloat).to(options);
  const at::Tensor cosine = table.narrow(2, 0, half), sine = table.narrow(2, half, half);
  batch.cosine = at::cat({cosine, cosine}, 2);
  batch.sine = at::cat({sine.neg(), sine}, 2);  // the first half is x1 cos - x2 sin
  batch.groups = MakeGroups(config, segments, options);
  return batch;
}

}  // namespace heterosis
