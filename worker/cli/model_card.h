// SPDX-License-Identifier: Apache-2.0
// What the model card of a merged model says about how it was made.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/genome/recipe.h"
#include "worker/cli/merge_plan.h"

namespace heterosis {

// Files beside the weights: the recipe, and the same for mergekit where it can say as much.
inline constexpr char kRecipeFile[] = "heterosis_recipe.json";
inline constexpr char kMergekitFile[] = "mergekit_config.yml";

// The models whose weights are in the result, each once, a base before its sources.
std::vector<std::string> ParentsOf(const Recipe& recipe);

// Markdown; `files` are those beside the weights, by name.
std::string DescribeMerge(const MergePlan& plan, const std::map<std::string, std::string>& files);

}  // namespace heterosis
