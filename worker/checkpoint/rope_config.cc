// SPDX-License-Identifier: Apache-2.0
// Implements rope_config.h; semantics as in transformers/modeling_rope_utils.py.
#include "worker/checkpoint/rope_config.h"

#include <cmath>
#include <string>

#include "common/base/status.h"

namespace heterosis {
namespace {

bool Present(const Json& object, std::string_view key) {
  const Json* member = JsonFind(object, key);
  return member != nullptr && !member->is_null();
}

// Sets *value from a finite number > 0; leaves it where the key is absent or null.
absl::Status ReadPositive(const Json& object, std::string_view key, double* value) {
  if (!Present(object, key)) return absl::OkStatus();
  ASSIGN_OR_RETURN(*value, JsonNumber(object, key));
  if (!std::isfinite(*value) || *value <= 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"", std::string(key), "\" must be above 0, but is ", *value));
  }
  return absl::OkStatus();
}

absl::StatusOr<RopeConfig::Kind> KindFromName(const std::string& name) {
  if (name == "default") return RopeConfig::Kind::kDefault;
  if (name == "linear") return RopeConfig::Kind::kLinear;
  if (name == "dynamic") return RopeConfig::Kind::kDynamic;
  if (name == "yarn") return RopeConfig::Kind::kYarn;
  if (name == "llama3") return RopeConfig::Kind::kLlama3;
  return absl::UnimplementedError(absl::StrCat(
      "the rotary scaling \"", name, "\" is not supported; supported: default, linear, dynamic, yarn, llama3"));
}

// The factor on cosine and sine that `mscale` and `mscale_all_dim` imply where none is given.
double AttentionFactor(double factor, double mscale, double mscale_all_dim) {
  const auto scale = [factor](double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1.0; };
  return scale(mscale) / scale(mscale_all_dim);
}

absl::Status ReadYarn(const Json& scaling, RopeConfig* rope) {
  RETURN_IF_ERROR(ReadPositive(scaling, "beta_fast", &rope->beta_fast));
  RETURN_IF_ERROR(ReadPositive(scaling, "beta_slow", &rope->beta_slow));
  const Json* truncate = JsonFind(scaling, "truncate");
  if (truncate != nullptr && truncate->is_boolean() && !truncate->get<bool>()) {
    return absl::UnimplementedError("\"truncate\": false of yarn is not supported");
  }
  if (Present(scaling, "attention_factor")) {
    double attention_factor = 0;
    RETURN_IF_ERROR(ReadPositive(scaling, "attention_factor", &attention_factor));
    rope->attention_factor = attention_factor;
  } else if (Present(scaling, "mscale") && Present(scaling, "mscale_all_dim")) {
    double mscale = 0;
    double mscale_all_dim = 0;
    RETURN_IF_ERROR(ReadPositive(scaling, "mscale", &mscale));
    RETURN_IF_ERROR(ReadPositive(scaling, "mscale_all_dim", &mscale_all_dim));
    rope->attention_factor = AttentionFactor(rope->factor, mscale, mscale_all_dim);
  }
  return absl::OkStatus();
}

absl::Status ReadScaling(const Json& scaling, int64_t max_positions, RopeConfig* rope) {
  std::string name = "default";
  for (const char* key : {"type", "rope_type"}) {  // the newer spelling wins
    if (!Present(scaling, key)) continue;
    ASSIGN_OR_RETURN(name, JsonString(scaling, key));
  }
  ASSIGN_OR_RETURN(rope->kind, KindFromName(name));
  if (rope->kind == RopeConfig::Kind::kDefault) return absl::OkStatus();
  if (Present(scaling, "original_max_position_embeddings")) {
    ASSIGN_OR_RETURN(rope->original_max_positions, JsonInt(scaling, "original_max_position_embeddings"));
    if (rope->original_max_positions <= 0) {
      return absl::InvalidArgumentError("\"original_max_position_embeddings\" must be above 0");
    }
  }
  RETURN_IF_ERROR(ReadPositive(scaling, "factor", &rope->factor));
  if (!Present(scaling, "factor")) {
    if (rope->kind != RopeConfig::Kind::kYarn || rope->original_max_positions == 0) {
      return absl::InvalidArgumentError("\"factor\" of the scaling is missing");
    }
    rope->factor = static_cast<double>(max_positions) / static_cast<double>(rope->original_max_positions);
  }
  if (rope->kind == RopeConfig::Kind::kYarn) return ReadYarn(scaling, rope);
  if (rope->kind == RopeConfig::Kind::kLlama3) {
    RETURN_IF_ERROR(ReadPositive(scaling, "low_freq_factor", &rope->low_freq_factor));
    RETURN_IF_ERROR(ReadPositive(scaling, "high_freq_factor", &rope->high_freq_factor));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RopeConfig> ReadRopeConfig(const Json& config, int64_t max_positions) {
  RopeConfig rope;
  RETURN_IF_ERROR(ReadPositive(config, "rope_theta", &rope.theta));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {  // where both are written, transformers 5's wins
    if (!Present(config, key)) continue;
    const Json& scaling = *JsonFind(config, key);
    if (!scaling.is_object())
      return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be an object or null"));
    const double theta = rope.theta;
    rope = RopeConfig();
    rope.theta = theta;
    absl::Status status = ReadPositive(scaling, "rope_theta", &rope.theta);
    status.Update(ReadScaling(scaling, max_positions, &rope));
    if (!status.ok()) return Annotate(status, key);
  }
  double partial = 1.0;
  RETURN_IF_ERROR(ReadPositive(config, "partial_rotary_factor", &partial));
  if (partial != 1.0) return absl::UnimplementedError("\"partial_rotary_factor\" other than 1 is not supported");
  return rope;
}

}  // namespace heterosis
