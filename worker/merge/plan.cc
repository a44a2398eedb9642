// SPDX-License-Identifier: Apache-2.0
// Implements plan.h.
#include "worker/merge/plan.h"

#include <algorithm>
#include <cmath>

#include "common/base/random.h"
#include "common/base/status.h"
#include "worker/merge/numeric.h"

namespace heterosis {
namespace {

absl::StatusOr<int> FindModel(const Inputs& inputs, const std::string& name) {
  const int index = inputs.Find(name);
  if (index < 0)
    return absl::NotFoundError(absl::StrCat("the recipe names the model \"", name, "\", which is not loaded"));
  return index;
}

absl::Status FillParticipants(const Recipe& recipe, const Inputs& inputs, Participants* participants) {
  participants->base = -1;
  if (!recipe.base.empty()) {
    ASSIGN_OR_RETURN(participants->base, FindModel(inputs, recipe.base));
  }
  participants->sources.clear();
  for (const std::string& source : recipe.sources) {
    ASSIGN_OR_RETURN(const int index, FindModel(inputs, source));
    participants->sources.push_back(index);
  }
  return absl::OkStatus();
}

// What linear and task vectors are divided by (generalized_task_arithmetic.py, linear.py): the weights' sum, rounded
// once; task vectors leave a sum of almost 0 alone.
float DivisorOf(const MergePlan& plan, const SourcePlan* sources) {
  if (!plan.normalize) return 1;
  float sum = 0;
  for (size_t m = 0; m < plan.source_count(); ++m) sum += sources[m].weight;
  if (plan.method == MergeMethod::kLinear) return sum;
  sum = RoundTo(plan.work, sum);
  return std::fabs(sum) < 1e-8f ? 1.0f : sum;
}

void FillSource(const Recipe& recipe, const ParameterRow& row, size_t m, std::string_view tensor, const MergePlan& plan,
                SourcePlan* source) {
  *source = SourcePlan();
  if (!row.weight.empty()) source->weight = static_cast<float>(row.weight[m]);
  if (plan.method != MergeMethod::kLinear) source->weight = RoundTo(plan.work, source->weight);
  if (!row.density.empty()) source->density = row.density[m];
  if (plan.by_magnitude && source->density <= 0) source->threshold = kKeepNothing;
  if (!plan.by_mask || source->density >= 1) return;
  source->masked = true;
  source->mask_key = RandomKey({recipe.mask_seed, HashText(recipe.sources[m]), HashText(tensor)});
  source->mask_limit = static_cast<uint32_t>(source->density * 0x1.0p32);
  // Where nothing is kept, 1/density may be Inf.
  if (recipe.rescale == Rescale::kDensity && source->mask_limit > 0) {
    source->scale = static_cast<float>(1.0 / source->density);
  }
}

}  // namespace

absl::Status FillPlan(const Recipe& recipe, const Inputs& inputs, MergePlan* plan) {
  RETURN_IF_ERROR(ValidateRecipe(recipe));
  RETURN_IF_ERROR(FillParticipants(recipe, inputs, &plan->participants));
  plan->method = recipe.method;
  plan->work = recipe.dtype;
  plan->out_dtype = recipe.out_dtype;
  plan->normalize = recipe.normalize;
  plan->lambda = static_cast<float>(recipe.lambda);
  plan->by_magnitude = recipe.method == MergeMethod::kTies;
  plan->by_mask = recipe.method == MergeMethod::kDareLinear || recipe.method == MergeMethod::kDareTies;
  plan->elects = recipe.method == MergeMethod::kTies || recipe.method == MergeMethod::kDareTies;
  plan->keeps_l1 = recipe.rescale == Rescale::kL1 && (plan->by_magnitude || plan->by_mask);
  plan->needs_statistics = recipe.method == MergeMethod::kSlerp;
  plan->mask_bits = nullptr;
  plan->tensors.resize(inputs.output().size());
  plan->sources.resize(inputs.output().size() * plan->source_count());
  for (size_t i = 0; i < inputs.output().size(); ++i) {
    const std::string& name = inputs.output()[i].name;
    const ParameterRow* row = RowFor(recipe, name);
    if (row == nullptr)
      return absl::InvalidArgumentError(absl::StrCat("no row of the recipe matches the tensor ", name));
    SourcePlan* sources = plan->SourcesOf(i);
    for (size_t m = 0; m < plan->source_count(); ++m) {
      FillSource(recipe, *row, m, name, *plan, &sources[m]);
      const bool is_sparse = sources[m].density < 1 && (plan->by_magnitude || plan->keeps_l1);
      plan->needs_statistics = plan->needs_statistics || is_sparse;
    }
    plan->tensors[i] = TensorPlan();
    plan->tensors[i].divisor = DivisorOf(*plan, sources);
    plan->tensors[i].t = static_cast<float>(row->t);
  }
  return absl::OkStatus();
}

}  // namespace heterosis
